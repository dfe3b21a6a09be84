"""Pictures of 16 bits a channel keep every bit outside the mask, or it is said that they do not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sdedit as package
from sdedit.io.deep import read_deep_colours, write_deep_png
from tests.helpers.commands import Command
from tests.helpers.models import sampled

SIZE = (40, 32)
MASK = Image.new("L", SIZE)
MASK.paste(255, (10, 8, 26, 24))
KEPT = np.asarray(MASK) == 0


def levels(channels: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 65536, (32, 40, channels), dtype=np.uint16)


def save(file: Path, values: np.ndarray) -> None:
    if values.shape[2] == 1:
        Image.fromarray(values[..., 0]).save(file)
    else:
        shallow = Image.fromarray((values >> 8).astype(np.uint8))
        with file.open("wb") as opened:
            write_deep_png(shallow, values, opened)


def load(file: Path) -> np.ndarray:
    image = Image.open(file)
    if image.mode == "I;16":
        return np.asarray(image).astype(np.uint16)[..., None]
    deep = read_deep_colours(io.BytesIO(file.read_bytes()))
    assert deep is not None
    return deep


@pytest.fixture
def words(tiny_checkpoint: Path, tmp_path: Path) -> list[object]:
    Image.new("RGB", SIZE, "red").save(tmp_path / "strokes.png")
    MASK.save(tmp_path / "mask.png")
    return ["--strokes", "strokes.png", "--mask", "mask.png", "--model", tiny_checkpoint, "--steps", 2, "--seed", 1]


@pytest.mark.parametrize(
    ("channels", "before", "after"),
    [(1, ".png", ".png"), (1, ".tif", ".tif"), (1, ".tif", ".png"), (3, ".png", ".png"), (4, ".png", ".png")],
)
def test_every_bit_is_kept_outside_the_mask(
    sdedit: Command, words: list[object], tmp_path: Path, channels: int, before: str, after: str
) -> None:
    values = levels(channels)
    save(tmp_path / f"photo{before}", values)
    assert np.array_equal(load(tmp_path / f"photo{before}"), values)
    result = sdedit("edit", f"photo{before}", *words, "-o", f"out{after}")
    assert result.returncode == 0, result.stderr
    edited = load(tmp_path / f"out{after}")
    assert np.array_equal(edited[KEPT], values[KEPT])
    assert (edited[~KEPT][:, :3] != values[~KEPT][:, :3]).any(axis=1).mean() > 0.8
    if channels == 4:
        assert np.array_equal(edited[..., 3], values[..., 3])
    if after == ".png":
        assert sdedit("info", "out.png").returncode == 0
        assert sdedit("replay", "out.png", "-o", "again.png").returncode == 0
        assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(("channels", "after"), [(3, ".tif"), (1, ".jpg"), (1, ".webp"), (3, ".bmp")])
def test_formats_of_8_bits_are_named(
    sdedit: Command, words: list[object], tmp_path: Path, channels: int, after: str
) -> None:
    save(tmp_path / "photo.png", levels(channels))
    result = sdedit("edit", "photo.png", *words, "-o", f"out{after}")
    assert result.returncode == 0, result.stderr
    assert f"photo.png has 16 bits a channel and out{after} gets 8" in result.stderr.decode()


def test_python_keeps_16_bits_of_grey(tiny_checkpoint: Path) -> None:
    values = levels(1)[..., 0]
    model = package.load_model(tiny_checkpoint)
    edited = package.edit(model, Image.fromarray(values), Image.new("RGB", SIZE, "red"), MASK, sampling=sampled(2))
    assert edited.mode == "I;16"
    assert np.array_equal(np.asarray(edited)[KEPT], values[KEPT])
