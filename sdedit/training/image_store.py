"""Photographs of any sizes in the device's memory, as bytes, and square windows of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class ImageStore:
    """Images in one tensor of bytes, one after another, so that a batch is gathered on the device itself.

    Attributes:
        pixels: (P, C) uint8, the rows of all images; C is 3, or 6 for two images that belong together.
        first: (N,) int64, where in `pixels` each image begins.
        heights, widths: (N,) int64, in pixels.
    """

    def __init__(self, images: Sequence[np.ndarray], device: torch.device | str = "cpu") -> None:
        """Copy images, (H, W, C) uint8, of which there must be one at least."""
        sizes = torch.tensor([image.shape[:2] for image in images])
        counts = sizes.prod(dim=1)
        flat = np.concatenate([image.reshape(-1, image.shape[2]) for image in images])
        self.pixels = torch.from_numpy(flat).to(device)
        self.first = (counts.cumsum(0) - counts).to(device)
        self.heights, self.widths = sizes.to(device).unbind(dim=1)

    def __len__(self) -> int:
        return len(self.first)

    def windows(self, images: Tensor, tops: Tensor, lefts: Tensor, sides: tuple[int, int]) -> Tensor:
        """Windows of images; pixels beyond an image's edges are repeats of the last ones.

        Args:
            images: (B,) int64, their numbers.
            tops, lefts: (B,) int64, the windows' upper left corners, in pixels.
            sides: height and width of all windows, in pixels.

        Returns:
            (B, height, width, C) uint8.
        """
        rows = tops[:, None] + torch.arange(sides[0], device=tops.device)
        columns = lefts[:, None] + torch.arange(sides[1], device=tops.device)
        heights, widths = self.heights[images][:, None], self.widths[images][:, None]
        rows = torch.minimum(rows.clamp(min=0), heights - 1)
        columns = torch.minimum(columns.clamp(min=0), widths - 1)
        starts = self.first[images][:, None] + rows * widths  # (B, height)
        return self.pixels[starts[:, :, None] + columns[:, None, :]]
