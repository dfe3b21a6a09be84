"""Windows of varying size, shrunk to one size on the device with the filter of image editors."""

from __future__ import annotations

import torch
from torch import Tensor

_SUPPORT = 2  # pixels to each side that the filter reaches, of the larger of the two scales


def shrink_matrix(start: Tensor, length: Tensor, size: Tensor, side: int, first: Tensor, taps: int) -> Tensor:
    """The matrix that takes `taps` pixels of a row to `side` pixels of the window in it.

    Bicubic interpolation (Keys 1981, a = -1/2), its filter as many times wider as pixels become fewer so that nothing
    is aliased, and cut off at the image's edges: as PIL's resize with BICUBIC.

    Args:
        start, length: (B,) where the window begins and how long it is, in pixels of the image; length >= side.
        size: (B,) the image's own length.
        side: pixels that the window becomes.
        first: (B,) int64, the number of the first of the taps; they must hold the window and `reach` beyond it.
        taps: how many.

    Returns:
        (B, side, taps) in the type of `start`, rows of sum 1.
    """
    scale = (length / side)[:, None]
    centres = start[:, None] + (torch.arange(side, device=start.device) + 0.5) * scale
    places = first[:, None] + torch.arange(taps, device=start.device)
    inside = (places >= 0) & (places < size[:, None])
    distances = (places[:, None, :] + 0.5 - centres[:, :, None]).abs() / scale[:, :, None]
    near = (1.5 * distances - 2.5) * distances**2 + 1
    far = ((-0.5 * distances + 2.5) * distances - 4) * distances + 2
    weights = torch.where(distances < 1, near, torch.where(distances < _SUPPORT, far, 0.0)) * inside[:, None, :]
    return weights / weights.sum(dim=2, keepdim=True)


def reach(longest: float, side: int) -> int:
    """Whole pixels that the filter needs beyond both ends of windows of at most `longest` pixels."""
    return int(_SUPPORT * longest / side) + 1
