"""Python and the command take an image the same way, whatever its mode; damaged chunks and profiles do not matter."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sdedit as package
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.images import as_rgb, open_image
from sdedit.io.png import SIGNATURE, chunk
from tests.helpers.commands import Command
from tests.helpers.images import blocks_picture
from tests.helpers.models import sampled
from tests.helpers.profiles import exchanged, linear_grey

PICTURE = blocks_picture(24, 20)


def lying() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(PICTURE, "JPEG", exif=exif)


def clear() -> Image.Image:
    layer = PICTURE.convert("RGBA")
    layer.putalpha(Image.linear_gradient("L").resize(layer.size))
    return layer


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


LEVELS = np.linspace(0, 1, 480).reshape(20, 24)
FILES: dict[str, Callable[[], bytes]] = {
    "16-bit grey": lambda: saved(Image.fromarray((LEVELS * 65535).astype(np.uint16))),
    "float": lambda: saved(Image.fromarray(LEVELS.astype(np.float32)), "TIFF"),
    "palette": lambda: saved(PICTURE.quantize(8), transparency=1),
    "transparency": lambda: saved(clear()),
    "grey with transparency": lambda: saved(clear().convert("LA")),
    "CMYK": lambda: saved(PICTURE.convert("CMYK"), "TIFF"),
    "orientation": lying,
    "profile": lambda: saved(PICTURE, icc_profile=exchanged()),
    "grey profile": lambda: saved(PICTURE.convert("L"), icc_profile=linear_grey()),
}


@pytest.mark.parametrize("name", FILES)
def test_python_loads_as_the_command_does(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path, name: str) -> None:
    """The same pixels of `sdedit.paint`, `edit` and `simulate_strokes` as of the commands."""
    model = package.load_model(tiny_checkpoint)
    (tmp_path / "a").write_bytes(FILES[name]())
    image = Image.open(tmp_path / "a")
    words = ["--model", tiny_checkpoint, "--steps", 2, "--seed", 3, "--quiet"]
    assert sdedit("paint", "a", *words, "-o", "painted.png").returncode == 0
    painted = package.paint(model, image, sampling=sampled(2), seed=3)
    assert np.array_equal(painted, Image.open(tmp_path / "painted.png"))
    assert sdedit("strokes", "a", "-o", "strokes.png").returncode == 0
    assert np.array_equal(package.simulate_strokes(image), Image.open(tmp_path / "strokes.png"))
    photo = Image.new("RGB", as_rgb(image).size, "teal")
    photo.save(tmp_path / "photo.png")
    Image.new("L", photo.size, 255).save(tmp_path / "mask.png")
    result = sdedit("edit", "photo.png", "--strokes", "a", "--mask", "mask.png", *words, "-o", "edited.png")
    assert result.returncode == 0, result.stderr
    edited = package.edit(model, photo, image, Image.new("L", photo.size, 255), sampling=sampled(2), seed=3)
    assert np.array_equal(edited, Image.open(tmp_path / "edited.png"))


def test_a_mask_of_white_on_clear_is_its_brightness_over_black(
    sdedit: Command, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    mask = Image.new("RGBA", PICTURE.size, (255, 255, 255, 0))
    mask.paste((255, 255, 255, 255), (4, 4, 12, 12))
    mask.save(tmp_path / "mask.png")
    PICTURE.save(tmp_path / "photo.png")
    strokes = Image.new("RGB", PICTURE.size, "red")
    strokes.save(tmp_path / "strokes.png")
    model = package.load_model(tiny_checkpoint)
    edited = package.edit(model, PICTURE, strokes, mask, sampling=sampled(2), seed=3)
    changed = (np.asarray(edited) != np.asarray(PICTURE)).any(axis=2)
    assert not changed[np.asarray(mask)[..., 3] == 0].any()
    words = ["--model", tiny_checkpoint, "--steps", 2, "--seed", 3]
    assert sdedit("edit", "photo.png", "--strokes", "strokes.png", "--mask", "mask.png", *words).returncode == 0
    assert np.array_equal(edited, Image.open(tmp_path / "photo-edited.png"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.full((3, 16, 16), 200.0), r"\[200, 200\]; divide it by 255"),
        (torch.linspace(-1, 1, 768).reshape(3, 16, 16), r"\[-1, 1\]; if it lies in"),
        (torch.full((3, 16, 16), 9, dtype=torch.uint8), "not uint8; divide by 255"),
        (torch.full((3, 16, 16), float("nan")), "NaN"),
        (torch.full((3, 16, 16), float("inf")), "infinite"),
        (torch.full((3, 16, 16), -7.0), "clamp"),
    ],
)
def test_tensors_are_checked(tiny_model: ScoreModel, values: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        package.paint(tiny_model, values, sampling=sampled(1))
    tiny_model.card["calibration"] = {"sigmas": [0.1, 1], "means": [0, 0], "stds": [1, 1], "photographs": 8}
    try:
        with pytest.raises(ValueError, match=words):
            package.suggest_t0(tiny_model, values)
        assert package.suggest_t0(tiny_model, PICTURE.convert("CMYK")) == package.suggest_t0(
            tiny_model, as_rgb(PICTURE.convert("CMYK"))
        )
    finally:
        del tiny_model.card["calibration"]


def test_a_little_rounding_is_no_fault(tiny_model: ScoreModel) -> None:
    package.paint(tiny_model, torch.full((3, 16, 16), 1.001), sampling=sampled(1))


def altered(data: bytes, extra: bytes) -> bytes:
    """A PNG with a chunk, as it lies in a file, after its header."""
    first = len(SIGNATURE) + 25
    return data[:first] + extra + data[first:]


def wrong(name: bytes, content: bytes) -> bytes:
    return chunk(name, content)[:-4] + b"oops"


GOOD = saved(PICTURE)
MENDED = {
    "large text": altered(GOOD, chunk(b"tEXt", b"comment\0" + b"x" * (70 << 20))),
    "text that inflates": altered(GOOD, chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(8 << 20)))),
    "international text that inflates": altered(
        GOOD, chunk(b"iTXt", b"comment\0\1\0\0\0" + zlib.compress(bytes(8 << 20)))
    ),
    "text with a wrong checksum": altered(GOOD, wrong(b"tEXt", b"comment\0words")),
    "profile with a wrong checksum": altered(GOOD, wrong(b"iCCP", b"icc\0\0" + zlib.compress(exchanged()))),
    "profile that is none": altered(GOOD, chunk(b"iCCP", b"icc\0\0" + b"no zlib data")),
    "resolution with a wrong checksum": altered(GOOD, wrong(b"pHYs", struct.pack(">2IB", 1000, 1000, 1))),
    "text with a wrong checksum at the end": GOOD[:-12] + wrong(b"tEXt", b"comment\0words") + GOOD[-12:],
}


@pytest.mark.parametrize("name", MENDED)
def test_whole_pngs_are_read_whatever_lies_beside_the_pixels(name: str) -> None:
    assert np.array_equal(open_image(io.BytesIO(MENDED[name]), "it"), PICTURE)


def test_commands_read_them_too(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(MENDED["large text"])
    (tmp_path / "mask.png").write_bytes(MENDED["text with a wrong checksum"])
    (tmp_path / "strokes.png").write_bytes(MENDED["profile that is none"])
    words = ["--model", tiny_checkpoint, "--steps", 1, "--quiet"]
    assert sdedit("paint", "photo.png", *words).returncode == 0
    result = sdedit("edit", "photo.png", "--strokes", "strokes.png", "--mask", "mask.png", *words)
    assert result.returncode == 0, result.stderr
    assert sdedit("strokes", "photo.png").returncode == 0


def test_a_large_profile_is_honoured() -> None:
    profile = exchanged() + bytes(3 << 20)
    profile = struct.pack(">I", len(profile)) + profile[4:]
    data = altered(saved(Image.new("RGB", (4, 4), "red")), chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile)))
    assert open_image(io.BytesIO(data), "it").getpixel((1, 1))[2] > 200  # type: ignore[index]


def test_damaged_pixels_are_called_so() -> None:
    data = MENDED["text with a wrong checksum"]
    pixels = data.index(b"IDAT") + 12
    for spoilt in (data[:-60], data[:pixels] + bytes(8) + data[pixels + 8 :]):
        with pytest.raises(SdeditError, match="it is damaged or not a whole image"):
            open_image(io.BytesIO(spoilt), "it")


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_is_honoured_with_transparency_and_16_bits(mode: str) -> None:
    grey = Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)) if mode == "I;16" else Image.new(mode, (8, 8), 128)
    if mode == "LA":
        grey = Image.new("LA", (8, 8), (128, 255))
    red = open_image(io.BytesIO(saved(grey, icc_profile=linear_grey())), "it").getpixel((1, 1))
    assert red[0] == pytest.approx(188, abs=2)  # type: ignore[index]
    assert len(set(red)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_the_background_is_a_colour_in_srgb(mode: str) -> None:
    layer = Image.new("RGBA", (4, 4), (90, 90, 90, 0)).convert(mode)
    options: dict[str, object] = {"icc_profile": linear_grey() if mode == "LA" else exchanged()}
    if mode == "P":
        options["transparency"] = 0
        layer = Image.new("P", (4, 4), 0)
    pixel = open_image(io.BytesIO(saved(layer, **options)), "it", "#ff0000").getpixel((0, 0))
    assert pixel == (255, 0, 0)
