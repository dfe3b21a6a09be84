"""Training batches: random windows of photographs, and noise levels for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sdedit.io.photographs import Picture
from sdedit.io.tensors import to_float


def random_batch(pictures: list[Picture], count: int, side: int, generator: torch.Generator) -> Tensor:
    """Random square windows of random pictures, half of them mirrored: (count, 3, side, side) float32 in [0, 1].

    Of pairs it takes the same window: (count, 6, side, side).

    Pixels are taken as they are: whatever a filter blurred here, the model would learn to leave out.
    """
    cuts = np.empty((count, side, side, pictures[0].shape[2]), np.uint8)
    draws = torch.rand(count, 4, generator=generator, dtype=torch.float64).tolist()
    for cut, (pick, down, right, mirror) in zip(cuts, draws, strict=True):
        picture = pictures[int(pick * len(pictures))]
        top = int(down * (picture.shape[0] - side + 1))
        left = int(right * (picture.shape[1] - side + 1))
        window = picture[top : top + side, left : left + side]
        cut[:] = window[:, ::-1] if mirror < 0.5 else window
    return to_float(cuts)


def stratified_normal(count: int, generator: torch.Generator) -> Tensor:
    """(count,) draws from N(0, 1), one from each of `count` equally likely ranges, in random order.

    A batch then holds low and high noise levels in their due shares, and its gradient less chance (Kingma et al. 2021,
    arXiv 2107.00630, appendix I.1).
    """
    ranges = torch.randperm(count, generator=generator)
    quantiles = (ranges + torch.rand(count, generator=generator)) / count
    return torch.special.ndtri(quantiles.clamp(1e-6, 1 - 1e-6))
