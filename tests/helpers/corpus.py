"""Malformed and unusual pictures, each made from the same blocks, for a folder that has to survive them.

`make_corpus` writes them and says of each what it is: "good", where the blocks must be seen in what is painted;
"bad", where it must be refused; "any", where either is right, such as after a bit flip.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from tests.helpers.images import blocks_picture

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP", "gif": "GIF"}


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def make_corpus(folder: Path) -> dict[str, str]:
    folder.mkdir()
    verdicts: dict[str, str] = {}

    def add(name: str, data: bytes, verdict: str) -> None:
        assert name not in verdicts
        (folder / name).write_bytes(data)
        verdicts[name] = verdict

    for make in (_unusual, _truncated, _flipped, _misnamed, _hostile):
        make(add)
    return verdicts


Add = Callable[[str, bytes, str], None]


def _unusual(add: Add) -> None:
    blocks = blocks_picture(48, 40)
    grey = np.asarray(blocks.convert("L"))
    for suffix, kind in FORMATS.items():
        add(f"plain.{suffix}", encoded(blocks, kind), "good")
        add(f"grey.{suffix}", encoded(blocks.convert("L"), kind), "good")
        add(
            f"palette.{suffix}",
            encoded(blocks.quantize(16) if kind in ("PNG", "GIF", "BMP", "TIFF") else blocks, kind),
            "good",
        )
    for mode in ("RGBA", "LA", "1", "I;16"):
        picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else blocks.convert(mode)
        add(f"mode-{mode.replace(';', '')}.png", encoded(picture, "PNG"), "good")
    for bits in (1, 2, 4):
        add(f"palette-{bits}.png", encoded(blocks.quantize(2**bits), "PNG", bits=bits), "good")
    palette = blocks.quantize(8)
    add("palette-alpha-index.png", encoded(palette, "PNG", transparency=7), "good")
    add("palette-alpha-table.png", encoded(palette, "PNG", transparency=bytes([255] * 7 + [128])), "good")
    add("rgb-transparent-colour.png", encoded(blocks, "PNG", transparency=(1, 2, 3)), "good")
    add("grey-transparent.png", encoded(blocks.convert("L"), "PNG", transparency=3), "good")
    add("interlaced-palette.gif", encoded(palette, "GIF", interlace=1), "good")
    add("transparent.gif", encoded(palette, "GIF", transparency=7), "good")
    add("cmyk.jpg", encoded(blocks.convert("CMYK"), "JPEG", quality=95), "good")
    add("cmyk.tif", encoded(blocks.convert("CMYK"), "TIFF"), "good")
    add("lab.tif", encoded(ImageCms.applyTransform(blocks, ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")), "TIFF"), "good")  # fmt: skip
    add("ycbcr.tif", encoded(blocks.convert("YCbCr"), "TIFF"), "any")
    add("progressive.jpg", encoded(blocks, "JPEG", progressive=True), "good")
    add("lossless.webp", encoded(blocks, "WEBP", lossless=True), "good")
    add("alpha.webp", encoded(blocks.convert("RGBA"), "WEBP"), "good")
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        add(f"{compression}.tif", encoded(blocks, "TIFF", compression=compression), "good")
    add("float.tif", encoded(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"), "good")
    add("float-wide.tif", encoded(Image.fromarray(grey.astype(np.float32) * 1e9), "TIFF"), "bad")
    add("float-nan.tif", encoded(Image.fromarray(np.full((40, 48), np.nan, np.float32)), "TIFF"), "bad")
    add("int32.tif", encoded(Image.fromarray(grey.astype(np.int32) * 257), "TIFF"), "good")
    add("16-bit.tif", encoded(Image.fromarray(grey.astype(np.uint16) * 257), "TIFF"), "good")
    frames = [blocks, Image.new("RGB", blocks.size, "red"), Image.new("RGB", blocks.size, "blue")]
    for suffix in ("gif", "webp", "png", "tif"):
        add(f"animated.{suffix}", encoded(blocks, FORMATS[suffix], save_all=True, append_images=frames[1:]), "good")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        back = {3: 3, 6: 2, 8: 4}.get(orientation)
        turned = blocks.transpose(Image.Transpose(back)) if back else blocks
        verdict = "good" if orientation in (1, 3, 6, 8) else "any"
        add(f"turned-{orientation}.jpg", encoded(turned, "JPEG", exif=exif, quality=95), verdict)
    for name, exif_data in (
        ("noise", b"Exif\0\0" + bytes(range(200))),
        ("short", b"Exif\0\0II"),
        ("none", b"Exif\0\0"),
    ):
        for suffix in ("jpg", "webp", "png"):
            add(f"exif-{name}.{suffix}", encoded(blocks, FORMATS[suffix], exif=exif_data), "good")
    for name, profile in (("noise", bytes(range(256)) * 4), ("empty", b"\0"), ("zero", bytes(300))):
        for suffix in ("jpg", "png", "tif"):
            add(f"icc-{name}.{suffix}", encoded(blocks, FORMATS[suffix], icc_profile=profile), "good")
    for size in ((1, 1), (1, 48), (48, 1), (2, 3), (7, 7)):
        for suffix in ("png", "jpg", "gif"):
            picture = blocks.resize(size)
            add(f"small-{size[0]}x{size[1]}.{suffix}", encoded(picture, FORMATS[suffix]), "any")
    add("long-1x9000.png", encoded(Image.new("RGB", (1, 9000), "red"), "PNG"), "any")
    add("spaces and 'quotes' \u00e4\u4e2d.png", encoded(blocks, "PNG"), "good")
    add("line\nbreak.png", encoded(blocks, "PNG"), "good")
    add("n" * 240 + ".png", encoded(blocks, "PNG"), "good")
    add("-o.png", encoded(blocks, "PNG"), "good")


def _truncated(add: Add) -> None:
    rng = np.random.default_rng(1)
    noisy = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for suffix, kind in FORMATS.items():
        data = encoded(noisy, kind)
        add(f"empty.{suffix}", b"", "bad")
        for share in (0.02, 0.3, 0.6, 0.9):
            add(f"cut-{share}.{suffix}", data[: int(len(data) * share)], "bad")


def _flipped(add: Add) -> None:
    rng = random.Random(2)
    blocks = blocks_picture(48, 40)
    for suffix, kind in FORMATS.items():
        for number in range(8):
            data = bytearray(encoded(blocks, kind))
            for _ in range(1 + number):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            add(f"flip-{number}.{suffix}", bytes(data), "any")


def _misnamed(add: Add) -> None:
    blocks = blocks_picture(48, 40)
    for suffix, other in zip(FORMATS, [*list(FORMATS)[1:], "png"], strict=True):
        add(f"named-{other}.{suffix}", encoded(blocks, FORMATS[other]), "good")
    add("text.png", b"strokes, but in words\n", "bad")
    add("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "bad")
    add("zeros.tif", bytes(5000), "bad")
    add("noise.webp", random.Random(3).randbytes(5000), "bad")
    add("ppm.png", encoded(blocks, "PPM"), "bad")
    add("ico.png", encoded(blocks, "ICO"), "bad")
    add("svg.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "bad")


def _hostile(add: Add) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def png(width: int, height: int, *chunks: bytes) -> bytes:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")

    rows = chunk(b"IDAT", zlib.compress(bytes(100)))
    for width, height in ((0, 0), (0, 9), (2**31 - 1, 2**31 - 1), (60_000, 60_000), (2**31 - 1, 1), (20_000, 8_000)):
        add(f"claims-{width}x{height}.png", png(width, height, rows), "bad")
    add("no-pixels.png", png(9, 9), "bad")
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 26)))
    add("text-bomb.png", png(9, 9, bomb, rows), "bad")
    add("huge.png", encoded(Image.new("1", (30_000, 30_000)), "PNG"), "bad")
    add(
        "huge.gif",
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",\0\0\0\0\xff\xff\xff\xff\0\x08\0;",
        "bad",
    )
    endless = encoded(blocks_picture(), "TIFF")
    place = struct.unpack("<I", endless[4:8])[0]
    count = struct.unpack("<H", endless[place : place + 2])[0]
    end = place + 2 + 12 * count
    add("endless.tif", endless[:end] + struct.pack("<I", place) + endless[end + 4 :], "any")
    add("zero-strip.tif", encoded(blocks_picture(), "TIFF").replace(struct.pack("<HHI", 257, 4, 1), bytes(8)), "any")
