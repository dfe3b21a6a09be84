"""Parts of the network on a GPU with gradients, by the kernels of `triton_kernels` and `triton_gradients`.

Each part reads and writes its maps as few times as it can: training is bound by that wherever channels are few.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from sdedit.diffusion.kernels import triton_ops

_PROGRAMS = 2048  # that share the work on a map: several times as many as a GPU runs at once
_ROWS, _CHANNELS, _WARPS = 64, 64, 8  # of a tile


def supports(x: Tensor) -> bool:
    """Whether there are kernels for x (B, C, H, W), with gradients: on a GPU and in channels_last."""
    return (
        x.device.type == "cuda"
        and x.dtype in (torch.float32, torch.bfloat16)
        and torch.is_grad_enabled()
        and x.is_contiguous(memory_format=torch.channels_last)
        and is_available(x.device)
    )


@functools.cache
def is_available(device: torch.device) -> bool:
    """True if Triton can compile these kernels for this GPU (tried once, then cached)."""
    if not triton_ops.is_available(device):
        return False
    try:
        x = torch.zeros(1, 16, 2, 2, device=device).to(memory_format=torch.channels_last).requires_grad_()
        scale = torch.ones(16, device=device)
        with torch.enable_grad():
            y, _ = norm_silu(x, scale, scale, 4, 1e-6, True, None)
            torch.autograd.grad(residual_sum(y, scale, x, 0.5).sum(), x)
    except Exception:  # of many kinds, as there
        return False
    return True


def norm_silu(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool, shifts: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """As `triton_ops.norm_silu`, with gradients, and x itself for what goes past the normalisation.

    Where x is used again it should be this one: its gradient is then added in the same pass over memory.

    Args:
        x: (B, C, H, W) that `supports` accepts.
        weight, bias, shifts: float32.
    """
    before, shift = shifts or (None, None)
    y, past = _NormSilu.apply(x, weight, bias, before, shift, groups, eps, silu)
    return y, past


class _NormSilu(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        before: Tensor | None,
        shift: Tensor | None,
        groups: int,
        eps: float,
        silu: bool,
    ) -> tuple[Tensor, Tensor]:
        shifts = None if before is None or shift is None else (before, shift)
        y, factors, normals = triton_ops.norm_silu_in_parts(
            x, weight, bias, groups, eps, silu, shifts, _tiling(x), saved=True
        )
        ctx.save_for_backward(x, weight, factors, normals)
        ctx.groups, ctx.silu, ctx.shifts = groups, silu, 0 if shift is None else len(shift)
        ctx.set_materialize_grads(False)
        return y, x

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, beside: Tensor | None) -> tuple[Tensor | None, ...]:
        if dy is None:
            return (beside, *[None] * 7)
        x, weight, factors, normals = ctx.saved_tensors
        dx, gradients = norm_silu_gradient(x, dy, beside, weight, factors, normals, ctx.groups, ctx.silu)
        d_bias, d_weight, d_before = gradients.sum(dim=0)
        if ctx.shifts == 0:
            return dx, d_weight, d_bias, *[None] * 5
        d_shift = d_before[None] if ctx.shifts == 1 else gradients[:, 2]
        return dx, d_weight, d_bias, d_before, d_shift, None, None, None


def norm_silu_gradient(
    x: Tensor,
    dy: Tensor,
    beside: Tensor | None,
    weight: Tensor,
    factors: Tensor,
    normals: Tensor,
    groups: int,
    silu: bool,
) -> tuple[Tensor, Tensor]:
    """The gradient that reaches x, `beside` added, and those of bias, weight and shifts, (B, 3, C) for each image."""
    from triton import cdiv

    from sdedit.diffusion.kernels import triton_gradients as kernels

    batch, channels, height, across = x.shape
    pixels, width = height * across, channels // groups
    rows, together, part_pixels, parts = _tiling(x)
    grid = batch, parts, cdiv(channels, together)
    tile = {"SILU": silu, "ROWS": rows, "CHANNELS": together, "num_warps": _WARPS}
    dy = dy.contiguous(memory_format=torch.channels_last)
    added = dy if beside is None else beside.contiguous(memory_format=torch.channels_last)
    dx = torch.empty_like(x)
    sums = torch.empty(batch, parts, 3, channels, device=x.device)
    coefficients = torch.empty(batch, 3, channels, device=x.device)
    gradients = torch.empty_like(coefficients)
    with torch.cuda.device_of(x):
        kernels.norm_gradient_sums[grid](x, dy, factors, normals, sums, pixels, channels, part_pixels, **tile)
        kernels.norm_gradient_factors[batch, groups](
            sums, normals, weight, coefficients, gradients, pixels, channels, parts, width,
            PARTS=triton_ops.power_of_2(parts), WIDTH=triton_ops.power_of_2(width, 8),
        )  # fmt: skip
        kernels.norm_gradient_apply[grid](
            x, dy, added, dx, factors, coefficients, pixels, channels, part_pixels, ADDED=beside is not None, **tile
        )
    return dx, gradients


def _tiling(x: Tensor) -> triton_ops.Tiling:
    programs = _PROGRAMS // (len(x) * -(-x.shape[1] // _CHANNELS))
    return triton_ops.tile_map(x.shape[2:].numel(), _ROWS, _CHANNELS, max(1, programs))


def residual_sum(h: Tensor, bias: Tensor, residual: Tensor | None, scale: float) -> Tensor:
    """scale (h + bias + residual), with gradients, for h (B, C, H, W) that `supports` accepts; bias is float32.

    residual: (B, C, H, W); None is 0.
    """
    return _ResidualSum.apply(h, bias, residual, scale)


class _ResidualSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, bias: Tensor, residual: Tensor | None, scale: float) -> Tensor:
        ctx.scale, ctx.has_residual = scale, residual is not None
        return triton_ops.scale_bias_add(h, scale, bias, residual, scale, in_place=False)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        scaled, d_bias = residual_sum_gradient(dy, ctx.scale)
        return scaled, d_bias, scaled if ctx.has_residual else None, None


def residual_sum_gradient(dy: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """scale dy (B, C, H, W), in channels_last, and its sum (C,) for each channel."""
    from triton import cdiv

    from sdedit.diffusion.kernels import triton_gradients as kernels

    batch, channels, height, width = dy.shape
    stride = _pixel_stride(dy)
    if stride is None:
        dy = dy.contiguous(memory_format=torch.channels_last)
        stride = channels
    pixels = batch * height * width
    rows, together, part_rows, parts = triton_ops.tile_map(pixels, _ROWS, _CHANNELS, _PROGRAMS)
    whole = scale == 1 and stride == channels
    scaled = dy if whole else torch.empty(dy.shape, dtype=dy.dtype, device=dy.device, memory_format=torch.channels_last)
    sums = torch.empty(parts, channels, device=dy.device)
    with torch.cuda.device_of(dy):
        kernels.sum_gradient[parts, cdiv(channels, together)](
            dy, scaled, sums, pixels, stride, channels, part_rows, scale,
            SCALED=not whole, ROWS=rows, CHANNELS=together, num_warps=_WARPS,
        )  # fmt: skip
    return scaled, sums.sum(dim=0)


def _pixel_stride(x: Tensor) -> int | None:
    """How far the pixels of x lie apart if it is a map in channels_last, or some channels of one; None elsewhere.

    The gradient of one of two maps that were joined is such a part of the joined map's, and need not be copied.
    """
    batch, channels, height, width = x.shape
    apart = x.stride(3)
    expected = (height * width * apart, 1, width * apart, apart)
    sizes = (batch, channels, height, width)
    same = all(size == 1 or stride == other for size, stride, other in zip(sizes, x.stride(), expected, strict=True))
    return apart if same and width > 1 and apart >= channels else None


def fir_down(x: Tensor, stride: int, padding: int) -> Tensor:
    """As `triton_ops.fir_down`, with gradients: stride 2 with padding 1, or stride 1 with padding 2."""
    return _FIRDown.apply(x, stride, padding)


def fir_up(x: Tensor) -> Tensor:
    """As `triton_ops.fir_up`, with gradients."""
    return _FIRUp.apply(x)


class _FIRDown(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int, padding: int) -> Tensor:
        ctx.stride = stride
        return triton_ops.fir_down(x, stride, padding)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        dy = dy.contiguous(memory_format=torch.channels_last)
        # The filter is symmetric: its transpose is itself, between zeros where it left out every other pixel.
        return triton_ops.fir_up(dy) / 4 if ctx.stride == 2 else triton_ops.fir_down(dy, 1, 1), None, None


class _FIRUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return triton_ops.fir_up(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        return triton_ops.fir_down(dy.contiguous(memory_format=torch.channels_last), 2, 1) * 4
