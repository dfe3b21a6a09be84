"""Faithfulness: how far a painting is from its guide (Meng et al. 2021, arXiv 2108.01073, section 4)."""

from __future__ import annotations

from torch import Tensor


def l2(painted: Tensor, guides: Tensor) -> Tensor:
    """Euclidean distance over all pixels and channels, values in [0, 1]: the paper's L2.

    It grows with the root of the number of pixels; the paper's figures are for 256 x 256 px.

    Args:
        painted: (B, 3, H, W).
        guides: (B, 3, H, W).

    Returns:
        (B,).
    """
    return (painted - guides).flatten(1).norm(dim=1)


def rmse(painted: Tensor, guides: Tensor) -> Tensor:
    """Root of the mean squared difference over pixels and channels, in [0, 1] at every size; shapes as in `l2`."""
    return (painted - guides).flatten(1).square().mean(dim=1).sqrt()
