"""Kernels of the network's gradients on a GPU, for feature maps (B, C, H, W) in channels_last.

A map is read as in `triton_kernels`: rows of C values, one for each pixel, in tiles of ROWS pixels by CHANNELS
channels. All arithmetic and all sums are float32. Numbers that do not say where rows begin are kept out of what a
kernel is compiled for: kernels are made when a run starts, and should be few.

Group normalisation, for a channel c of a group g of one image, with its summands already in `offset`:

    n = x inverse + offset        (x - mean_g) / sqrt(var_g + eps)
    u = x factor + summand        n weight + bias
    y = u or silu(u)

    du = dy or dy silu'(u)
    dx = inverse (weight du - mean_g(weight du) - n mean_g(weight du n))
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _du(x, dy, factor, summand, SILU: tl.constexpr):
    if SILU:
        u = x * factor + summand
        s = 1.0 / (1.0 + tl.exp(-u))
        dy *= s * (1.0 + u * (1.0 - s))
    return dy


@triton.jit(do_not_specialize=["pixels", "part_pixels", "parts", "width"])
def norm_gradient_sums(
    x,
    dy,
    factors,
    normals,
    sums,
    pixels,
    channels,
    part_pixels,
    SILU: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """For one part of an image's pixels, each channel's sums of du, of du n and of n."""
    image, part, parts = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < channels
    of_image = image * 2 * channels + channel
    factor = tl.load(factors + of_image, mask=known, other=0.0)[None, :]
    summand = tl.load(factors + of_image + channels, mask=known, other=0.0)[None, :]
    inverse = tl.load(normals + of_image, mask=known, other=0.0)[None, :]
    offset = tl.load(normals + of_image + channels, mask=known, other=0.0)[None, :]
    plain = tl.zeros([ROWS, CHANNELS], tl.float32)
    along = tl.zeros([ROWS, CHANNELS], tl.float32)
    total = tl.zeros([ROWS, CHANNELS], tl.float32)
    last = tl.minimum((part + 1) * part_pixels, pixels)
    for start in range(part * part_pixels, last, ROWS):
        pixel = start + tl.arange(0, ROWS)[:, None]
        inside = (pixel < last) & known[None, :]
        at = (image * pixels + pixel) * channels + channel[None, :]
        v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        du = _du(v, tl.load(dy + at, mask=inside, other=0.0).to(tl.float32), factor, summand, SILU)
        n = tl.where(inside, v * inverse + offset, 0.0)
        plain += du
        along += du * n
        total += n
    at = sums + (image * parts + part) * 3 * channels + channel
    tl.store(at, tl.sum(plain, 0), mask=known)
    tl.store(at + channels, tl.sum(along, 0), mask=known)
    tl.store(at + 2 * channels, tl.sum(total, 0), mask=known)


@triton.jit(do_not_specialize=["pixels", "part_pixels", "parts", "width"])
def norm_gradient_factors(
    sums,
    normals,
    weight,
    coefficients,
    gradients,
    pixels,
    channels,
    parts,
    width,
    PARTS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """From the sums of all parts, for each channel of one group of one image: the coefficients of
    dx = a du + b x + c, and the image's share of the gradients of bias, weight and summands, which is the sum of dx.
    """
    image, group = tl.program_id(0).to(tl.int64), tl.program_id(1)
    part, channel = tl.arange(0, PARTS)[:, None], group * width + tl.arange(0, WIDTH)
    known = tl.arange(0, WIDTH) < width
    inside = (part < parts) & known[None, :]
    at = sums + (image * parts + part) * 3 * channels + channel[None, :]
    plain = tl.sum(tl.load(at, mask=inside, other=0.0), 0)
    along = tl.sum(tl.load(at + channels, mask=inside, other=0.0), 0)
    total = tl.sum(tl.load(at + 2 * channels, mask=inside, other=0.0), 0)
    of_image = image * 2 * channels + channel
    inverse = tl.load(normals + of_image, mask=known, other=0.0)
    offset = tl.load(normals + of_image + channels, mask=known, other=0.0)
    w = tl.load(weight + channel, mask=known, other=0.0).to(tl.float32)
    count = (pixels * width).to(tl.float32)
    mean_plain = tl.sum(w * plain) / count
    mean_along = tl.sum(w * along) / count
    shared = inverse * (w * plain - pixels * mean_plain - mean_along * total)
    at = image * 3 * channels + channel
    tl.store(coefficients + at, inverse * w, mask=known)
    tl.store(coefficients + at + channels, -inverse * inverse * mean_along, mask=known)
    tl.store(coefficients + at + 2 * channels, -inverse * (mean_plain + offset * mean_along), mask=known)
    tl.store(gradients + at, plain, mask=known)
    tl.store(gradients + at + channels, along, mask=known)
    tl.store(gradients + at + 2 * channels, shared, mask=known)


@triton.jit(do_not_specialize=["pixels", "part_pixels", "parts", "width"])
def norm_gradient_apply(
    x,
    dy,
    beside,
    dx,
    factors,
    coefficients,
    pixels,
    channels,
    part_pixels,
    SILU: tl.constexpr,
    ADDED: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """dx = a du + b x + c, and `beside` added: the gradient that reaches x past the normalisation."""
    image, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < channels
    of_image = image * 2 * channels + channel
    factor = tl.load(factors + of_image, mask=known, other=0.0)[None, :]
    summand = tl.load(factors + of_image + channels, mask=known, other=0.0)[None, :]
    of_image = image * 3 * channels + channel
    a = tl.load(coefficients + of_image, mask=known, other=0.0)[None, :]
    b = tl.load(coefficients + of_image + channels, mask=known, other=0.0)[None, :]
    c = tl.load(coefficients + of_image + 2 * channels, mask=known, other=0.0)[None, :]
    last = tl.minimum((part + 1) * part_pixels, pixels)
    for start in range(part * part_pixels, last, ROWS):
        pixel = start + tl.arange(0, ROWS)[:, None]
        inside = (pixel < last) & known[None, :]
        at = (image * pixels + pixel) * channels + channel[None, :]
        v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        du = _du(v, tl.load(dy + at, mask=inside, other=0.0).to(tl.float32), factor, summand, SILU)
        v = a * du + b * v + c
        if ADDED:
            v += tl.load(beside + at, mask=inside, other=0.0).to(tl.float32)
        tl.store(dx + at, v.to(dx.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["rows", "part_rows"])
def sum_gradient(
    dy,
    scaled,
    sums,
    rows,
    row_stride,
    channels,
    part_rows,
    scale,
    SCALED: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """For a part of all pixels of all images: scale dy, and its sum for each channel. Rows of dy may lie apart."""
    part = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < channels
    total = tl.zeros([ROWS, CHANNELS], tl.float32)
    last = tl.minimum((part + 1) * part_rows, rows)
    for start in range(part * part_rows, last, ROWS):
        row = start + tl.arange(0, ROWS)[:, None]
        inside = (row < last) & known[None, :]
        v = scale * tl.load(dy + row * row_stride + channel[None, :], mask=inside, other=0.0).to(tl.float32)
        total += v
        if SCALED:
            tl.store(scaled + row * channels + channel[None, :], v.to(scaled.dtype.element_ty), mask=inside)
    tl.store(sums + part * channels + channel, tl.sum(total, 0), mask=known)
