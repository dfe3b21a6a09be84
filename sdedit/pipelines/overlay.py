"""Strokes or a patch laid over an image, and the mask that follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.source_image import SourceImage
from sdedit.pipelines.crop import Crop, CropOptions, plan_crop
from sdedit.pipelines.mask import find_strokes, free_to_change, grow, grow_found, window, without_traces

_GROW = 3  # of the model's pixels: the seam of a stroke or a pasted part has to be inside the mask
_EDGE = 2  # pixels of a found stroke's soft edge


@dataclass(frozen=True)
class Overlay:
    """An image with an overlay, and where it may change.

    Attributes:
        colours: (H, W, C) uint8, in the source's colours.
        mask: (H, W) float32 in [0, 1]; 1 may change fully.
        detail_weight: (H, W) float32 in [0, 1], where fine detail belongs to the image and may stay.
        crop: where the model works.
        notes: what was taken for nothing.
    """

    colours: np.ndarray
    mask: np.ndarray
    detail_weight: np.ndarray
    crop: Crop
    notes: tuple[str, ...] = ()


def with_hole_filled(source: SourceImage) -> tuple[SourceImage, np.ndarray]:
    """An image made opaque, and where it was not.

    Returns:
        The image, what is transparent laid on white; and (H, W) float32 in [0, 1], 1 where it was transparent.

    Raises:
        SdeditError: if it has no transparency.
    """
    if not source.has_alpha:
        raise SdeditError(f"{source.name} has no transparency that could be the mask; name a file with --mask")
    clear = 1 - np.asarray(source.image.getchannel("A"), np.float32) / 255
    return source.laid_on_white(without_traces(clear)[0]), clear


def with_strokes(source: SourceImage, strokes: Image.Image, mask: np.ndarray | None, options: CropOptions) -> Overlay:
    """Strokes over an image: a layer with transparency, or the whole image with strokes on it.

    Args:
        source: the image.
        strokes: of the same size, in sRGB; with an alpha channel, only what is not transparent was painted.
        mask: (H, W) float32 in [0, 1], as given; None to find it from the alpha channel or from what differs.
        options: how the crop and the mask's edge are chosen; `size` is not None.

    Raises:
        SdeditError: if the sizes differ, the mask is empty, or no stroke can be found.
    """
    if strokes.size != source.size:
        raise SdeditError(
            f"the strokes have {_words(strokes.size)} and {source.name} has {_words(source.size)}; "
            "paint them over the image at its own size"
        )
    notes: tuple[str, ...] = ()
    if mask is not None:
        mask, notes = _cleaned(mask, "the mask")
        _check_mask(mask, source.size, source.name)
    own = source.colours()
    alpha = np.asarray(strokes.convert("RGBA").getchannel("A"), np.float32) / 255
    layer = bool((alpha < 1).any())
    if layer:
        alpha, more = _cleaned(alpha, "the strokes' transparency")
        notes = (*notes, *more)
        stroked = alpha > 0
    else:
        stroked = find_strokes(np.asarray(source.opaque_srgb()), np.asarray(strokes))
    if mask is None:
        if not stroked.any():
            raise SdeditError(f"the strokes do not differ from {source.name}; paint over it, or give a mask")
        if not layer:
            alpha = scipy.ndimage.binary_dilation(stroked, iterations=_EDGE).astype(np.float32)
    painted = source.from_srgb(strokes.convert("RGB")).astype(np.float32)
    colours = (own + alpha[..., None] * (painted - own)).round().astype(np.uint8)
    free = mask if mask is not None else free_to_change(alpha) if layer else stroked.astype(np.float32)
    grown, crop = _grown(free, options, found=mask is None)
    colours = np.where(grown[..., None] > 0, colours, own)
    detail = np.zeros_like(grown) if (grown == 1).all() else _away_from(stroked, crop.scale)  # all white: as paint does
    return Overlay(colours, grown, detail, crop, notes)


def with_patch(
    source: SourceImage,
    patch: Image.Image,
    mask: np.ndarray | None,
    options: CropOptions,
    at: tuple[int, int] | None = None,
    scale: float = 1.0,
) -> Overlay:
    """A patch pasted onto a background, which may change wherever the patch is and a little beyond.

    Args:
        source: the background.
        patch: in sRGB, with or without an alpha channel.
        mask: (H, W) float32 in [0, 1] of the patch's size: how opaque each of its pixels is, and how far it may
            change; None to paste by the alpha channel, all of what is pasted free to change.
        options: how the crop and the mask's edge are chosen; `size` is not None.
        at: where the patch's left top corner comes, in pixels of the background; None for its middle.
        scale: by what the patch's width and height are multiplied first.

    Raises:
        SdeditError: if the mask is of another size or empty, or nothing of the patch is inside the background.
        ValueError: if the scale is not above 0.
    """
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be above 0, not {scale}")
    patch = patch.convert("RGBA")
    notes: tuple[str, ...] = ()
    if mask is not None:
        mask, notes = _cleaned(mask, "the mask")
        _check_mask(mask, patch.size, "the patch")
        alpha = Image.fromarray((np.asarray(patch.getchannel("A")) * mask).round().astype(np.uint8))
        patch.putalpha(alpha)
    shares, more = _cleaned(np.asarray(patch.getchannel("A"), np.float32) / 255, "the patch's transparency")
    patch.putalpha(Image.fromarray((shares * 255).round().astype(np.uint8)))
    notes = (*notes, *more)
    size = (max(1, round(patch.width * scale)), max(1, round(patch.height * scale)))
    if max(size) > 4 * max(source.size):
        raise SdeditError(f"a patch of {_words(size)} is far larger than {source.name}; choose a smaller scale")
    patch = patch.resize(size, Image.Resampling.LANCZOS)
    left, top = at or ((source.size[0] - size[0]) // 2, (source.size[1] - size[1]) // 2)
    layer = Image.new("RGBA", source.size)
    layer.paste(patch, (left, top))
    opaque, _ = without_traces(np.asarray(layer.getchannel("A"), np.float32) / 255)  # the resizing leaves some
    if not opaque.any():
        what = (
            "the patch is transparent everywhere"
            if patch.getchannel("A").getbbox() is None
            else (
                f"the patch, {_words(size)} at {left},{top}, is outside {source.name}, which has {_words(source.size)}"
            )
        )
        raise SdeditError(f"{what}; there is nothing to paste")
    own = source.colours()
    pasted = source.from_srgb(layer.convert("RGB")).astype(np.float32)
    colours = (own + opaque[..., None] * (pasted - own)).round().astype(np.uint8)
    inside = opaque > 0
    free = free_to_change(opaque) if mask is None else opaque
    grown, crop = _grown(free, options, found=True)
    edge = inside & ~scipy.ndimage.binary_erosion(inside, border_value=1)
    return Overlay(colours, grown, _away_from(edge, crop.scale), crop, notes)


def _grown(mask: np.ndarray, options: CropOptions, found: bool) -> tuple[np.ndarray, Crop]:
    """The grown mask, and where the model works for it."""
    assert options.size is not None
    crop = plan_crop(mask, options.size, options.context)
    pixels = (_GROW * crop.scale if found else 0.0) if options.grow is None else options.grow
    mask = (grow_found if found else grow)(mask, pixels).astype(np.float32)
    return mask, plan_crop(mask, options.size, options.context)


def _cleaned(share: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Shares (H, W) without traces, and a note if there were any."""
    share, ignored = without_traces(share)
    if not ignored:
        return share, ()
    return share, (f"{name} has {ignored} px of at most 8 of 255, which count as none",)


def _check_mask(mask: np.ndarray, size: tuple[int, int], name: str) -> None:
    if mask.shape != (size[1], size[0]):
        raise SdeditError(f"the mask has {_words((mask.shape[1], mask.shape[0]))} and {name} has {_words(size)}")
    if not mask.any():
        raise SdeditError("the mask is black everywhere, so that nothing may change; white marks what may change")


def _away_from(place: np.ndarray, scale: float) -> np.ndarray:
    """Weights (H, W): 0 at a place, 1 from three of the model's pixels away."""
    weights = np.ones(place.shape, np.float32)
    if place.any():
        reach = _GROW * max(scale, 1)
        here = window(place, reach)
        weights[here] = (scipy.ndimage.distance_transform_edt(~place[here]) / reach).clip(0, 1)
    return weights


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} px"
