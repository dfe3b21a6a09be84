"""From a full-size image to the model and back: the crop round the mask is painted and blended in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from sdedit.diffusion.algorithms import inpaint
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.source_image import SourceImage
from sdedit.io.tensors import to_image, to_tensor
from sdedit.pipelines.mask import feather, free_to_change
from sdedit.pipelines.overlay import Overlay


def inpaint_crop(
    model: ScoreModel,
    source: SourceImage,
    overlay: Overlay,
    t0: float,
    sampling: Sampling,
    seed: int,
    repeats: int = 1,
    rise: float | None = None,
    on_step: Callable[[Step], object] | None = None,
) -> Image.Image:
    """Take the crop through Algorithm 3 and blend what came out into the source, inside the mask only.

    Args:
        model: the score model.
        source: the image to change.
        overlay: what was laid over it, and where it may change.
        t0, seed, repeats, on_step: as in `sdedit.paint`.
        sampling: how the reverse SDE is solved.
        rise: `feather` of `CropOptions`.

    Returns:
        The image in the source's mode and size, its pixels bit for bit where the mask is 0.

    Raises:
        ValueError: if t0 or repeats is out of range.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    guide, mask = to_tensor(crop_guide(source, overlay))[None], torch.from_numpy(crop_mask(overlay))[None, None]
    sigmas = model.schedule.sigmas(t0, sampling.n_sigmas, sampling.grid)
    generator = torch.Generator().manual_seed(seed)
    painted = inpaint(model, guide, mask, sigmas, [generator], sampling.sampler, repeats, on_step)[0]
    return blend(source, overlay, to_image(painted), rise)


def crop_guide(source: SourceImage, overlay: Overlay) -> Image.Image:
    """What the model is given: the crop of the image with its overlay, in sRGB at the model's size."""
    return source.srgb(overlay.crop.box, overlay.colours).resize(overlay.crop.size, Image.Resampling.LANCZOS)


def crop_mask(overlay: Overlay) -> np.ndarray:
    """The crop's mask at the model's size, (H, W) float32 in [0, 1]: the mean of what each pixel covers above 0."""
    mask, size = overlay.mask[_within(overlay)], overlay.crop.size
    some = _resize((mask > 0)[..., None].astype(np.float32), size, Image.Resampling.BOX)[..., 0]
    mean = _resize(mask[..., None], size, Image.Resampling.BOX)[..., 0]
    return np.where(some > 0, mean / np.maximum(some, 1e-9), 0).clip(0, 1)


def blend(source: SourceImage, overlay: Overlay, painted: Image.Image, rise: float | None) -> Image.Image:
    """The image with the colours of `blend_colours`."""
    return source.with_colours(blend_colours(source, overlay, painted, rise))


def blend_colours(source: SourceImage, overlay: Overlay, painted: Image.Image, rise: float | None) -> np.ndarray:
    """The colours of the image with a painted crop blended in, inside the mask only.

    What the model has no pixels for, detail finer than its own grid, is taken from the overlay again where its
    `detail_weight` says so; elsewhere the enlarged painting stands as it is. Where the mask is below a half, the blend
    follows it down to nothing.

    Args:
        source: the image.
        overlay: what was laid over it.
        painted: the crop as it came from the model, RGB in sRGB at the model's size.
        rise: `feather` of `CropOptions`.

    Returns:
        (H, W, 1 or 3) uint8, or uint16 where the image has 16 bits.
    """
    crop, here = overlay.crop, _within(overlay)
    full = (crop.box[2] - crop.box[0], crop.box[3] - crop.box[1])
    patch = _resize(source.from_srgb(painted), full)
    before = overlay.colours[here].astype(np.float32)
    fine = before - _resize(_resize(before, crop.size), full)
    patch += overlay.detail_weight[here][..., None] * fine
    mask = overlay.mask[here]
    weight = (feather(mask, 2 * crop.scale if rise is None else rise) * free_to_change(mask))[..., None]
    colours = source.exact_colours()
    top = np.iinfo(colours.dtype).max
    kept = colours[here].astype(np.float32) * (255 / top)
    mixed = ((kept + weight * (patch - kept)) * (top / 255)).round().clip(0, top).astype(colours.dtype)
    colours[here] = np.where(weight > 0, mixed, colours[here])
    return colours


def _within(overlay: Overlay) -> tuple[slice, slice]:
    left, top, right, bottom = overlay.crop.box
    return np.s_[top:bottom, left:right]


def _resize(
    channels: np.ndarray, size: tuple[int, int], method: Image.Resampling = Image.Resampling.LANCZOS
) -> np.ndarray:
    """(H, W, C) -> (height, width, C) float32 without rounding, for a size of (width, height)."""
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in channels.astype(np.float32).transpose(2, 0, 1)]
    return np.stack([np.asarray(plane.resize(size, method)) for plane in planes], axis=2)
