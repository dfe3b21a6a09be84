"""From a full-size picture to the model and back: the region round the mask is painted and blended in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from sdedit.diffusion.algorithms import edit
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.source_image import Source
from sdedit.io.tensors import to_picture, to_tensor
from sdedit.pipelines.crop import Plan
from sdedit.pipelines.mask import fade


def region_guide(source: Source, altered: np.ndarray, plan: Plan) -> Image.Image:
    """What the model is given: the region of the altered picture (H, W, C) uint8, in sRGB at the model's size."""
    return source.srgb(plan.box, altered).resize(plan.size, Image.Resampling.LANCZOS)


def change_region(
    model: ScoreModel,
    source: Source,
    altered: np.ndarray,
    mask: np.ndarray,
    detail: np.ndarray,
    plan: Plan,
    t0: float,
    sampling: Sampling,
    seed: int,
    repeats: int = 1,
    feather: float | None = None,
    on_step: Callable[[Step], object] = lambda step: None,
) -> tuple[Image.Image, Image.Image]:
    """Take the region through Algorithm 3 and blend what came out into the source, inside the mask only.

    What the model has no pixels for, detail finer than its own grid, is taken from the altered picture again where
    `detail` says so; elsewhere the enlarged painting stands as it is.

    Args:
        model: the score model.
        source: the picture to change.
        altered: its colours (H, W, C) uint8 with strokes or pasted parts on them.
        mask: (H, W) float32 in [0, 1], not empty; 1 may change fully.
        detail: (H, W) float32 in [0, 1], how much of the altered picture's fine detail is kept.
        plan: as from `plan_region`.
        t0: as in `sdedit.paint`, like seed, repeats and on_step.
        sampling: how the reverse SDE is solved.
        feather: over how many pixels inside the mask the painted part fades into the source; None is two of the
            model's pixels.

    Returns:
        The picture in the source's mode and size, its pixels bit for bit where the mask is 0; and the region as it
        came from the model, in sRGB at the model's size.
    """
    left, top, right, bottom = plan.box
    here = np.s_[top:bottom, left:right]
    guide = region_guide(source, altered, plan)
    small_mask = torch.from_numpy(_shrink_mask(mask[here], plan.size))[None, None]
    sigmas = model.schedule.sigmas(t0, sampling.n_sigmas, sampling.grid)
    generator = torch.Generator().manual_seed(seed)
    pixels = edit(model, to_tensor(guide)[None], small_mask, sigmas, [generator], sampling.sampler, repeats, on_step)[0]
    painted = to_picture(pixels)

    full = (right - left, bottom - top)
    patch = _resize(source.from_srgb(painted), full)
    before = altered[here].astype(np.float32)
    fine = before - _resize(_resize(before, plan.size), full)
    patch += detail[here][..., None] * fine
    weight = fade(mask[here], 2 * plan.scale if feather is None else feather)[..., None]
    colours = source.colours().copy()
    kept = colours[here].astype(np.float32)
    colours[here] = (kept + weight * (patch - kept)).round().clip(0, 255).astype(np.uint8)
    return source.with_colours(colours), painted


def _shrink_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask at (width, height): for each pixel, the mean of what it covers that is above 0."""
    some = _resize((mask > 0)[..., None].astype(np.float32), size, Image.Resampling.BOX)[..., 0]
    mean = _resize(mask[..., None], size, Image.Resampling.BOX)[..., 0]
    return np.where(some > 0, mean / np.maximum(some, 1e-9), 0).clip(0, 1)


def _resize(
    channels: np.ndarray, size: tuple[int, int], method: Image.Resampling = Image.Resampling.LANCZOS
) -> np.ndarray:
    """(H, W, C) -> (height, width, C) float32 without rounding, for a size of (width, height)."""
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in channels.astype(np.float32).transpose(2, 0, 1)]
    return np.stack([np.asarray(plane.resize(size, method)) for plane in planes], axis=2)
