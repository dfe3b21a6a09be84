"""PNG files with a large or damaged chunk beside their pixels, as libpng reads them: without that chunk."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_MOST_TEXT = 1 << 16  # bytes of a text chunk that is kept in a file that needs mending; a recipe has about 1 kB
_MOST_PROFILE = 64 << 20  # bytes; profiles of printers and displays with tables have a few millions


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, content and all bytes of each chunk of a PNG file; the last may be cut off."""
    start = len(SIGNATURE)
    while start + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        end = start + 12 + length
        yield data[start + 4 : start + 8], data[start + 8 : end - 4], data[start:end]
        start = end


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk as it lies in a file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def open_mended(file: BinaryIO) -> Image.Image | None:
    """A PNG that Pillow refuses, opened without the ancillary chunks that are damaged or too large for it.

    A large colour profile is kept.

    Returns:
        The image, not decoded yet; None if the file is no PNG, or has no such chunk.
    """
    file.seek(0)
    data = file.read()
    if not data.startswith(SIGNATURE):
        return None
    kept, profile, dropped = [SIGNATURE], b"", False
    for name, content, whole in chunks(data):
        right = zlib.crc32(name + content).to_bytes(4, "big") == whole[-4:]
        if name == b"iCCP" and right:
            profile = _profile(content)
        elif not name[0] & 0x20 or (right and not _is_too_large(name, content)):  # a small letter: not for the pixels
            kept.append(whole)
            continue
        dropped = True
    if not dropped:
        return None
    image = Image.open(io.BytesIO(b"".join(kept)), formats=("PNG",))
    if profile:
        image.info["icc_profile"] = profile
    return image


def _profile(content: bytes) -> bytes:
    """The profile in a chunk's content; nothing if it is broken or has more than 64 MB."""
    with suppress(zlib.error, IndexError):
        inflater = zlib.decompressobj()
        profile = inflater.decompress(content.split(b"\0", 1)[1][1:], _MOST_PROFILE)
        return profile if inflater.eof else b""
    return b""


def _is_too_large(name: bytes, content: bytes) -> bool:
    """Whether a text is larger than what is kept, or becomes so, or is broken."""
    if name not in _TEXT:
        return False
    rest = content.split(b"\0", 1)[-1]
    if name == b"zTXt":
        packed = rest[1:]
    elif name == b"iTXt" and rest.startswith(b"\1"):
        packed = rest[2:].split(b"\0", 2)[-1]
    else:
        return len(content) > _MOST_TEXT
    try:
        return len(zlib.decompressobj().decompress(packed, _MOST_TEXT + 1)) > _MOST_TEXT
    except zlib.error:
        return True
