"""Pictures to paint from."""

from __future__ import annotations

import numpy as np
from PIL import Image


def blocks_picture(width: int = 24, height: int = 20) -> Image.Image:
    """Flat colours with hard edges, different in every corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = (90, 140, 200)
    pixels[height // 2 :] = (60, 90, 50)
    pixels[: height // 4, : width // 4] = (250, 240, 220)
    pixels[-height // 4 :, -width // 4 :] = (130, 30, 20)
    return Image.fromarray(pixels)
