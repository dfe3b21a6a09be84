"""Colours of any image as 8-bit sRGB: every mode, by its colour profile, transparency apart or laid on a background.

The one way from a PIL image to what a model is given, for files and for images that are handed to the library.
"""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps

from sdedit.errors import SdeditError

_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_GREY = ("1", "L", "LA", "La")


def upright(image: Image.Image) -> Image.Image:
    """The image the right way up, by its EXIF data; a copy.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(f"an image is one of PIL, not {type(image).__name__}; open files with PIL.Image.open")
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF data: the image as it lies
        return image


def to_srgb(image: Image.Image, name: str = "the image", background: str = "white") -> Image.Image:
    """An image of any mode as 8-bit sRGB.

    Args:
        image: the right way up.
        name: what messages call it.
        background: colour in sRGB that transparent pixels are laid on, as Pillow names it ("white", "#102030").

    Returns:
        An RGB image that carries nothing but its pixels.

    Raises:
        SdeditError: if grey of more than 16 bits or floating point is out of range.
    """
    colours, alpha = split_srgb(image, name)
    if alpha is None:
        return colours
    flat = Image.new("RGBA", colours.size, ImageColor.getrgb(background))
    colours.putalpha(alpha)
    return Image.alpha_composite(flat, colours).convert("RGB")


def to_layer(image: Image.Image, name: str = "the layer") -> Image.Image:
    """An image of any mode as RGB in sRGB, or RGBA where it has transparency; errors as of `to_srgb`."""
    colours, alpha = split_srgb(image, name)
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def split_srgb(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Colours (RGB in sRGB) and transparency (L, None if there is none) of an image; errors as of `to_srgb`."""
    colours, alpha = split_alpha(image, name)
    profile = image.info.get("icc_profile")
    if profile and colours.mode in ("RGB", "CMYK", "L"):
        # A broken or unfitting profile: the numbers as they are.
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            colours = convert_profile(colours, profile, None, "RGB")
    plain = colours.convert("RGB")
    plain.info = {}  # what has been applied must not be applied a second time
    return plain, alpha


def split_alpha(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Colours with 8 bits (L, RGB or CMYK), as the image's own profile means them, and transparency (L, or None).

    Raises:
        SdeditError: if grey of more than 16 bits or floating point is out of range.
    """
    clear = image.info.get("transparency")
    if image.mode.startswith(("I", "F")):
        levels = Image.fromarray(_grey_levels(image, name))
        opaque = None if clear is None else Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype("u1"))
        return levels, opaque
    if image.mode in _WITH_ALPHA or clear is not None:
        grey = image.mode in _GREY
        layer = image.convert("LA" if grey else "RGBA")
        return layer.convert("L" if grey else "RGB"), layer.getchannel("A")
    if image.mode in ("L", "RGB", "CMYK"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def convert_profile(image: Image.Image, given: bytes | None, wanted: bytes | None, mode: str) -> Image.Image:
    """An image from one ICC profile to another; None stands for sRGB.

    Raises:
        ImageCms.PyCMSError, OSError, ValueError: if a profile is broken, or does not fit the image's mode.
    """
    before, after = (
        ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("sRGB")
        for profile in (given, wanted)
    )
    converted = ImageCms.profileToProfile(image, before, after, outputMode=mode)
    assert converted is not None
    return converted


def _grey_levels(image: Image.Image, name: str) -> np.ndarray:
    """Grey of more than 8 bits, scaled to 8: integers from [0, 65535], floating point from [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        raise SdeditError(f"{name} has grey values outside [0, {top:g}]; save it with 8 or 16 bits")
    return np.round(values * (255 / top)).astype(np.uint8)
