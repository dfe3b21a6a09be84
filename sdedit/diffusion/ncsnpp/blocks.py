"""The building blocks of the U-Nets: residual block, self-attention, the joints of NCSN++'s image pyramids, detail."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.layers.conv2d import Conv2d
from sdedit.diffusion.layers.conv_group_norm import conv_group_norm
from sdedit.diffusion.layers.group_norm import GroupNormSiLU
from sdedit.diffusion.layers.resample import FIRDown
from sdedit.diffusion.layers.residual_sum import residual_sum
from sdedit.diffusion.octaves import PATCH

Norm = Callable[..., GroupNormSiLU]  # of (channels, silu=True): GroupNormSiLU, or with other groups and eps


def _zeroed(layer: Conv2d) -> Conv2d:
    # A branch that starts at zero leaves the identity, which deep stacks train from (Ho et al. 2020).
    nn.init.zeros_(layer.weight)
    return layer


class ResidualBlock(nn.Module):
    """BigGAN-type residual block, optionally changing resolution (Song et al. 2021, appendix H).

    x (B, C_in, H, W), embedding (B, E) or (1, E) -> (B, C_out, H', W'), H' = H, H/2 or 2H by `resample`. With
    `scale_shift` it is ADM's: silu(norm1(conv0(h)) (1 + scale) + shift), both from the embedding (Dhariwal and Nichol
    2021, arXiv 2105.05233, section 3.1); else the embedding is added before the normalisation.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        embedding: int,
        skip_rescale: bool,
        resample: nn.Module | None = None,
        *,
        norm: Norm = GroupNormSiLU,
        scale_shift: bool = False,
        resample_shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.norm0 = norm(c_in)
        self.resample = resample
        self.conv0 = Conv2d(c_in, c_out, 3, padding=1)
        self.scale_shift = scale_shift
        self.project = nn.Linear(embedding, 2 * c_out if scale_shift else c_out)
        self.norm1 = norm(c_out)
        self.conv1 = _zeroed(Conv2d(c_out, c_out, 3, padding=1))
        convolved = c_in != c_out or (resample is not None and resample_shortcut)
        self.shortcut = Conv2d(c_in, c_out, 1) if convolved else None
        self.scale = math.sqrt(0.5) if skip_rescale else 1.0

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h, x = self.norm0.beside(x)
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        if self.scale_shift:
            h = self.norm1.modulated(self.conv0(h), *self.project(embedding).chunk(2, dim=1))
        else:
            h = conv_group_norm(self.conv0, self.norm1, h, self.project(embedding))
        return residual_sum(self.conv1, h, x, self.scale, self.shortcut)


class Attention(nn.Module):
    """Self-attention over all pixels of x (B, C, H, W), in heads of C / heads channels, with its residual sum."""

    def __init__(self, channels: int, skip_rescale: bool, *, heads: int = 1, norm: Norm = GroupNormSiLU) -> None:
        super().__init__()
        self.heads = heads
        self.norm = norm(channels, silu=False)
        self.qkv = Conv2d(channels, 3 * channels, 1)  # rows: q, k, v, in each head by head
        self.out = _zeroed(Conv2d(channels, channels, 1))
        self.scale = math.sqrt(0.5) if skip_rescale else 1.0

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        # (B, 3C, H, W) -> three of (B, heads, HW, C / heads)
        h, x = self.norm.beside(x)
        qkv = self.qkv(h).flatten(2).transpose(1, 2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        h = F.scaled_dot_product_attention(q, k, v)
        h = h.transpose(1, 2).flatten(2).transpose(1, 2).reshape(batch, channels, height, width)
        return residual_sum(self.out, h, x, self.scale)


class InputSkip(nn.Module):
    """'Input skip': the input, filtered down to this level, is mixed into h through a 1 x 1 convolution."""

    def __init__(self, image_channels: int, channels: int, downsample: nn.Module) -> None:
        super().__init__()
        self.downsample = downsample
        self.mix = Conv2d(image_channels, channels, 1)

    def forward(self, h: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        image = self.downsample(image)
        return self.mix(image, residual=h), image


class InputResidual(nn.Module):
    """'Residual' input pyramid: a strided convolution carries the pyramid down, and its sum with h becomes both."""

    def __init__(self, image_channels: int, channels: int, skip_rescale: bool) -> None:
        super().__init__()
        self.filter = FIRDown(padding=2, stride=1)
        self.conv = Conv2d(image_channels, channels, 3, stride=2)
        self.scale = math.sqrt(0.5) if skip_rescale else 1.0

    def forward(self, h: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        h = residual_sum(self.conv, self.filter(image), h, self.scale)
        return h, h


class ToRGB(nn.Module):
    """Features (B, C, H, W) -> image channels: normalise, activate, convolve."""

    def __init__(self, channels: int, image_channels: int, norm: Norm = GroupNormSiLU) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.conv = _zeroed(Conv2d(channels, image_channels, 3, padding=1))

    def forward(self, h: Tensor) -> Tensor:
        return self.conv(self.norm(h))


class DetailNetwork(nn.Module):
    """What an image has at twice the size of the U-Net's: residual blocks of one width, on the smaller image's grid.

    The U-Net cleans the image at half its size; this adds the octave above, from the noised image, the clean one and
    the features it was made of. So a U-Net of the smaller size need not be trained again for the larger one, and
    most of the work is done where there are a quarter of the pixels. Nested as those of Gu et al. 2023 (Matryoshka
    diffusion models, arXiv 2310.15111); the split into octaves is a Laplacian pyramid.
    """

    def __init__(self, channels: int, blocks: int, features: int, embedding: int, image_channels: int = 3) -> None:
        """features: channels of the U-Net's last features. embedding: width of the noise embedding."""
        super().__init__()
        self.stem = Conv2d((2 * PATCH**2 + 1) * image_channels, channels, 3, padding=1)
        self.context = Conv2d(features, channels, 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels, channels, embedding, skip_rescale=True) for _ in range(blocks)
        )
        self.head = ToRGB(channels, PATCH**2 * image_channels)

    def forward(self, x: Tensor, band: Tensor, coarse: Tensor, features: Tensor, embedding: Tensor) -> Tensor:
        """One evaluation.

        Args:
            x: (B, C, 2H, 2W), the noised image.
            band: (B, C, 2H, 2W), its upper octave.
            coarse: (B, C, H, W), the clean image at half the size.
            features: (B, F, H / patch, W / patch) of the U-Net.
            embedding: (B, E) or (1, E) of the noise level.

        Returns:
            (B, C, 2H, 2W).
        """
        dtype = self.stem.weight.dtype
        image = torch.cat([F.pixel_unshuffle(x, PATCH), F.pixel_unshuffle(band, PATCH), coarse], dim=1)
        context = F.interpolate(self.context(features), size=coarse.shape[-2:], mode="nearest")
        h = self.stem(image.to(dtype), residual=context)
        for block in self.blocks:
            h = block(h, embedding)
        return F.pixel_shuffle(self.head(h), PATCH)
