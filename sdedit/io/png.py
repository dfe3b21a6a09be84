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


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name, content and whether the checksum is right, of each whole chunk of a PNG file."""
    start = len(SIGNATURE)
    while start + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        name, content = data[start + 4 : start + 8], data[start + 8 : start + 8 + length]
        tail = data[start + 8 + length : start + 12 + length]
        if len(tail) < 4:
            return
        yield name, content, zlib.crc32(name + content) == int.from_bytes(tail, "big")
        start += 12 + length


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
    for name, content, right in chunks(data):
        ancillary = bool(name[0] & 0x20)  # the letter is small
        if name == b"iCCP" and right:
            profile = _profile(content)
        elif ancillary and (not right or (name in _TEXT and len(content) > _MOST_TEXT) or _is_bomb(name, content)):
            pass
        else:
            if not right:
                return None  # the pixels themselves
            kept.append(chunk(name, content))
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


def _is_bomb(name: bytes, content: bytes) -> bool:
    """Whether a compressed text is broken, or becomes larger than what is kept."""
    if name not in (b"zTXt", b"iTXt"):
        return False
    packed = content.split(b"\0", 1)[-1][1:]
    if name == b"iTXt":
        if content.split(b"\0", 1)[-1][:1] != b"\1":
            return False  # not compressed
        packed = packed[1:].split(b"\0", 2)[-1]
    try:
        return len(zlib.decompressobj().decompress(packed, _MOST_TEXT + 1)) > _MOST_TEXT
    except zlib.error:
        return True
