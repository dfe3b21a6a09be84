"""NCSN++: a U-Net whose levels also read a pyramid of the input and write a pyramid of the output.

Figure and ablations: Song et al. 2021 (arXiv 2011.13456), section 4.1 and appendix H. The forward pass reads

    image ─ stem ─ encoder level 0 ─ … ─ level L-1 ─ middle ─ decoder level L-1 ─ … ─ level 0 ─ head ─ output

Attention is decided by level, never by the size of a feature map, so that every height and width that is a multiple
of `config.size_multiple` runs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.layers.conv2d import Conv2d
from sdedit.diffusion.layers.resample import downsampler, upsampler
from sdedit.diffusion.ncsnpp.blocks import Attention, InputResidual, InputSkip, ResidualBlock, ToRGB
from sdedit.diffusion.ncsnpp.config import NetworkConfig
from sdedit.diffusion.ncsnpp.embedding import NoiseEmbedding


class EncoderLevel(nn.Module):
    """One resolution on the way down. Appends every feature map that the decoder will want to `skips`."""

    def __init__(self, config: NetworkConfig, level: int, skip_channels: list[int], image_channels: int) -> None:
        super().__init__()
        width, embedding, rescale = config.channels[level], 4 * config.stem_channels, config.skip_rescale
        attends = level in config.attention_levels
        self.blocks = nn.ModuleList()
        self.attentions = nn.ModuleList()
        for _ in range(config.blocks[level]):
            self.blocks.append(ResidualBlock(skip_channels[-1], width, embedding, rescale))
            self.attentions.append(Attention(width, rescale) if attends else nn.Identity())
            skip_channels.append(width)
        self.down: ResidualBlock | None = None
        self.join: InputSkip | InputResidual | None = None
        if level < config.levels - 1:
            self.down = ResidualBlock(width, width, embedding, rescale, downsampler(config.resampling))
            if config.input_pyramid == "skip":
                self.join = InputSkip(image_channels, width, downsampler(config.resampling))
            elif config.input_pyramid == "residual":
                self.join = InputResidual(image_channels, width, rescale)
            skip_channels.append(width)

    def forward(self, h: Tensor, image: Tensor, embedding: Tensor, skips: list[Tensor]) -> tuple[Tensor, Tensor]:
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(h, embedding))
            skips.append(h)
        if self.down is not None:
            h = self.down(h, embedding)
            if self.join is not None:
                h, image = self.join(h, image)
            skips.append(h)
        return h, image


class Middle(nn.Module):
    """The lowest resolution: residual block, attention, residual block."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, embedding, rescale = config.channels[-1], 4 * config.stem_channels, config.skip_rescale
        self.block0 = ResidualBlock(width, width, embedding, rescale)
        self.attention = Attention(width, rescale)
        self.block1 = ResidualBlock(width, width, embedding, rescale)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        return self.block1(self.attention(self.block0(h, embedding)), embedding)


class DecoderLevel(nn.Module):
    """One resolution on the way up. Takes its feature maps from the end of `skips`."""

    def __init__(self, config: NetworkConfig, level: int, c_in: int, skip_channels: list[int]) -> None:
        super().__init__()
        width, embedding, rescale = config.channels[level], 4 * config.stem_channels, config.skip_rescale
        self.blocks = nn.ModuleList()
        for _ in range(config.blocks[level] + 1):
            self.blocks.append(ResidualBlock(c_in + skip_channels.pop(), width, embedding, rescale))
            c_in = width
        self.attention = Attention(width, rescale) if level in config.attention_levels else nn.Identity()
        self.to_image: ToRGB | None = None
        self.upsample: nn.Module | None = None
        if config.output_pyramid == "skip":
            self.to_image = ToRGB(width, config.image_channels * config.patch**2)
            self.upsample = upsampler(config.resampling) if level < config.levels - 1 else None
        self.up: ResidualBlock | None = None
        if level > 0:
            self.up = ResidualBlock(width, width, embedding, rescale, upsampler(config.resampling))

    def forward(
        self, h: Tensor, output: Tensor | None, embedding: Tensor, skips: list[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        for block in self.blocks:
            h = block(torch.cat([h, skips.pop()], dim=1), embedding)
        h = self.attention(h)
        if self.to_image is not None:
            detail = self.to_image(h)
            output = detail if self.upsample is None or output is None else self.upsample(output) + detail
        if self.up is not None:
            h = self.up(h, embedding)
        return h, output


class NCSNpp(nn.Module):
    """The network F of a denoiser; `sdedit.diffusion.preconditioning` makes a denoiser of it.

    `cast_body` sets the precision of everything but the noise embedding, whose phases need float32, and its
    projections, which are too small to gain.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        image_channels = config.image_channels * config.patch**2
        self.embedding = NoiseEmbedding(config.embedding, config.stem_channels, config.fourier_scale)
        self.stem = Conv2d(image_channels, config.stem_channels, 3, padding=1)

        self.encoder = nn.ModuleList()
        skip_channels = [config.stem_channels]
        pyramid_channels = image_channels
        for level in range(config.levels):
            self.encoder.append(EncoderLevel(config, level, skip_channels, pyramid_channels))
            if config.input_pyramid == "residual":
                pyramid_channels = config.channels[level]

        self.middle = Middle(config)

        self.decoder = nn.ModuleList()  # in the order it runs: lowest resolution first
        width = config.channels[-1]
        for level in reversed(range(config.levels)):
            self.decoder.append(DecoderLevel(config, level, width, skip_channels))
            width = config.channels[level]

        self.head = ToRGB(width, image_channels) if config.output_pyramid == "none" else None

    def cast_body(self, dtype: torch.dtype) -> None:
        self.to(dtype)
        self.embedding.float()
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.project.float()

    def forward(self, x: Tensor, noise_label: Tensor) -> Tensor:
        """One evaluation of the network.

        Args:
            x: (B, image_channels, H, W), H and W multiples of `config.size_multiple`.
            noise_label: (B,), or (1,) if all images share it: log sigma for the Fourier embedding, a noise index for
                the positional one.

        Returns:
            (B, image_channels, H, W).
        """
        dtype = self.stem.weight.dtype
        embedding = self.embedding(noise_label)
        image = F.pixel_unshuffle(x, self.config.patch).to(dtype)
        h = self.stem(image)
        skips = [h]
        for level in self.encoder:
            h, image = level(h, image, embedding, skips)
        h = self.middle(h, embedding)
        output: Tensor | None = None
        for level in self.decoder:
            h, output = level(h, output, embedding, skips)
        if self.head is not None:
            output = self.head(h)
        assert output is not None
        return F.pixel_shuffle(output, self.config.patch)
