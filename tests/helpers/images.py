"""Pictures to paint from."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

from sdedit.io.png import SIGNATURE, chunk


def blocks_picture(width: int = 24, height: int = 20) -> Image.Image:
    """Flat colours with hard edges, different in every corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = (90, 140, 200)
    pixels[height // 2 :] = (60, 90, 50)
    pixels[: height // 4, : width // 4] = (250, 240, 220)
    pixels[-height // 4 :, -width // 4 :] = (130, 30, 20)
    return Image.fromarray(pixels)


def bomb(side: int = 20_000) -> bytes:
    """A whole black PNG of so many pixels a side in a thousandth of as many bytes."""
    rows, packer = 100, zlib.compressobj(9)
    block = bytes(rows * (1 + 3 * side))
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # needs nothing that came before it
    end = packer.flush()[:-4]
    total = 1
    for _ in range(side // rows):
        total = zlib.adler32(block, total)
    pixels = first + again * (side // rows - 1) + end + total.to_bytes(4, "big")
    header = chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
