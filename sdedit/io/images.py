"""Guides: any image file becomes an RGB image at the size it is painted at."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError

from sdedit.errors import SdeditError
from sdedit.io.files import reason

MOST_PAINTED_PIXELS = 1 << 24
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_MOST_PIXELS = 178_000_000  # beyond this a file is more likely an attack on memory than an image


def open_image(file: BinaryIO, name: str, background: str = "white") -> Image.Image:
    """Read a PNG, JPEG, WebP, TIFF, BMP or GIF (its first frame) as 8-bit sRGB, the right way up.

    Args:
        file: the image file, open and seekable.
        name: what messages call it.
        background: colour that transparent pixels are laid on, as Pillow names it ("white", "#102030").

    Raises:
        SdeditError: if the file is not a whole image of at most 178 million pixels.
    """
    return _decode(file, name, lambda image: to_srgb(image, name, background))


def open_raw(file: BinaryIO, name: str) -> Image.Image:
    """Read an image the right way up, its pixels as they are; arguments and errors as in `open_image`."""
    return _decode(file, name, lambda image: image)


def _decode(file: BinaryIO, name: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    try:
        image = Image.open(file, formats=_FORMATS)
        if image.width * image.height > _MOST_PIXELS:
            raise _too_large(name)
        image.load()
        with suppress(Exception):  # broken EXIF data: the image as it lies
            ImageOps.exif_transpose(image, in_place=True)
        return convert(image)
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise SdeditError(f"{name} is not a PNG, JPEG, WebP, TIFF, BMP or GIF picture") from error
    except MemoryError as error:
        raise SdeditError(f"{name} does not fit into memory; shrink it first") from error
    except SdeditError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files
        text = reason(error) if isinstance(error, OSError) else str(error)
        raise SdeditError(f"{name} is damaged or not a whole picture: {text}") from error


def _too_large(name: str) -> SdeditError:
    return SdeditError(f"{name} has more than {_MOST_PIXELS // 10**6} million pixels; shrink it first")


def to_srgb(image: Image.Image, name: str, background: str = "white") -> Image.Image:
    """8-bit sRGB of an image of any mode, by its colour profile and laid on a background; `name` is for messages."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_grey_levels(image, name)).convert("RGB")
    profile = image.info.get("icc_profile")
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if has_alpha:
        layer = image.convert("RGBA")
        flat = Image.new("RGBA", layer.size, ImageColor.getrgb(background))
        image = Image.alpha_composite(flat, layer).convert("RGB")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None
            return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken or unfitting profile: the numbers as they are
    return image.convert("RGB")


def _grey_levels(image: Image.Image, name: str) -> np.ndarray:
    """Grey of more than 8 bits, scaled to 8: integers from [0, 65535], floating point from [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        raise SdeditError(f"{name} has grey values outside [0, {top:g}]; save it with 8 or 16 bits")
    return np.round(values * (255 / top)).astype(np.uint8)


def working_size(guide: tuple[int, int], size: int | tuple[int, int]) -> tuple[int, int]:
    """Width and height, in pixels, at which a guide is painted.

    Args:
        guide: width and height of the guide.
        size: length of the shorter side, the longer following the guide's aspect ratio; or (width, height).

    Raises:
        ValueError: if the result has a side below 8 pixels or more than 16.8 million pixels.
    """
    if isinstance(size, int):
        scale = size / min(guide)
        width, height = (max(size, round(side * scale)) for side in guide)
    else:
        width, height = size
    if min(width, height) < 8 or width * height > MOST_PAINTED_PIXELS:
        raise ValueError(
            f"cannot paint {width} x {height} px: a side needs at least 8 px, and the whole may have at most "
            f"{MOST_PAINTED_PIXELS / 1e6:.1f} million; choose another size"
        )
    return width, height


def fit_guide(guide: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The guide at (width, height); where the shapes differ, its middle part."""
    if guide.size == size:
        return guide
    return ImageOps.fit(guide, size, method=Image.Resampling.LANCZOS)
