"""Winograd F(4x4, 3x3) in float32 on a CPU: 3 x 3 convolutions in a quarter of the multiplications, by `winograd.c`.

Lavin and Gray 2016 (arXiv 1509.09308), section 4.3, at other points. Its rounding errors are two to three times those
of the plain sum, far below what an image shows. Maps in bfloat16 are left to oneDNN, which is faster with them where a
processor has units for matrices.
"""

from __future__ import annotations

import ctypes
import math

import torch
from torch import Tensor

from sdedit.diffusion.kernels import build

_POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)  # and infinity, as in winograd.c
_LEAST_PIXELS = 16 * 16  # on less of a map the weights, four times as many, are not used often enough


def supports(x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: str | tuple[int, ...]) -> bool:
    """Whether the convolution of x (B, C_in, H, W), on a CPU, with weight (C_out, C_in, h, w) is better done here."""
    if (weight.shape[2:], stride, padding) != ((3, 3), (1, 1), (1, 1)) or x.dtype != torch.float32:
        return False
    # Of one image, so that an image comes out the same in every batch.
    if x.shape[2:].numel() < _LEAST_PIXELS or not x.is_contiguous(memory_format=torch.channels_last):
        return False
    functions = build.library("winograd")
    return functions is not None and len(weight) % functions.winograd_width() == 0 and weight.shape[1] % 16 == 0


def pack(weight: Tensor) -> Tensor:
    """The weights (C_out, C_in, 3, 3) at all points, in the order `winograd.c` reads them."""
    rows: list[list[float]] = []
    for point in _POINTS:
        others = math.prod(point - other for other in _POINTS if other != point)
        rows.append([point**power / others for power in range(3)])
    to_points = torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float64)
    c_out, c_in = weight.shape[:2]
    width = _functions().winograd_width()
    in_order = weight.reshape(c_out // width, width, c_in, 9).transpose(1, 2).reshape(-1, 9)
    at_points = torch.kron(to_points, to_points) @ in_order.T.double()
    return at_points.float().reshape(36, c_out // width, c_in, width)


def convolve(x: Tensor, packed: Tensor, bias: Tensor, residual: Tensor | None) -> Tensor:
    """Convolution + bias + residual.

    Args:
        x: (B, C_in, H, W) that `supports` accepts.
        packed: the weights, from `pack`.
        bias: (C_out,).
        residual: (B, C_out, H, W); may be overwritten.

    Returns:
        (B, C_out, H, W), in channels_last.
    """
    batch, c_in, height, width = x.shape
    c_out = len(bias)
    if residual is None:
        y = torch.empty(batch, c_out, height, width, memory_format=torch.channels_last)
    else:
        y = residual.contiguous(memory_format=torch.channels_last)
    workspace = torch.empty(torch.get_num_threads(), _functions().winograd_workspace(c_in + c_out))
    sizes = (batch, height, width, c_in, c_out)
    build.call(_functions().winograd, (x, packed, bias.contiguous(), y, workspace), sizes, residual is not None)
    return y


def _functions() -> ctypes.CDLL:
    functions = build.library("winograd")
    assert functions is not None  # or nothing would have been taken
    return functions
