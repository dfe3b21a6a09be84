"""The U-Net of score models. NCSN++, DDPM, DDPM++ and ADM are one figure with different joints, which are options.

NCSN++, whose levels also read a pyramid of the input and write a pyramid of the output: Song et al. 2021 (arXiv
2011.13456), section 4.1 and appendix H; the others have no pyramids. The forward pass reads

    image ─ stem ─ encoder level 0 ─ … ─ level L-1 ─ middle ─ decoder level L-1 ─ … ─ level 0 ─ head ─ output

and a network of images twice that size has a detail network beside it.

Attention is decided by level, never by the size of a feature map, so that every height and width that is a multiple
of `config.size_multiple` runs.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.layers.conv2d import Conv2d
from sdedit.diffusion.layers.group_norm import GroupNormSiLU
from sdedit.diffusion.layers.resample import DownConv2d, UpConv2d, downsampler, upsampler
from sdedit.diffusion.ncsnpp.blocks import (
    Attention,
    DetailNetwork,
    InputResidual,
    InputSkip,
    Norm,
    ResidualBlock,
    ToRGB,
)
from sdedit.diffusion.ncsnpp.config import NetworkConfig
from sdedit.diffusion.ncsnpp.embedding import NoiseEmbedding


def _norm(config: NetworkConfig) -> Norm:
    return partial(GroupNormSiLU, groups=config.norm_groups, eps=config.norm_eps)


def _block(config: NetworkConfig, c_in: int, c_out: int, resample: nn.Module | None = None) -> ResidualBlock:
    return ResidualBlock(
        c_in,
        c_out,
        4 * config.embedding_unit,
        config.skip_rescale,
        resample,
        norm=_norm(config),
        scale_shift=config.scale_shift,
        resample_shortcut=config.resample_shortcut,
    )


def _attention(config: NetworkConfig, channels: int) -> Attention:
    return Attention(channels, config.skip_rescale, heads=config.heads_of(channels), norm=_norm(config))


class EncoderLevel(nn.Module):
    """One resolution on the way down. Appends every feature map that the decoder will want to `skips`."""

    def __init__(self, config: NetworkConfig, level: int, skip_channels: list[int], image_channels: int) -> None:
        super().__init__()
        width = config.channels[level]
        attends = level in config.attention_levels
        self.blocks = nn.ModuleList()
        self.attentions = nn.ModuleList()
        for _ in range(config.blocks[level]):
            self.blocks.append(_block(config, skip_channels[-1], width))
            self.attentions.append(_attention(config, width) if attends else nn.Identity())
            skip_channels.append(width)
        self.down: ResidualBlock | DownConv2d | None = None
        self.join: InputSkip | InputResidual | None = None
        if level < config.levels - 1:
            if config.resamples_in_blocks:
                self.down = _block(config, width, width, downsampler(config.resampling))
            else:
                self.down = DownConv2d(width, centred=config.resampling == "conv-centred")
            if config.input_pyramid == "skip":
                self.join = InputSkip(image_channels, width, downsampler(config.resampling))
            elif config.input_pyramid == "residual":
                self.join = InputResidual(image_channels, width, config.skip_rescale)
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
        width = config.channels[-1]
        self.block0 = _block(config, width, width)
        self.attention = _attention(config, width)
        self.block1 = _block(config, width, width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        return self.block1(self.attention(self.block0(h, embedding)), embedding)


class DecoderLevel(nn.Module):
    """One resolution on the way up. Takes its feature maps from the end of `skips`."""

    def __init__(self, config: NetworkConfig, level: int, c_in: int, skip_channels: list[int]) -> None:
        super().__init__()
        width = config.channels[level]
        attends = level in config.attention_levels
        every = attends and config.decoder_attention == "every"
        self.blocks = nn.ModuleList()
        self.attentions = nn.ModuleList()
        for _ in range(config.blocks[level] + 1):
            self.blocks.append(_block(config, c_in + skip_channels.pop(), width))
            self.attentions.append(_attention(config, width) if every else nn.Identity())
            c_in = width
        self.attention = _attention(config, width) if attends and not every else nn.Identity()
        self.to_image: ToRGB | None = None
        self.upsample: nn.Module | None = None
        if config.output_pyramid == "skip":
            self.to_image = ToRGB(width, config.image_channels * config.patch**2, _norm(config))
            self.upsample = upsampler(config.resampling) if level < config.levels - 1 else None
        self.up: ResidualBlock | UpConv2d | None = None
        if level > 0 and config.resamples_in_blocks:
            self.up = _block(config, width, width, upsampler(config.resampling))
        elif level > 0:
            self.up = UpConv2d(width)

    def forward(
        self, h: Tensor, output: Tensor | None, embedding: Tensor, skips: list[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(torch.cat([h, skips.pop()], dim=1), embedding))
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
        self.embedding = NoiseEmbedding(config.embedding, config.embedding_unit, config.fourier_scale)
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

        self.head = ToRGB(width, image_channels, _norm(config)) if config.output_pyramid == "none" else None
        self.detail: DetailNetwork | None = None
        if config.detail_blocks:
            embedding = 4 * config.embedding_unit
            self.detail = DetailNetwork(
                config.detail_channels, config.detail_blocks, width, embedding, config.image_channels
            )

    def cast_body(self, dtype: torch.dtype) -> None:
        self.to(dtype)
        self.embedding.float()
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.project.float()

    def forward(self, x: Tensor, noise_label: Tensor) -> Tensor:
        """One evaluation of the U-Net.

        Args:
            x: (B, image_channels, H, W), H and W multiples of `config.size_multiple`; with a detail network of half
                that, since the U-Net then sees images at half their size.
            noise_label: (B,), or (1,) if all images share it: log sigma for the Fourier embedding, a noise index for
                the others.

        Returns:
            (B, image_channels, H, W).
        """
        return self.with_features(x, noise_label)[0]

    def with_features(self, x: Tensor, noise_label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, and what a detail network reads beside it: the last features and the noise embedding."""
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
        return F.pixel_shuffle(output, self.config.patch), h, embedding
