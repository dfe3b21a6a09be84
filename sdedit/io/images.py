"""Guides: any image file becomes an RGB image at the size it is painted at."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import BinaryIO, TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError

from sdedit.errors import SdeditError
from sdedit.io.colour import to_srgb, upright
from sdedit.io.files import reason
from sdedit.io.png import open_mended
from sdedit.io.tiff import widen_planes

MOST_PAINTED_PIXELS = 1 << 24
MOST_SLIM = 16  # times the shorter side, for the longer: beyond it the shorter, enlarged, makes the whole enormous
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", *(["AVIF"] if find_spec("PIL.AvifImagePlugin") else []))
_MOST_PIXELS = 178_000_000  # beyond this a file is more likely an attack on memory than an image

Converted = TypeVar("Converted")


class SlimError(ValueError):
    """An image is too slim for its longer side to follow from the shorter."""


def open_image(file: BinaryIO, name: str, background: str = "white") -> Image.Image:
    """Read a PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF (its first frame) as 8-bit sRGB, the right way up.

    Args:
        file: the image file, open and seekable.
        name: what messages call it.
        background: colour that transparent pixels are laid on, as Pillow names it ("white", "#102030").

    Raises:
        SdeditError: if the file is not a whole image of at most 178 million pixels.
    """
    return decode(file, name, lambda image: as_rgb(image, name, background))


def as_rgb(image: Image.Image, name: str = "the image", background: str = "white") -> Image.Image:
    """An image as a user has it, of any mode, with any profile and orientation, as 8-bit sRGB, the right way up.

    Raises:
        SdeditError: if grey of more than 16 bits or floating point is out of range.
    """
    return to_srgb(upright(image), name, background)


def decode(file: BinaryIO, name: str, convert: Callable[[Image.Image], Converted]) -> Converted:
    """What `convert` makes of an image file's image, its pixels read and as they lie in the file.

    Raises:
        SdeditError: as `open_image`.
    """
    try:
        return convert(_loaded(file, name))
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise SdeditError(f"{name} is not a PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF image") from error
    except MemoryError as error:
        raise SdeditError(f"{name} does not fit into memory; shrink it first") from error
    except SdeditError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files
        text = reason(error) if isinstance(error, OSError) else str(error)
        raise SdeditError(f"{name} is damaged or not a whole image: {text}") from error


def claimed_pixels(data: bytes) -> int:
    """How many pixels an image file has by its header, which decides how much memory it takes; 0 if it has none.

    A file that lies about it is refused when it is read.
    """
    file = io.BytesIO(data)
    for opened in (lambda: Image.open(file, formats=_FORMATS), lambda: open_mended(file)):
        try:
            image = opened()
        except Image.DecompressionBombError:
            return _MOST_PIXELS + 1
        except Exception:
            continue
        if image is not None:
            return image.width * image.height
    return 0


def _loaded(file: BinaryIO, name: str) -> Image.Image:
    """The image of a file, decoded; if that fails, without what can be left out of a PNG."""
    try:
        return _checked(Image.open(file, formats=_FORMATS), name)
    except (SdeditError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        mended = open_mended(file)
        if mended is None:
            raise
    return _checked(mended, name)


def _checked(image: Image.Image, name: str) -> Image.Image:
    if image.width * image.height > _MOST_PIXELS:
        raise _too_large(name)
    widen_planes(image)
    image.load()
    return image


def _too_large(name: str) -> SdeditError:
    return SdeditError(f"{name} has more than {_MOST_PIXELS // 10**6} million pixels; shrink it first")


@dataclass(frozen=True)
class OwnSize:
    """The guide's own size: a shorter side of `least` to `most` pixels."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"that of the guide, up to {self.most}"


Size = int | tuple[int, int] | OwnSize  # length of the shorter side, or (width, height), or the guide's own


def working_size(guide: tuple[int, int], size: Size) -> tuple[int, int]:
    """Width and height, in pixels, at which a guide is painted.

    Args:
        guide: width and height of the guide.
        size: length of the shorter side, the longer following the guide's aspect ratio; or (width, height); or the
            guide's own.

    Raises:
        SlimError: if only the shorter side is said and the guide is more than 16 times as long.
        ValueError: if the result has a side below 8 pixels or more than 16.8 million pixels.
    """
    if isinstance(size, OwnSize):
        size = min(max(min(guide), size.least), size.most)
    if isinstance(size, int):
        if max(guide) > MOST_SLIM * min(guide):
            raise SlimError(
                f"it is {guide[0]} x {guide[1]} px, its longer side more than {MOST_SLIM} times the shorter; cut it"
            )
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
