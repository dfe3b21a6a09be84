"""8-bit images to tensors and back."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(image: Image.Image) -> Tensor:
    """RGB image -> (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float().div_(255)


def to_image(tensor: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> RGB image, values rounded to 8 bits."""
    levels = tensor.detach().float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def to_float(images: np.ndarray) -> Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
