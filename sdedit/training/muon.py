"""Muon: the momentum of a matrix, made orthogonal, is its step (Jordan et al. 2024).

https://kellerjordan.github.io/posts/muon/; the step's size is that of Liu et al. 2025 (arXiv 2502.16982, section 2.2),
with which AdamW's learning rates fit. As torch.optim.Muon with adjust_lr_fn="match_rms_adamw" and without weight decay,
but for all matrices of a shape at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315  # of a x + b x^3 + c x^5, which takes all of (0, 1] near 1 in five steps
_STEPS = 5
_EPS = 1e-7


def orthogonalise(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """U V^T for matrices U S V^T, roughly: singular values come out between about 0.7 and 1.2.

    Newton-Schulz iteration with a quintic polynomial.

    Args:
        matrices: (n, rows, columns).
        dtype: of the arithmetic; bfloat16 will do.

    Returns:
        (n, rows, columns) in dtype.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices  # the smaller of the two products of x with itself
    norm = torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True).clamp(min=_EPS)
    x = x.to(dtype) / norm.to(dtype)
    for _ in range(_STEPS):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
        x = torch.baddbmm(x, polynomial, x, beta=_A)
    return x.mT if tall else x


def muon_update(ahead: Tensor, values: Tensor, rate: Tensor, dtype: torch.dtype) -> None:
    """Step matrices of one shape against their momentum, in place.

    Args:
        ahead: (n, rows, columns), the momentum as Nesterov looks at it.
        values: (n, rows, columns), the weights.
        rate: the learning rate, a tensor of one number on the same device.
        dtype: of the orthogonalisation's arithmetic.
    """
    size = 0.2 * math.sqrt(max(values.shape[1:]))  # 0.2 is about the root mean square of AdamW's steps
    # In float32: a CPU takes long for sums of two types, and a product in bfloat16 would be rounded once more.
    values.addcmul_(orthogonalise(ahead, dtype).float(), rate, value=-size)
