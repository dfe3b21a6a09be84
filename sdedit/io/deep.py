"""Colours with 16 bits a channel, which Pillow has no mode for: read from PNG files, and written to them."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from sdedit.io.colour import upright
from sdedit.io.png import SIGNATURE, chunk, chunks

_COLOUR_TYPES = {2: 3, 6: 4}  # of a PNG with colours, and how many channels it has
_BITS_PER_SAMPLE = 258  # the tag of a TIFF


def to_8_bits(levels: np.ndarray) -> np.ndarray:
    """uint16 in [0, 65535] -> uint8 in [0, 255], rounded."""
    return ((levels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def has_deep_colours(file: BinaryIO) -> bool:
    """Whether an image file has several channels of 16 bits."""
    file.seek(0)
    head = file.read(26)
    if head.startswith(SIGNATURE):
        return head[24:25] == b"\x10" and head[25] != 0
    with suppress(Exception):
        file.seek(0)
        image = Image.open(file, formats=("TIFF",))
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, ())
        return len(bits) > 1 and max(bits) > 8
    return False


def read_deep_colours(file: BinaryIO) -> np.ndarray | None:
    """All bits of a PNG with RGB or RGBA of 16 bits, the right way up: (H, W, 3 or 4) uint16; None for another file.

    Pillow reads the upper byte of each number; told that they lie the other way round, it reads the lower.
    """
    file.seek(0)
    head = file.read(26)
    if not head.startswith(SIGNATURE) or head[24] != 16 or head[25] not in _COLOUR_TYPES:
        return None
    halves = []
    for order in ("B", "L"):
        file.seek(0)
        try:
            image = Image.open(file, formats=("PNG",))
            image.tile = [tile._replace(args=str(tile.args).replace(";16B", f";16{order}")) for tile in image.tile]
            halves.append(np.asarray(upright(image)).astype(np.uint16))
        except (OSError, SyntaxError, ValueError):  # a file that had to be mended
            return None
    upper, lower = halves
    return upper * 256 + lower if upper.shape[2:] == (_COLOUR_TYPES[head[25]],) else None


def write_deep_png(image: Image.Image, channels: np.ndarray, file: BinaryIO, **options: object) -> None:
    """Write (H, W, 3 or 4) uint16 as a PNG; `image` is the same with 8 bits, `options` are what its `save` takes."""
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
