"""The detail network: what an image has at twice the size of the U-Net's.

The U-Net cleans the image at half its size; this network adds the octave above, from the noised image, the U-Net's
clean one and the features that it made it of. So a U-Net of the smaller size need not be trained again for the larger
one, and most of the work is done where there are a quarter of the pixels. The idea of nesting is that of Gu et al. 2023
(Matryoshka diffusion models, arXiv 2310.15111); the split into octaves is a Laplacian pyramid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.layers.conv2d import Conv2d
from sdedit.diffusion.ncsnpp.blocks import ResidualBlock, ToRGB

_PATCH = 2  # it works on blocks of 2 x 2 pixels, moved into channels: on the grid of the smaller image


def halve(images: Tensor) -> Tensor:
    """(B, C, 2H, 2W) -> (B, C, H, W), means of 2 x 2 pixels: white noise of level sigma becomes one of sigma / 2."""
    return F.avg_pool2d(images, _PATCH)


def double(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), bicubic."""
    return F.interpolate(images, scale_factor=_PATCH, mode="bicubic", align_corners=False)


def with_coarse(images: Tensor, coarse: Tensor) -> Tensor:
    """Images (B, C, 2H, 2W) moved to the nearest ones whose halves are `coarse` (B, C, H, W)."""
    return images + F.interpolate(coarse - halve(images), scale_factor=_PATCH, mode="nearest")


class DetailNetwork(nn.Module):
    """Residual blocks of one width, on the grid of the smaller image."""

    def __init__(self, channels: int, blocks: int, features: int, embedding: int, image_channels: int = 3) -> None:
        """features: channels of the U-Net's last features. embedding: width of the noise embedding."""
        super().__init__()
        self.stem = Conv2d((2 * _PATCH**2 + 1) * image_channels, channels, 3, padding=1)
        self.context = Conv2d(features, channels, 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels, channels, embedding, skip_rescale=True) for _ in range(blocks)
        )
        self.head = ToRGB(channels, _PATCH**2 * image_channels)

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
        image = torch.cat([F.pixel_unshuffle(x, _PATCH), F.pixel_unshuffle(band, _PATCH), coarse], dim=1)
        context = F.interpolate(self.context(features), size=coarse.shape[-2:], mode="nearest")
        h = self.stem(image.to(dtype), residual=context)
        for block in self.blocks:
            h = block(h, embedding)
        return F.pixel_shuffle(self.head(h), _PATCH)
