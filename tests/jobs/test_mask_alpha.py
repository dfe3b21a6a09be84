"""A hole in a photograph as its mask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sdedit as package
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.models import sampled

SIZE = (40, 32)
RGB = Image.fromarray(np.random.default_rng(1).integers(0, 255, (32, 40, 3), np.uint8))


def with_hole(mode: str = "RGBA") -> Image.Image:
    alpha = Image.new("L", SIZE, 255)
    alpha.paste(0, (10, 8, 26, 24))
    photo = RGB.convert(mode)
    photo.putalpha(alpha)
    return photo


HOLE = np.asarray(with_hole())[..., 3] == 0


@pytest.fixture
def files(tmp_path: Path) -> Path:
    with_hole().save(tmp_path / "photo.png")
    Image.new("RGB", SIZE, "olive").save(tmp_path / "strokes.png")
    RGB.save(tmp_path / "opaque.png")
    return tmp_path


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBA inverted"])
def test_what_is_transparent_is_filled(sdedit: Command, tiny_checkpoint: Path, files: Path, mode: str) -> None:
    photo = with_hole(mode.split()[0])
    photo.save(files / "photo.png")
    words = ["--mask", "alpha", *(["--invert-mask"] if "inverted" in mode else []), "--model", tiny_checkpoint]
    words += ["--steps", 2, "--seed", 1]
    made = sdedit("edit", "photo.png", "--strokes", "strokes.png", *words, "-o", "out.jpg")
    assert made.returncode == 0, made.stderr  # it is opaque
    assert sdedit("edit", "photo.png", "--strokes", "strokes.png", *words).returncode == 0
    edited = Image.open(files / "photo-edited.png")
    assert edited.mode == mode.split()[0].removesuffix("A")
    before, after = (np.asarray(p.convert("RGB")) for p in (photo, edited))
    kept = HOLE if "inverted" in mode else ~HOLE
    if "inverted" not in mode:
        assert (before[kept] == after[kept]).all()
        in_python = package.edit(
            package.load_model(tiny_checkpoint), photo, Image.open(files / "strokes.png"), "alpha",
            sampling=sampled(2), seed=1,
        )  # fmt: skip
        assert np.array_equal(in_python, edited)
    assert (before[~kept] != after[~kept]).any(axis=1).mean() > 0.8
    again = sdedit("replay", "photo-edited.png", "-o", "again.png")
    assert again.returncode == 0, again.stderr
    assert (files / "again.png").read_bytes() == (files / "photo-edited.png").read_bytes()


def test_a_folder_goes_on_where_it_was(sdedit: Command, tiny_checkpoint: Path, files: Path) -> None:
    (files / "in").mkdir()
    for name in "abc":
        with_hole().save(files / "in" / f"{name}.png")
    words = ["edit", "in", "--strokes", "strokes.png", "--model", tiny_checkpoint, "--steps", 1, "-o", "out", "--json"]
    for status in ("painted", "skipped"):
        result = sdedit(*words, "--mask", "alpha")
        assert result.returncode == 0, result.stderr
        assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == [status] * 3


def test_what_has_no_hole_is_refused(sdedit: Command, tiny_checkpoint: Path, files: Path) -> None:
    words = ["--mask", "alpha", "--model", tiny_checkpoint, "--quiet"]
    fails_in_one_sentence(sdedit("edit", "opaque.png", "--strokes", "strokes.png", *words), "opaque.png", "--mask")
    fails_in_one_sentence(sdedit("composite", "opaque.png", "photo.png", *words, "--invert-mask"), "mask of its own")
    assert sdedit("composite", "opaque.png", "photo.png", *words, "--steps", 1).returncode == 0
