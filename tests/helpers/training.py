"""A recipe that is learnt in seconds, and photographs to learn from."""

from __future__ import annotations

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
