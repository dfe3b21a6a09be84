"""Crop, inpaint, blend back: the region round a mask goes through the model, and the rest stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from sdedit.diffusion.algorithms import inpaint
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.tensors import to_image, to_tensor
from sdedit.pipelines import mask as masks
from sdedit.pipelines.overlay import Overlay


def crop_guide(overlay: Overlay) -> Image.Image:
    """What the model is given: the crop of the image with its overlay, in sRGB at the model's size."""
    return overlay.source.srgb(overlay.crop.box, overlay.colours).resize(overlay.crop.size, Image.Resampling.LANCZOS)


def inpaint_crop(
    model: ScoreModel,
    overlay: Overlay,
    t0: float,
    sampling: Sampling,
    seed: int,
    repeats: int = 1,
    feather: float | None = None,
    on_step: Callable[[Step], object] = lambda step: None,
) -> tuple[Image.Image, Image.Image]:
    """Take the crop through Algorithm 3 and blend what came out into the source, inside the mask only.

    What the model has no pixels for, detail finer than its own grid, is taken from the image with its overlay again
    where `detail_weight` says so; elsewhere the enlarged painting stands as it is.

    Args:
        model: the score model.
        overlay: the image to change, with strokes or a pasted part on it.
        t0: as in `sdedit.paint`, like seed, repeats and on_step.
        sampling: how the reverse SDE is solved.
        feather: over how many pixels inside the mask the painted part fades into the source; None is two of the
            model's pixels.

    Returns:
        The image in the source's mode and size, its pixels bit for bit where the mask is 0; and the crop as it came
        from the model, in sRGB at the model's size.
    """
    source, crop = overlay.source, overlay.crop
    left, top, right, bottom = crop.box
    here = np.s_[top:bottom, left:right]
    guide = crop_guide(overlay)
    small_mask = torch.from_numpy(_shrink_mask(overlay.mask[here], crop.size))[None, None]
    sigmas = model.schedule.sigmas(t0, sampling.n_sigmas, sampling.grid)
    generator = torch.Generator().manual_seed(seed)
    pixels = inpaint(model, to_tensor(guide)[None], small_mask, sigmas, [generator], sampling.sampler, repeats, on_step)
    painted = to_image(pixels[0])

    full = (right - left, bottom - top)
    patch = _resize(source.from_srgb(painted), full)
    before = overlay.colours[here].astype(np.float32)
    fine = before - _resize(_resize(before, crop.size), full)
    patch += overlay.detail_weight[here][..., None] * fine
    weight = masks.feather(overlay.mask[here], 2 * crop.scale if feather is None else feather)[..., None]
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
