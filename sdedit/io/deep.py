"""Colours with 16 bits per channel, which Pillow has no mode for: read from PNG and TIFF files, and written to them."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from sdedit.io.colour import upright
from sdedit.io.png import SIGNATURE, chunk, chunks, open_mended
from sdedit.io.tiff import widen_planes

_RAW_MODES = {  # what Pillow calls the bytes of a pixel, by the mode it reads them to
    "RGB": {f"{channels};16{order}" for channels in ("RGB", "RGBX", *"RGB") for order in "LBN"},
    "RGBA": {f"RGBA;16{order}" for order in "LBN"},
}
_BITS_PER_SAMPLE, _PLANES = 258, 284  # tags of a TIFF
_GREY_ALPHA = "LA;16B"  # of a PNG, four bytes a pixel, which Pillow calls so
_TRANSPARENT = "transparency"


def to_8_bits(levels: np.ndarray) -> np.ndarray:
    """uint16 in [0, 65535] -> uint8 in [0, 255], rounded."""
    return ((levels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def has_deep_colours(file: BinaryIO) -> bool:
    """Whether an image file has several channels of 16 bits."""
    image = _opened(file)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, ())
        return len(bits) > 1 and max(bits) > 8
    file.seek(0)
    head = file.read(26)
    return image is not None and head[24:25] == b"\x10" and head[25] != 0


def read_deep_colours(file: BinaryIO) -> np.ndarray | None:
    """All bits of an image file with several channels of 16 bits, the right way up.

    Returns:
        (H, W, C) uint16: grey and alpha, RGB, or RGBA, an alpha channel also where a PNG names one colour as clear;
        None for what cannot be read so.
    """
    upper, lower = (_bytes(file, lower) for lower in (False, True))
    if upper is None or lower is None:
        return None
    image, levels = upper[0], upper[1] * np.uint16(256) + lower[1]
    clear = image.info.get(_TRANSPARENT)
    if isinstance(clear, tuple) and levels.shape[2] == len(clear):
        opaque = np.where((levels == clear).all(axis=2), 0, 65535).astype(np.uint16)
        levels = np.concatenate([levels, opaque[..., None]], axis=2)
    return levels


def write_deep_png(image: Image.Image, channels: np.ndarray, file: BinaryIO, **options: object) -> None:
    """Write (H, W, C) uint16 as a PNG; `image` is the same with 8 bits, `options` are what its `save` takes."""
    shallow = io.BytesIO()
    image.save(shallow, "PNG", **options)
    rows = channels.astype(">u2").reshape(len(channels), -1).view(np.uint8)
    differences = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # the filter "up"
    filtered = np.pad(differences, ((0, 0), (1, 0)), constant_values=2)
    file.write(SIGNATURE)
    done = False
    for name, content, whole in chunks(shallow.getvalue()):
        if name == b"IHDR":
            width, height, _, *rest = struct.unpack(">2I5B", content)
            file.write(chunk(name, struct.pack(">2I5B", width, height, 16, *rest)))
        elif name != b"IDAT":
            file.write(whole)
        elif not done:
            file.write(chunk(name, zlib.compress(filtered.tobytes())))
            done = True


def _opened(file: BinaryIO) -> Image.Image | None:
    """A PNG or TIFF, not decoded yet; None for another file."""
    file.seek(0)
    try:
        return Image.open(file, formats=("PNG", "TIFF"))
    except Exception:
        try:
            return open_mended(file)
        except Exception:
            return None


def _bytes(file: BinaryIO, lower: bool) -> tuple[Image.Image, np.ndarray] | None:
    """An image and the upper or lower byte of each of its numbers, (H, W, C) uint16; None where they cannot be had.

    Pillow reads the upper byte. Told that they lie the other way round, it reads the lower.
    """
    image = _opened(file)
    if image is None:
        return None
    widen_planes(image)
    tiles: list[Any] = image.tile  # type: ignore[attr-defined]
    if any(tile.codec_name == "libtiff" for tile in tiles) and image.tag_v2.get(_PLANES) == 2:  # type: ignore[attr-defined]
        return None  # whose order of bytes is not asked for
    modes = {_raw_mode(tile.args) for tile in tiles}
    if modes == {_GREY_ALPHA}:
        # As many bytes a pixel as RGBA with 8 bits: both of grey, both of alpha.
        image._mode = "RGBA"
        image.tile = [tile._replace(args="RGBA") for tile in tiles]  # type: ignore[attr-defined]
    elif modes <= _RAW_MODES.get(image.mode, set()):
        if lower:
            image.tile = [tile._replace(args=_other_order(tile.args)) for tile in tiles]  # type: ignore[attr-defined]
    else:
        return None
    try:
        values = np.asarray(upright(image)).astype(np.uint16)
    except (OSError, SyntaxError, ValueError):
        return None
    return image, values[..., int(lower) :: 2] if modes == {_GREY_ALPHA} else values


def _raw_mode(arguments: Any) -> str:
    return str(arguments[0] if isinstance(arguments, (tuple, list)) else arguments)


def _other_order(arguments: Any) -> Any:
    """The arguments of a decoder with the other order of bytes, that of the machine being N."""
    before = _raw_mode(arguments)
    other = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}[before[-1]]
    after = before[:-1] + other
    return after if isinstance(arguments, str) else (after, *arguments[1:])
