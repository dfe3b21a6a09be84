"""Kernels of the network on a GPU, for feature maps (B, C, H, W) in channels_last; `triton_ops` launches them.

A map of one image is read as rows of C values, one for each pixel. All sums are float32, whatever the type of a map.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _shift(before, shift, channel, known):
    """What is added to each channel before it is normalised."""
    moved = tl.load(before + channel, mask=known, other=0.0).to(tl.float32)
    return moved + tl.load(shift + channel, mask=known, other=0.0).to(tl.float32)


@triton.jit
def norm_small(
    x,
    y,
    weight,
    bias,
    before,
    shift,
    shift_stride,
    pixels,
    channels,
    width,
    eps,
    SILU: tl.constexpr,
    SHIFTED: tl.constexpr,
    PIXELS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Group normalisation of one group of `width` channels of one image, which fits into one program."""
    image, group = tl.program_id(0).to(tl.int64), tl.program_id(1)
    pixel, channel = tl.arange(0, PIXELS)[:, None], tl.arange(0, WIDTH)[None, :]
    inside = (pixel < pixels) & (channel < width)
    at = (image * pixels + pixel) * channels + group * width + channel
    v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    if SHIFTED:
        v += _shift(before, shift + image * shift_stride, group * width + channel, channel < width)
    v = tl.where(inside, v, 0.0)
    count = (pixels * width).to(tl.float32)
    v = tl.where(inside, v - tl.sum(v) / count, 0.0)
    v = v / tl.sqrt(tl.sum(v * v) / count + eps)
    known = channel < width
    v = v * tl.load(weight + group * width + channel, mask=known).to(tl.float32)
    v += tl.load(bias + group * width + channel, mask=known).to(tl.float32)
    if SILU:
        v = v / (1.0 + tl.exp(-v))
    tl.store(y + at, v.to(y.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["pixels", "part_pixels"])
def channel_moments(x, moments, pixels, channels, part_pixels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """For one part of an image's pixels, each channel's mean and sum of squared differences from it.

    Sums are of differences from the first pixel, so that no digits are lost far from zero.
    """
    image, part, parts = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < channels
    first = part * part_pixels
    last = tl.minimum(first + part_pixels, pixels)
    pilot = tl.load(x + (image * pixels + first) * channels + channel, mask=known, other=0.0).to(tl.float32)
    sums = tl.zeros([ROWS, CHANNELS], tl.float32)
    squares = tl.zeros([ROWS, CHANNELS], tl.float32)
    for start in range(first, last, ROWS):
        pixel = start + tl.arange(0, ROWS)
        inside = (pixel < last)[:, None] & known[None, :]
        at = (image * pixels + pixel[:, None]) * channels + channel[None, :]
        v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        v = tl.where(inside, v - pilot[None, :], 0.0)
        sums += v
        squares += v * v
    count = (last - first).to(tl.float32)
    apart = tl.sum(sums, 0) / count
    at = moments + (image * parts + part) * 2 * channels + channel
    tl.store(at, pilot + apart, mask=known)
    tl.store(at + channels, tl.sum(squares, 0) - apart * apart * count, mask=known)


@triton.jit(do_not_specialize=["pixels", "part_pixels", "parts", "width"])
def group_factors(
    moments,
    factors,
    normals,
    weight,
    bias,
    before,
    shift,
    shift_stride,
    pixels,
    channels,
    part_pixels,
    parts,
    width,
    eps,
    SHIFTED: tl.constexpr,
    SAVED: tl.constexpr,
    PARTS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """From the moments of all parts, the factor and the summand of each channel of one group of one image.

    For gradients those without weight and bias are saved too, as `normals`.
    """
    image, group = tl.program_id(0).to(tl.int64), tl.program_id(1)
    part, channel = tl.arange(0, PARTS)[:, None], tl.arange(0, WIDTH)
    inside = (part < parts) & (channel < width)[None, :]
    at = moments + (image * parts + part) * 2 * channels + group * width + channel[None, :]
    mean = tl.load(at, mask=inside, other=0.0)
    squares = tl.load(at + channels, mask=inside, other=0.0)
    moved = tl.zeros([WIDTH], tl.float32)
    if SHIFTED:
        moved = _shift(before, shift + image * shift_stride, group * width + channel, channel < width)
        mean += moved[None, :]
    here = tl.where(inside, tl.minimum(pixels - part * part_pixels, part_pixels), 0).to(tl.float32)
    count = (pixels * width).to(tl.float32)
    centre = tl.sum(here * mean) / count
    apart = mean - centre
    variance = tl.sum(squares + here * apart * apart) / count
    known = channel < width
    inverse = 1.0 / tl.sqrt(variance + eps)
    factor = tl.load(weight + group * width + channel, mask=known).to(tl.float32) * inverse
    summand = tl.load(bias + group * width + channel, mask=known).to(tl.float32) + (moved - centre) * factor
    at = image * 2 * channels + group * width + channel
    tl.store(factors + at, factor, mask=known)
    tl.store(factors + at + channels, summand, mask=known)
    if SAVED:
        tl.store(normals + at, inverse + tl.zeros([WIDTH], tl.float32), mask=known)
        tl.store(normals + at + channels, (moved - centre) * inverse, mask=known)


@triton.jit
def norm_apply(x, y, factors, size, channels, SILU: tl.constexpr, BLOCK: tl.constexpr):
    """factor * x + summand for `size` values of each image, and SiLU."""
    image, first = tl.program_id(1).to(tl.int64), tl.program_id(0).to(tl.int64) * BLOCK
    i = tl.arange(0, BLOCK)
    inside = first + i < size
    channel = ((first % channels).to(tl.int32) + i) % channels
    at = image * size + first + i
    v = tl.load(x + at, mask=inside).to(tl.float32)
    factor = factors + image * 2 * channels + channel
    v = v * tl.load(factor, mask=inside) + tl.load(factor + channels, mask=inside)
    if SILU:
        v = v / (1.0 + tl.exp(-v))
    tl.store(y + at, v.to(y.dtype.element_ty), mask=inside)


@triton.jit
def scale_bias_add(
    h, y, bias, residual, scale, residual_scale, size, channels, ADDED: tl.constexpr, BLOCK: tl.constexpr
):
    """y = scale * (h + bias) + residual_scale * residual, for `size` values of each image."""
    image, first = tl.program_id(1).to(tl.int64), tl.program_id(0).to(tl.int64) * BLOCK
    i = tl.arange(0, BLOCK)
    inside = first + i < size
    channel = ((first % channels).to(tl.int32) + i) % channels
    at = image * size + first + i
    v = tl.load(h + at, mask=inside).to(tl.float32)
    v = scale * (v + tl.load(bias + channel, mask=inside).to(tl.float32))
    if ADDED:
        v += residual_scale * tl.load(residual + at, mask=inside).to(tl.float32)
    tl.store(y + at, v.to(y.dtype.element_ty), mask=inside)


@triton.jit
def fir_down(
    x, y, height, width, out_width, channels, STRIDE: tl.constexpr, PADDING: tl.constexpr, BLOCK: tl.constexpr
):
    """A part of one row of one image, filtered with [1, 3, 3, 1] / 8 both ways; zeros beyond the edges."""
    row, image = tl.program_id(1), tl.program_id(2).to(tl.int64)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < out_width * channels
    column, channel = i // channels, i % channels
    total = tl.zeros([BLOCK], tl.float32)
    for tap_y in tl.static_range(4):
        for tap_x in tl.static_range(4):
            down, across = row * STRIDE + tap_y - PADDING, column * STRIDE + tap_x - PADDING
            there = inside & (down >= 0) & (down < height) & (across >= 0) & (across < width)
            at = ((image * height + down) * width + across) * channels + channel
            weight = (1 + 2 * (tap_y % 3 != 0)) * (1 + 2 * (tap_x % 3 != 0)) / 64
            total += weight * tl.load(x + at, mask=there, other=0.0).to(tl.float32)
    at = (image * tl.num_programs(1) + row) * out_width * channels + i
    tl.store(y + at, total.to(y.dtype.element_ty), mask=inside)


@triton.jit
def fir_up(x, y, height, width, channels, BLOCK: tl.constexpr):
    """A part of one row of one image at twice the size: each pixel of the two nearest ones, 3 to 1, both ways."""
    row, image = tl.program_id(1), tl.program_id(2).to(tl.int64)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < 2 * width * channels
    column, channel = i // channels, i % channels
    total = tl.zeros([BLOCK], tl.float32)
    for far_y in tl.static_range(2):
        for far_x in tl.static_range(2):
            down = row // 2 + far_y * (2 * (row % 2) - 1)
            across = column // 2 + far_x * (2 * (column % 2) - 1)
            there = inside & (down >= 0) & (down < height) & (across >= 0) & (across < width)
            at = ((image * height + down) * width + across) * channels + channel
            weight = (3 - 2 * far_y) * (3 - 2 * far_x) / 16
            total += weight * tl.load(x + at, mask=there, other=0.0).to(tl.float32)
    at = (image * tl.num_programs(1) + row) * 2 * width * channels + i
    tl.store(y + at, total.to(y.dtype.element_ty), mask=inside)
