"""Stroke paintings simulated from photographs: Meng et al. 2021 (SDEdit, arXiv 2108.01073), appendix C.2."""

from __future__ import annotations

from PIL import Image, ImageFilter

from sdedit.io.images import as_rgb

_FILTER_PER_PIXEL = 23 / 256
_COLOURS = 6


def simulate_strokes(photo: Image.Image) -> Image.Image:
    """A photograph as somebody might paint it: a wide median filter, then six adaptive colours.

    The filter is 23 pixels wide on an image of 256 pixels (its shorter side) and scales with the size.

    Args:
        photo: of any mode, taken as its file would be (profile, orientation, transparency on white).

    Returns:
        An RGB image of the same size.

    Raises:
        SdeditError: if grey of more than 16 bits or floating point is out of range.
    """
    photo = as_rgb(photo)
    half = round((min(photo.size) * _FILTER_PER_PIXEL - 1) / 2)
    flat = photo.filter(ImageFilter.MedianFilter(2 * max(half, 1) + 1))
    return flat.convert("P", palette=Image.Palette.ADAPTIVE, colors=_COLOURS).convert("RGB")
