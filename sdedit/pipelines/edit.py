"""Edit and composite: an image with strokes or a pasted part in, a coherent one out, the rest of it untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from PIL import Image

from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling, as_sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.colour import to_layer, upright
from sdedit.io.source_image import SourceImage
from sdedit.pipelines.crop import CropOptions
from sdedit.pipelines.inpaint import inpaint_crop
from sdedit.pipelines.mask import mask_values
from sdedit.pipelines.overlay import with_hole_filled, with_patch, with_strokes


def edit(
    model: ScoreModel,
    image: Image.Image,
    strokes: Image.Image,
    mask: Image.Image | Literal["alpha"] | None = None,
    t0: float = 0.45,
    *,
    sampling: Sampling | str | None = None,
    seed: int = 0,
    repeats: int = 1,
    crop: CropOptions | None = None,
    on_step: Callable[[Step], object] | None = None,
) -> Image.Image:
    """Stroke-based editing (Meng et al. 2021, arXiv 2108.01073, Algorithm 3).

    Only the region round the mask goes through the model, resized to its native size; what comes out is enlarged again
    and blended in inside the mask, so that a part much larger than the native size comes back softer than the image.

    Args:
        model: the score model, as from `sdedit.load_model`.
        image: the photograph, of any size.
        strokes: of the same size: a transparent layer of strokes, or the photograph with strokes on it.
        mask: of the same size; white may change fully from t0 on, black is kept bit for bit, a grey of m in [0, 1]
            starts to change at m t0; levels of at most 8 of 255 are none. "alpha" to fill what is transparent in the
            photograph, and make it opaque. None to find it from the strokes.
        t0: how much of the masked part is given up to noise, in (0, 1].
        sampling: how the reverse SDE is solved, as in `sdedit.paint`: "fast", "balanced", "best", a sampler's name or a
            `sdedit.Sampling`. None is the model's own default.
        seed: of the noise.
        repeats: K, how often the result is perturbed and denoised again.
        crop: how the region round the mask is chosen and how the painted part fades in; None for `CropOptions()`.
        on_step: called after each network evaluation.

    Returns:
        An image of the same mode and size; without transparency, if that was the mask.

    Raises:
        SdeditError: if sizes differ, the mask is empty, or no strokes can be found.
        ValueError: if a number is out of range.
    """
    source, crop = SourceImage.from_image(image), _at_native_size(crop, model)
    given = None
    if isinstance(mask, str):
        _check_words(mask)
        source, given = with_hole_filled(source)
    elif mask is not None:
        given = mask_values(mask)
    overlay = with_strokes(source, to_layer(upright(strokes)), given, crop)
    return inpaint_crop(
        model, source, overlay, t0, as_sampling(sampling, model.default_sampling), seed, repeats, crop.feather, on_step
    )


def composite(
    model: ScoreModel,
    background: Image.Image,
    patch: Image.Image,
    mask: Image.Image | Literal["alpha"] | None = None,
    t0: float = 0.35,
    *,
    at: tuple[int, int] | None = None,
    scale: float = 1.0,
    sampling: Sampling | str | None = None,
    seed: int = 0,
    repeats: int = 1,
    crop: CropOptions | None = None,
    on_step: Callable[[Step], object] | None = None,
) -> Image.Image:
    """Image compositing: paste, then make it one image (Meng et al. 2021, arXiv 2108.01073, Algorithm 3).

    Args:
        model: the score model, as from `sdedit.load_model`.
        background: of any size.
        patch: what is pasted; its alpha channel says where.
        mask: of the patch's size, instead of the alpha channel: white is pasted and may change fully. None and "alpha"
            are the alpha channel.
        t0: how much of the pasted part is given up to noise, in (0, 1].
        at: of the patch's left top corner, in pixels of the background; None pastes it in the middle.
        scale: by what the patch's width and height are multiplied.
        sampling, seed, repeats, crop, on_step: as in `sdedit.edit`.

    Returns:
        An image of the background's mode and size.

    Raises:
        SdeditError: if the mask is of another size or empty, or the patch is outside the background.
        ValueError: if a number is out of range.
    """
    source, crop = SourceImage.from_image(background), _at_native_size(crop, model)
    if isinstance(mask, str):
        _check_words(mask)
        mask = None
    given = None if mask is None else mask_values(mask)
    overlay = with_patch(source, to_layer(upright(patch)), given, crop, at, scale)
    return inpaint_crop(
        model, source, overlay, t0, as_sampling(sampling, model.default_sampling), seed, repeats, crop.feather, on_step
    )


def _check_words(mask: str) -> None:
    if mask != "alpha":
        raise ValueError(f"a mask is an image or 'alpha', not {mask!r}; open files with PIL.Image.open")


def _at_native_size(crop: CropOptions | None, model: ScoreModel) -> CropOptions:
    crop = crop or CropOptions()
    return replace(crop, size=model.native_size) if crop.size is None else crop
