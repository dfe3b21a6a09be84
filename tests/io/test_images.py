"""Every kind of picture people have becomes the same guide; everything else is refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from sdedit.errors import SdeditError
from sdedit.io.images import fit_guide, open_image, working_size
from tests.helpers.images import blocks_picture


def encoded(picture: Image.Image, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return file


def read(file: io.BytesIO, background: str = "white") -> np.ndarray:
    picture = open_image(file, "it", background)
    assert picture.mode == "RGB"
    return np.asarray(picture).astype(int)


WANTED = np.asarray(blocks_picture(48, 40)).astype(int)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 45),
        ("JPEG", {"quality": 100, "subsampling": 0}, 12),
        ("JPEG", {"quality": 100, "subsampling": 0, "progressive": True}, 12),
        ("GIF", {}, 3),
    ],
)
def test_formats(kind: str, options: dict, tolerance: int) -> None:
    assert np.abs(read(encoded(blocks_picture(48, 40), kind, **options)) - WANTED).max() <= tolerance


def test_palette() -> None:
    assert np.abs(read(encoded(blocks_picture(48, 40).quantize(16), "PNG")) - WANTED).max() <= 3


def test_grey() -> None:
    grey = blocks_picture(48, 40).convert("L")
    assert (read(encoded(grey, "PNG")) == np.asarray(grey)[..., None]).all()


def test_one_bit() -> None:
    assert set(np.unique(read(encoded(blocks_picture().convert("1"), "PNG")))) == {0, 255}


def test_sixteen_bit_grey() -> None:
    levels = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(4, 256)
    got = read(encoded(Image.fromarray(levels), "PNG"))
    assert np.abs(got[..., 0] - levels / 257).max() <= 0.51


def test_sixteen_bit_colour() -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\0" + struct.pack(">6H", 65535, 0, 32768, 257, 514, 65535)
    header = struct.pack(">2I5B", 2, 1, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert np.abs(read(io.BytesIO(png)) - [[[255, 0, 128], [1, 2, 255]]]).max() <= 1


def test_float_tiff() -> None:
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    got = read(encoded(Image.fromarray(values), "TIFF"))
    assert np.abs(got[..., 0] - values * 255).max() <= 0.51


@pytest.mark.parametrize("value", [300.0, -1.0, np.nan])
def test_float_out_of_range_is_refused(value: float) -> None:
    values = np.full((4, 4), value, np.float32)
    with pytest.raises(SdeditError, match="grey values outside"):
        read(encoded(Image.fromarray(values), "TIFF"))


def test_cmyk() -> None:
    cmyk = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    got = read(encoded(cmyk, "TIFF"))
    assert got[0, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize(("background", "blended"), [("white", 255), ("black", 127), ("#ff0000", 255)])
def test_alpha_is_laid_on_the_background(background: str, blended: int) -> None:
    layer = Image.new("RGBA", (4, 4), (255, 255, 255, 127))
    layer.putpixel((0, 0), (10, 20, 30, 255))
    layer.putpixel((1, 0), (10, 20, 30, 0))
    got = read(encoded(layer, "PNG"), background)
    assert got[0, 0].tolist() == [10, 20, 30]
    assert got[0, 1].tolist() == {"white": [255] * 3, "black": [0] * 3, "#ff0000": [255, 0, 0]}[background]
    assert abs(got[2, 2, 0] - blended) <= 1


@pytest.mark.parametrize("mode", ["LA", "PA"])
def test_other_alpha_modes(mode: str) -> None:
    layer = Image.new("RGBA", (4, 4), (90, 90, 90, 0)).convert(mode)
    assert (read(encoded(layer, "PNG" if mode == "LA" else "TIFF")) >= 90).all()


def test_palette_with_a_transparent_colour() -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((0, 0), 1)
    got = read(encoded(picture, "PNG", transparency=0))
    assert got[0, 0].tolist() == [200, 100, 50]
    assert got[1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("orientation", "turn"), [(1, None), (3, "ROTATE_180"), (6, "ROTATE_270"), (8, "ROTATE_90")])
def test_exif_orientation(orientation: int, turn: str | None) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = blocks_picture(48, 40)
    upright = picture.transpose(Image.Transpose[turn]) if turn else picture
    got = read(encoded(picture, "PNG", exif=exif))
    assert (got == np.asarray(upright)).all()


def test_colour_profile_is_converted() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The same profile with the primaries of red and blue exchanged: its red is our blue.
    exchanged = srgb.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")
    picture = Image.new("RGB", (4, 4), (200, 100, 50))
    assert np.abs(read(encoded(picture, "PNG", icc_profile=srgb))[0, 0] - [200, 100, 50]).max() <= 1
    assert np.abs(read(encoded(picture, "PNG", icc_profile=exchanged))[0, 0] - [50, 100, 200]).max() <= 3
    assert read(encoded(picture, "PNG", icc_profile=b"not a profile"))[0, 0].tolist() == [200, 100, 50]


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    got = read(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert got[0, 0].tolist() == [255, 0, 0]


def png_bytes() -> bytes:
    return encoded(blocks_picture(200, 200), "PNG").getvalue()


def jpeg_bytes() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    return encoded(Image.fromarray(noise), "JPEG").getvalue()


def flipped() -> bytes:
    data = bytearray(png_bytes())
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"", "is not a PNG"),
        (lambda: b"strokes, but in words", "is not a PNG"),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a PNG"),
        (lambda: png_bytes()[:-40], "not a whole image"),
        (lambda: png_bytes()[:60], "not a whole image"),
        (lambda: jpeg_bytes()[:5000], "not a whole image"),
        (flipped, "not a whole image"),
    ],
)
def test_damaged_files(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(SdeditError, match=words):
        open_image(io.BytesIO(make()), "it")


@pytest.mark.parametrize("side", [14_000, 30_000])
def test_huge_pictures_are_refused_before_they_are_decoded(side: int, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (side, side)).save(path)
    with path.open("rb") as file, pytest.raises(SdeditError, match="178 million pixels"):
        open_image(file, "it")


@pytest.mark.parametrize(
    ("guide", "size", "expected"),
    [
        ((384, 384), 128, (128, 128)),
        ((512, 384), 128, (171, 128)),
        ((300, 1000), 128, (128, 427)),
        ((1, 1), 128, (128, 128)),
        ((2, 3), 64, (64, 96)),
        ((384, 384), (200, 100), (200, 100)),
    ],
)
def test_working_size(guide: tuple[int, int], size: int | tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_size(guide, size) == expected


@pytest.mark.parametrize(
    ("guide", "size"), [((1, 100_000), (2, 200_000)), ((9, 9), 4), ((9, 9), (128, 7)), ((9, 9), 5000)]
)
def test_sizes_that_cannot_be_painted(guide: tuple[int, int], size: int | tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot paint"):
        working_size(guide, size)


def test_fitting_cuts_the_middle_out() -> None:
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    fitted = np.asarray(fit_guide(picture, (50, 50)))
    assert fitted.shape == (50, 50, 3)
    assert (np.abs(fitted[:, 3:-3] - [0, 0, 255]) <= 3).all()
