"""8-bit images to tensors and back."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

_ROUNDING = 0.01  # what interpolation and half precision may go beyond [0, 1]
_BYTES = 2.0  # values above are meant in [0, 255]


def to_tensor(image: Image.Image) -> Tensor:
    """RGB image -> (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float().div_(255)


def check_values(images: Tensor, name: str) -> None:
    """Refuse a tensor that is no image in [0, 1].

    Args:
        images: of any shape.
        name: what messages call it.

    Raises:
        ValueError: if its values are no floating point, not finite, or outside [0, 1] by more than rounding.
    """
    if not images.is_floating_point():
        hint = "; divide by 255" if images.dtype == torch.uint8 else ""
        raise ValueError(f"{name} has floating point in [0, 1], not {str(images.dtype).removeprefix('torch.')}{hint}")
    if images.numel() == 0:
        raise ValueError(f"{name} has no values; its shape is {tuple(images.shape)}")
    low, high = (float(value) for value in images.detach().float().aminmax())
    if not math.isfinite(low) or not math.isfinite(high):
        raise ValueError(f"{name} has values that are NaN or infinite; they lie in [0, 1]")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        if low >= 0 and high <= 255 * (1 + _ROUNDING) and high > _BYTES:
            hint = "divide it by 255"
        elif low >= -1 - _ROUNDING and high <= 1 + _ROUNDING:
            hint = "if it lies in [-1, 1], take (x + 1) / 2"
        else:
            hint = "bring it there, or clamp it"
        raise ValueError(f"{name} lies in [0, 1], and this one in [{low:.4g}, {high:.4g}]; {hint}")


def to_image(tensor: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> RGB image, values rounded to 8 bits."""
    levels = tensor.detach().float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def to_float(images: np.ndarray) -> Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
