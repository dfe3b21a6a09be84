"""A recipe that is learnt in seconds, and photographs to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

RECIPE = """
[network]
stem_channels = 16
channels = [16, 32]
blocks = [1, 1]
fourier_scale = 1.0
resampling = "mean"

[data]
size = 16

[[batches]]
side = 8
shrink_to = 16
batch = 8
share = 2

[[batches]]
side = 16
shrink_to = 16
batch = 4

[optimiser]
warmup = 5
ema = [0.1, 0.2]

[budget]
pictures = 600

[report]
validation_pictures = 4
checkpoint_minutes = 5
preview_steps = 3

[card]
name = "stripes"
"""


def stripes(index: int, width: int = 24, height: int = 20) -> Image.Image:
    """Two flat colours, different in each picture."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2] = (200 - 3 * index, 150, 100 + 4 * index)
    pixels[height // 2 :] = (40, 90 + 5 * index, 60)
    return Image.fromarray(pixels)


def folder_of(path: Path, count: int, blurred: bool = False) -> Path:
    """A folder of stripes, with grain unless they are blurred."""
    path.mkdir()
    for index in range(count):
        pixels = np.asarray(stripes(index, 64, 56)).astype(int)
        if not blurred:
            pixels = pixels + np.random.default_rng(index).integers(-30, 30, pixels.shape)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path / f"{index:02}.png")
    return path
