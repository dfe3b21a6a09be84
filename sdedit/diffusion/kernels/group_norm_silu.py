"""Group normalisation with SiLU on a CPU, by `group_norm_silu.c`.

torch runs it as separate passes over memory, which on a CPU with fast convolutions take about as long as those.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from sdedit.diffusion.kernels import build

_TYPES = {torch.float32: "float", torch.bfloat16: "bfloat16"}


def supports(x: Tensor) -> bool:
    """Whether there is a kernel for x (B, C, H, W): on a CPU, in channels_last, float32 or bfloat16."""
    return (
        x.device.type == "cpu"
        and x.dtype in _TYPES
        and not torch.compiler.is_compiling()
        and x.is_contiguous(memory_format=torch.channels_last)
        and build.library("group_norm_silu") is not None
    )


def norm_silu(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
    """silu(group_norm(x)), or group_norm(x) alone, computed in float32 with sums in float64; it has gradients.

    Args:
        x: (B, C, H, W) that `supports` accepts.
        weight, bias: (C,).
        groups: number of groups of channels, which divides C.
        eps: what is added to the variance.
        silu: whether the activation follows.

    Returns:
        (B, C, H, W) like x.
    """
    if torch.is_grad_enabled():
        return _NormSilu.apply(x, weight.float(), bias.float(), groups, eps, silu)
    return _forward(x, weight.float(), bias.float(), groups, eps, silu)[0]


class _NormSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
        y, statistics = _forward(x, weight, bias, groups, eps, silu)
        ctx.save_for_backward(x, weight, bias, statistics)
        ctx.silu = silu
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, statistics = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx, partial_sums = torch.empty_like(x), _partial_sums(x)
        _call("norm_silu_gradient", (x, dy, dx, weight, bias, statistics, partial_sums), statistics.shape[1], ctx.silu)
        d_bias, d_weight = partial_sums.sum(dim=(0, 1)).float()
        return dx, d_weight, d_bias, None, None, None


def _forward(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> tuple[Tensor, Tensor]:
    y, statistics = torch.empty_like(x), torch.empty(len(x), groups, 2)
    _call("norm_silu", (x, y, weight, bias, statistics, _partial_sums(x)), groups, ctypes.c_float(eps), silu)
    return y, statistics


def _partial_sums(x: Tensor) -> Tensor:
    return torch.empty(len(x), torch.get_num_threads(), 2, x.shape[1], dtype=torch.float64)


def _call(name: str, tensors: tuple[Tensor, ...], groups: int, *options: Any) -> None:
    x = tensors[0]
    batch, channels, height, width = x.shape
    function = getattr(build.library("group_norm_silu"), f"{name}_{_TYPES[x.dtype]}")
    build.call(function, tensors, (batch, height * width, channels, groups), *options)
