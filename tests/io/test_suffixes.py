"""The endings of image files that are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, features

from tests.helpers.commands import Command
from tests.helpers.folders import pictures
from tests.helpers.images import blocks_picture

ENDINGS = [".jfif", ".jpe", *([".avif"] if features.check("avif") else [])]


@pytest.mark.parametrize("ending", ENDINGS)
def test_other_endings_are_taken(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path, ending: str) -> None:
    (tmp_path / "in").mkdir()
    photo = tmp_path / "in" / f"a{ending}"
    blocks_picture(40, 32).save(photo)
    words = ["--model", tiny_checkpoint, "--steps", 1, "--quiet"]
    assert sdedit("paint", "in", *words, "-o", "out").returncode == 0
    assert len(pictures(tmp_path / "out")) == 1
    assert sdedit("strokes", "in", "-o", "strokes").returncode == 0
    layer = Image.new("RGBA", (40, 32))
    layer.paste("red", (10, 8, 20, 20))
    layer.save(tmp_path / "layer.png")
    assert sdedit("edit", photo, "--strokes", "layer.png", *words, "-o", "edited.png").returncode == 0
