"""Parts of the network on a GPU, by the kernels of `triton_kernels`, which are compiled at their first use.

torch has no group normalisation, no filter and no interpolation that is fast in channels_last, the layout convolutions
are fast in: with them the network takes several times as long as its convolutions.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

_TYPES = (torch.float32, torch.bfloat16, torch.float16)
# As measured on an H100.
_SMALL = 8192  # values of a group of channels, up to which one program takes all of them
_MOST_PARTS, _LEAST_PARTS = 256, 64  # of an image's pixels otherwise; fewer in a batch
_TILE = 4096  # values that a program looks at together
_BLOCK, _WARPS = 1024, 8


def supports(x: Tensor) -> bool:
    """Whether there are kernels for x (B, C, H, W): on a GPU, in channels_last, without gradients."""
    return (
        x.device.type == "cuda"
        and x.dtype in _TYPES
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.is_contiguous(memory_format=torch.channels_last)
        and is_available(x.device)
    )


@functools.cache
def is_available(device: torch.device) -> bool:
    """True if Triton can compile kernels for this GPU (tried once, then cached)."""
    try:
        fir_up(torch.zeros(1, 16, 2, 2, device=device))
    except Exception:  # of many kinds: no Triton, no C compiler, a GPU it does not know
        return False
    return True


def norm_silu(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool, shifts: tuple[Tensor, Tensor] | None
) -> Tensor:
    """As `group_norm_silu.norm_silu` without gradients, of x + shifts, for an x that `supports` accepts.

    shifts are two summands for each channel, (C,) and (B, C) or (1, C).
    """
    from triton import next_power_of_2

    from sdedit.diffusion.kernels import triton_kernels as kernels

    batch, channels, height, across = x.shape
    pixels, width = height * across, channels // groups
    tile = next_power_of_2(pixels) * next_power_of_2(width)
    if tile > _SMALL:
        rows = max(1, _TILE // next_power_of_2(channels))
        tiling = tile_map(pixels, rows, next_power_of_2(channels), max(_LEAST_PARTS, _MOST_PARTS // batch))
        return norm_silu_in_parts(x, weight, bias, groups, eps, silu, shifts, tiling, saved=False)[0]
    y = torch.empty_like(x)
    with torch.cuda.device_of(x):
        kernels.norm_small[batch, groups](
            x, y, *_affine(weight, bias, shifts), pixels, channels, width, eps,
            SILU=silu, SHIFTED=shifts is not None, PIXELS=next_power_of_2(pixels), WIDTH=next_power_of_2(width),
            num_warps=max(1, min(16, tile // 512)),
        )  # fmt: skip
    return y


class Tiling(NamedTuple):
    """How the pixels of a map are shared out to programs."""

    rows: int  # pixels that a program looks at together
    channels: int  # of them
    part_pixels: int  # that a program takes in all
    parts: int  # programs for all pixels


def tile_map(pixels: int, rows: int, channels: int, most: int) -> Tiling:
    """For tiles of so many rows and channels, with at most `most` parts."""
    parts = min(most, -(-pixels // rows))
    part_pixels = -(-pixels // parts)
    return Tiling(rows, channels, part_pixels, -(-pixels // part_pixels))


def norm_silu_in_parts(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    groups: int,
    eps: float,
    silu: bool,
    shifts: tuple[Tensor, Tensor] | None,
    tiling: Tiling,
    saved: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """As `norm_silu`, with the pixels of each image shared out to several programs.

    Returns:
        The result; factor and summand (B, 2, C) that make it of x before the activation; and, if `saved`, those that
        normalise x without weight and bias.
    """
    from triton import cdiv

    from sdedit.diffusion.kernels import triton_kernels as kernels

    batch, channels, height, across = x.shape
    pixels, width = height * across, channels // groups
    rows, together, part_pixels, parts = tiling
    y = torch.empty_like(x)
    moments = torch.empty(batch, parts, 2, channels, device=x.device)
    factors = torch.empty(batch, 2, channels, device=x.device)
    normals = torch.empty_like(factors) if saved else factors
    with torch.cuda.device_of(x):
        kernels.channel_moments[batch, parts, cdiv(channels, together)](
            x, moments, pixels, channels, part_pixels, ROWS=rows, CHANNELS=together
        )
        kernels.group_factors[batch, groups](
            moments, factors, normals, *_affine(weight, bias, shifts), pixels, channels, part_pixels, parts, width, eps,
            SHIFTED=shifts is not None, SAVED=saved, PARTS=power_of_2(parts), WIDTH=power_of_2(width, 8),
        )  # fmt: skip
        size = pixels * channels
        kernels.norm_apply[cdiv(size, _BLOCK), batch](
            x, y, factors, size, channels, SILU=silu, BLOCK=_BLOCK, num_warps=_WARPS
        )
    return y, factors, normals


def power_of_2(number: int, least: int = 32) -> int:
    """The next power of 2, and at least `least`: kernels for less would be others, and no faster."""
    from triton import next_power_of_2

    return max(least, next_power_of_2(number))


def _affine(
    weight: Tensor, bias: Tensor, shifts: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """Weight, bias, both shifts and how far those of two images lie apart, as kernels take them."""
    before, shift = shifts or (bias, bias[None])
    return weight, bias, before, shift.contiguous(), shift.shape[1] if len(shift) > 1 else 0


def scale_bias_add(
    h: Tensor,
    scale: float,
    bias: Tensor,
    residual: Tensor | None,
    residual_scale: float = 1.0,
    in_place: bool = True,
) -> Tensor:
    """scale * (h + bias) + residual_scale * residual.

    Args:
        h: (B, C, H, W) that `supports` accepts.
        scale: a factor.
        bias: (C,).
        residual: (B, C, H, W).
        residual_scale: its factor.
        in_place: whether the result takes h's place.
    """
    from triton import cdiv

    from sdedit.diffusion.kernels import triton_kernels as kernels

    batch, channels, height, width = h.shape
    size = channels * height * width
    added = h if residual is None else residual.contiguous(memory_format=torch.channels_last)
    y = h if in_place else torch.empty_like(h)
    with torch.cuda.device_of(h):
        kernels.scale_bias_add[cdiv(size, _BLOCK), batch](
            h, y, bias, added, scale, residual_scale, size, channels,
            ADDED=residual is not None, BLOCK=_BLOCK, num_warps=_WARPS,
        )  # fmt: skip
    return y


def fir_down(x: Tensor, stride: int, padding: int) -> Tensor:
    """As `resample.FIRDown`, of an x that `supports` accepts."""
    from triton import cdiv

    from sdedit.diffusion.kernels import triton_kernels as kernels

    batch, channels, height, width = x.shape
    out_height, out_width = ((side + 2 * padding - 4) // stride + 1 for side in (height, width))
    y = _empty(x, out_height, out_width)
    with torch.cuda.device_of(x):
        kernels.fir_down[cdiv(out_width * channels, _BLOCK), out_height, batch](
            x, y, height, width, out_width, channels, STRIDE=stride, PADDING=padding, BLOCK=_BLOCK
        )
    return y


def fir_up(x: Tensor) -> Tensor:
    """As `resample.FIRUp`, of an x that `supports` accepts."""
    from triton import cdiv

    from sdedit.diffusion.kernels import triton_kernels as kernels

    batch, channels, height, width = x.shape
    y = _empty(x, 2 * height, 2 * width)
    with torch.cuda.device_of(x):
        kernels.fir_up[cdiv(2 * width * channels, _BLOCK), 2 * height, batch](
            x, y, height, width, channels, BLOCK=_BLOCK
        )
    return y


def _empty(like: Tensor, height: int, width: int) -> Tensor:
    size = (*like.shape[:2], height, width)
    return torch.empty(size, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
