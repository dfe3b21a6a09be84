"""Images larger than the model's native size, painted coarse to fine.

A score model knows scenes at the size it was trained at. On a larger canvas one pass sees no further than before: rocks
come out as gravel, and the layout stays that of flat strokes. So the guide is painted at the native size first; the
result is enlarged by a factor of at most two, given the detail that the guide has at that size, and painted again from
less noise, up to the size that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.algorithms import Denoiser, pad, synthesise
from sdedit.diffusion.reverse_sde import Generators, Step
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.schedule import Schedule

# A pass starts at this share of the way in ln sigma, from a noise level that no image shows, of the pass before: for
# variance-exploding schedules, which begin at that level, the same share of t0. Stated in sigma, which means the
# same to every model, where t0 does not.
REPAINT = 0.75
_NO_NOISE = 0.01
_CLOSE = 0.1  # octaves above the native size that need no pass of their own


class SizedDenoiser(Denoiser, Protocol):
    """A denoiser that was trained on images of one height and width, in pixels."""

    @property
    def native_size(self) -> int: ...


def pass_count(model: SizedDenoiser, shorter_side: int) -> int:
    """How many passes an image takes by default: one at the native size, and one for each doubling from there."""
    multiple = model.size_multiple
    padded = -(-shorter_side // multiple) * multiple  # so that it is the same in a batch of like sizes
    return 1 + max(0, math.ceil(math.log2(padded / model.native_size) - _CLOSE))


def sampling_in_passes(sampling: Sampling, passes: int) -> Sampling:
    """How the first of so many passes is sampled: in several, `er-sde-churn` is `er-sde`.

    Churn exaggerates a little, which from pass to pass adds up to garish colours.
    """
    if passes > 1 and sampling.sampler == "er-sde-churn":
        return replace(sampling, sampler="er-sde")
    return sampling


def sampling_again(sampling: Sampling) -> Sampling:
    """How each further pass is sampled: half the steps, since it begins with less noise."""
    steps = -(-sampling.steps // 2)
    return replace(sampling, steps=steps + (sampling.sampler == "heun" and steps % 2 == 0))


def evaluations(sampling: Sampling, passes: int) -> int:
    """Network evaluations of so many passes."""
    return sampling.steps + (passes - 1) * sampling_again(sampling).steps


def repaint_time(schedule: Schedule, t0: float) -> float:
    """The start time of the pass after one from t0, at sigma^REPAINT .01^(1 - REPAINT) for its sigma."""
    sigma = schedule.sigma(t0)
    wanted = sigma**REPAINT * _NO_NOISE ** (1 - REPAINT)
    return schedule.t(min(max(wanted, schedule.sigma_min), sigma))


@torch.inference_mode()
def synthesise_coarse_to_fine(
    model: SizedDenoiser,
    guide: Tensor,
    t0: float,
    sampling: Sampling,
    generator: Generators,
    repeats: int = 1,
    passes: int | None = None,
    on_step: Callable[[Step], object] | None = None,
) -> Tensor:
    """Stroke-based synthesis at any size; with one pass, `sdedit.diffusion.algorithms.synthesise`.

    Args:
        model: the denoiser, such as a score model.
        guide: (B, 3, H, W) float32 in [0, 1].
        t0: start time of the first pass, in (0, 1]; for each further one see `repaint_time`.
        sampling: how the reverse SDE is solved; see `sampling_in_passes`.
        generator: source of the noise, one for the batch or one per image.
        repeats: K of Algorithm 2, in each pass.
        passes: at so many sizes, their shorter sides in a geometric row from the native size; None is `pass_count`.
            One pass is at full size.
        on_step: called after each network evaluation, with the state at the size of its pass.

    Returns:
        (B, 3, H, W) float32 in [0, 1], on the model's device.

    Raises:
        ValueError: if t0 or passes is out of range.
    """
    height, width = guide.shape[-2:]
    passes = pass_count(model, min(height, width)) if passes is None else passes
    if passes < 1:
        raise ValueError(f"passes must be at least 1, not {passes}")

    sampling = sampling_in_passes(sampling, passes)

    def paint(x: Tensor, t0: float, sampling: Sampling) -> Tensor:
        levels = model.schedule.sigmas(t0, sampling.n_sigmas, sampling.grid)
        return synthesise(model, x, levels, generator, sampling.sampler, repeats, on_step)

    full = pad(guide, model)
    coarse = _coarse_sizes(full.shape[-2], full.shape[-1], model, passes)
    guides = [*(_resize(full, size) for size in coarse), full]
    painted = paint(guides[0], t0, sampling)
    for before, here in pairwise(guides):
        t0 = repaint_time(model.schedule, t0)
        size = (here.shape[-2], here.shape[-1])
        detail = here - _resize(before, size)
        painted = paint((_resize(painted, size) + detail).clamp(0, 1), t0, sampling_again(sampling))
    return painted[..., :height, :width]


def _coarse_sizes(height: int, width: int, model: SizedDenoiser, passes: int) -> list[tuple[int, int]]:
    """(height, width) of each pass but the last, multiples of what the network takes."""
    multiple = model.size_multiple
    ratio = model.native_size / min(height, width)

    def shrunk(side: int, number: int) -> int:
        return max(1, round(side * ratio ** (1 - number / (passes - 1)) / multiple)) * multiple

    return [(shrunk(height, number), shrunk(width, number)) for number in range(passes - 1)]


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(images, size, mode="bicubic", align_corners=False, antialias=True)
