"""An image at half its size, and the octave that is then missing: one level of a Laplacian pyramid."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

PATCH = 2  # pixels that become one, each way


def halve(images: Tensor) -> Tensor:
    """(B, C, 2H, 2W) -> (B, C, H, W), means of 2 x 2 pixels: white noise of level sigma becomes one of sigma / 2."""
    return F.avg_pool2d(images, PATCH)


def double(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), bicubic."""
    return F.interpolate(images, scale_factor=PATCH, mode="bicubic", align_corners=False)


def with_coarse(images: Tensor, coarse: Tensor) -> Tensor:
    """Images (B, C, 2H, 2W) moved to the nearest ones whose halves are `coarse` (B, C, H, W)."""
    return images + F.interpolate(coarse - halve(images), scale_factor=PATCH, mode="nearest")
