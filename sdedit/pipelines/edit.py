"""Edit and composite: an image with strokes or a pasted part in, a coherent one out, the rest of it untouched."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import resolve_sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.source_image import SourceImage
from sdedit.pipelines.inpaint import inpaint_crop
from sdedit.pipelines.mask import mask_values
from sdedit.pipelines.overlay import CropOptions, with_patch, with_strokes


def edit(
    model: ScoreModel,
    picture: Image.Image,
    strokes: Image.Image,
    mask: Image.Image | None = None,
    t0: float = 0.45,
    quality: str | None = None,
    steps: int | None = None,
    sampler: str | None = None,
    grid: str | None = None,
    seed: int = 0,
    repeats: int = 1,
    size: int | None = None,
    context: float = 0.5,
    grow: float | None = None,
    feather: float | None = None,
    on_step: Callable[[Step], object] = lambda step: None,
) -> Image.Image:
    """Stroke-based editing (Meng et al. 2021, arXiv 2108.01073, Algorithm 3).

    Only the region round the mask goes through the model, resized to its native size; what comes out is enlarged again
    and blended in inside the mask, so that a part much larger than the native size comes back softer than the image.

    Args:
        model: the score model, as from `sdedit.load_model`.
        picture: the photograph, of any size.
        strokes: of the same size: a transparent layer of strokes, or the photograph with strokes on it.
        mask: of the same size; white may change fully from t0 on, black is kept bit for bit, a grey of m in [0, 1]
            starts to change at m t0. None to find it from the strokes.
        t0: how much of the masked part is given up to noise, in (0, 1].
        quality: as in `sdedit.paint`, like steps, sampler, grid, seed, repeats and on_step.
        size: shorter side, in pixels, at which the region goes through the model; None is its native size.
        context: what goes through the model round the mask, as a share of its width and height on each side.
        grow: pixels by which the mask is grown; None is three of the model's for a mask that was found.
        feather: pixels inside the mask over which the painted part fades in; None is two of the model's.

    Returns:
        An image of the same mode and size.

    Raises:
        SdeditError: if sizes differ, the mask is empty, or no strokes can be found.
        ValueError: if a number is out of range.
    """
    source = SourceImage.from_image(picture)
    values = None if mask is None else mask_values(mask)
    overlay = with_strokes(source, strokes, values, CropOptions(model.native_size, size, context, grow))
    sampling = resolve_sampling(quality, sampler, steps, grid, model.default_sampling)
    return inpaint_crop(model, overlay, t0, sampling, seed, repeats, feather, on_step)[0]


def composite(
    model: ScoreModel,
    background: Image.Image,
    patch: Image.Image,
    mask: Image.Image | None = None,
    at: tuple[int, int] | None = None,
    scale: float = 1.0,
    t0: float = 0.35,
    quality: str | None = None,
    steps: int | None = None,
    sampler: str | None = None,
    grid: str | None = None,
    seed: int = 0,
    repeats: int = 1,
    size: int | None = None,
    context: float = 0.5,
    grow: float | None = None,
    feather: float | None = None,
    on_step: Callable[[Step], object] = lambda step: None,
) -> Image.Image:
    """Image compositing: paste, then make it one image (Meng et al. 2021, arXiv 2108.01073, Algorithm 3).

    Args:
        model: the score model.
        background: of any size.
        patch: what is pasted; its alpha channel says where.
        mask: of the patch's size, instead of the alpha channel: white is pasted and may change fully.
        at: of the patch's left top corner, in pixels of the background; None pastes it in the middle.
        scale: by what the patch's width and height are multiplied.
        t0: as in `edit`, like the rest.

    Returns:
        An image of the background's mode and size.

    Raises:
        SdeditError: if the mask is of another size or empty, or the patch is outside the background.
        ValueError: if a number is out of range.
    """
    source = SourceImage.from_image(background)
    values = None if mask is None else mask_values(mask)
    options = CropOptions(model.native_size, size, context, grow)
    overlay = with_patch(source, patch, values, options, at, scale)
    sampling = resolve_sampling(quality, sampler, steps, grid, model.default_sampling)
    return inpaint_crop(model, overlay, t0, sampling, seed, repeats, feather, on_step)[0]
