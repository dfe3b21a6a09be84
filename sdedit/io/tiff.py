"""TIFF files with 16 bits per channel: what Pillow misreads of them, and what it does not write."""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

_BITS_PER_SAMPLE = 258


def widen_planes(image: Image.Image) -> None:
    """Let Pillow read planes of 16 bits, unpacked and laid one after another, as such: it takes them for 8 bits.

    Other images, not decoded yet, stay as they are.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or set(image.tag_v2.get(_BITS_PER_SAMPLE, ())) != {16}:
        return
    order = "16B" if image.tag_v2.prefix == b"MM" else "16L"
    image.tile = [_widened(tile, order) for tile in image.tile]


def _widened(tile: Any, order: str) -> Any:
    if tile.codec_name != "raw" or not isinstance(tile.args, tuple) or tile.args[0] not in ("R", "G", "B", "A"):
        return tile
    return tile._replace(args=(f"{tile.args[0]};{order}", *tile.args[1:]))


def write_deep_tiff(mode: str, channels: np.ndarray, file: BinaryIO, **options: object) -> None:
    """Write (H, W, 3 or 4) uint16 as a TIFF of this mode, RGB or RGBA; `options` are what Pillow's `save` takes."""
    small = io.BytesIO()
    Image.new(mode, (1, 1)).save(small, "TIFF", **options)  # all that lies beside the pixels
    data = small.getvalue()
    (place,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[place : place + 2])
    entries = [data[place + 2 + 12 * number :][:12] for number in range(count)]
    tags = {struct.unpack("<H", entry[:2])[0]: entry for entry in entries}
    height, width, samples = channels.shape
    pixels = channels.astype("<u2").tobytes()
    body = data[8:] + b"\0" * (len(data) % 2)
    after = 8 + len(body) + len(pixels)
    for tag, kind, number, value in (
        (256, 4, 1, width), (257, 4, 1, height), (278, 4, 1, height),  # all rows in one strip
        (258, 3, samples, after), (273, 4, 1, 8 + len(body)), (279, 4, 1, len(pixels)),
    ):  # fmt: skip
        tags[tag] = struct.pack("<HHII", tag, kind, number, value)
    bits = struct.pack(f"<{samples}H", *[16] * samples)
    file.write(struct.pack("<2sHI", b"II", 42, after + len(bits)) + body + pixels + bits)
    file.write(struct.pack("<H", len(tags)) + b"".join(tags[tag] for tag in sorted(tags)) + bytes(4))
