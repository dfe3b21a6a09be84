"""The recipe in PNG, JPEG and WebP files: told, repeated, and left out where it is not wanted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sdedit as package
from sdedit.errors import SdeditError
from sdedit.io.recipe import is_whole, read_recipe
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture


@pytest.fixture
def files(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    blocks_picture().save(tmp_path / "guide.png")
    blocks_picture(40, 32).save(tmp_path / "photo.jpg", exif=exif)
    layer = Image.new("RGBA", (40, 32))
    layer.paste((200, 30, 20, 255), (10, 8, 26, 24))
    layer.save(tmp_path / "strokes.png")
    return tmp_path


TASKS = {
    "paint": ["paint", "guide.png"],
    "edit": ["edit", "photo.jpg", "--strokes", "strokes.png"],
    "composite": ["composite", "photo.jpg", "strokes.png"],
}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".jfif"])
@pytest.mark.parametrize("task", TASKS)
def test_every_format_carries_it(sdedit: Command, tiny_checkpoint: Path, files: Path, task: str, suffix: str) -> None:
    name = f"made{suffix}"
    made = sdedit(*TASKS[task], "--model", tiny_checkpoint, "--steps", 2, "--json", "-o", name)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    recipe = json.loads(sdedit("info", name, "--json").stdout)
    assert recipe.items() <= told.items()
    assert recipe["task"] == task
    assert is_whole(files / name)
    if task != "paint":
        assert Image.open(files / name).getexif()[0x010E] == "a description"
    again = sdedit("replay", name)
    assert again.returncode == 0, again.stderr
    assert (files / f"made-replayed{suffix}").read_bytes() == (files / name).read_bytes()
    cut = files / f"cut{suffix}"
    cut.write_bytes((files / name).read_bytes()[:-3])
    assert not is_whole(cut)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("task", TASKS)
def test_it_is_left_out(sdedit: Command, tiny_checkpoint: Path, files: Path, task: str, suffix: str) -> None:
    name = f"made{suffix}"
    words = [*TASKS[task], "--model", tiny_checkpoint, "--steps", 1, "-o", name, "--no-recipe"]
    assert sdedit(*words).returncode == 0
    data = (files / name).read_bytes()
    assert b"tiny" not in data
    assert b"guide" not in data
    fails_in_one_sentence(sdedit("info", name), name, "carries no recipe")
    fails_in_one_sentence(sdedit("replay", name), name, "carries no recipe")


def test_a_folder_without_recipes_names_nothing(sdedit: Command, tiny_checkpoint: Path, files: Path) -> None:
    (files / "in").mkdir()
    for name in "ab":
        blocks_picture().save(files / "in" / f"{name}.png")
    (files / "in" / "secret.png").write_text("no picture")
    words = ["paint", "in", "-o", "out", "--model", tiny_checkpoint, "--steps", 1, "--no-recipe"]
    assert sdedit(*words).returncode == 3
    (files / "in" / "secret.png").unlink()
    for file in (files / "out").rglob("*"):
        assert not file.is_file() or not any(word in file.read_bytes() for word in (b"tiny", b"secret")), file
    again = sdedit(*words)
    assert again.returncode == 3
    assert "carries no recipe of sdedit; add --overwrite" in again.stderr.decode()
    assert sdedit(*words, "--overwrite").returncode == 0
    results = list(package.paint_files(files / "in", files / "out", model=tiny_checkpoint, skip_existing=True))
    assert {result.status for result in results} == {"skipped"}
    options = {"model": tiny_checkpoint, "sampling": "fast", "no_recipe": True}
    (result, *_) = package.paint_files(files / "in", files / "in-python", **options)
    with pytest.raises(SdeditError, match="carries no recipe"):
        read_recipe(Path(result.output))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_the_quality_of_a_file_with_losses_is_part_of_it(
    sdedit: Command, tiny_checkpoint: Path, files: Path, suffix: str
) -> None:
    words = ["paint", "guide.png", "--model", tiny_checkpoint, "--steps", 1, "--seed", 1]
    assert sdedit(*words, "-o", f"a{suffix}", "--jpeg-quality", 40).returncode == 0
    assert json.loads(sdedit("info", f"a{suffix}", "--json").stdout)["quality"] == 40
    assert sdedit("replay", f"a{suffix}", "-o", f"b{suffix}").returncode == 0
    assert (files / f"a{suffix}").read_bytes() == (files / f"b{suffix}").read_bytes()
    folder = ["paint", "guide.png", "photo.jpg", *words[2:], "--format", suffix[1:], "-o", "out"]
    assert sdedit(*folder, "--jpeg-quality", 40).returncode == 0
    again = sdedit(*folder)
    assert again.returncode == 3
    assert "it was made with quality 40, not 95; add --overwrite" in again.stderr.decode()
    assert sdedit(*folder, "--jpeg-quality", 40).returncode == 0


def test_an_edit_of_an_edit_has_its_own_recipe_only(sdedit: Command, tiny_checkpoint: Path, files: Path) -> None:
    words = ["--strokes", "strokes.png", "--model", tiny_checkpoint, "--steps", 1]
    for suffix in (".jpg", ".png", ".webp"):
        assert sdedit("edit", "photo.jpg", *words, "--seed", 1, "-o", f"a{suffix}").returncode == 0
        assert sdedit("edit", f"a{suffix}", *words, "--seed", 2, "-o", f"b{suffix}").returncode == 0
        recipe = read_recipe(files / f"b{suffix}")
        assert recipe is not None
        assert (recipe["seed"], recipe["guide"]) == (2, f"a{suffix}")
        assert sdedit("edit", f"a{suffix}", *words, "--no-recipe", "-o", f"c{suffix}").returncode == 0
        assert b"tiny" not in (files / f"c{suffix}").read_bytes()


def test_a_file_that_is_no_image_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("words")
    assert read_recipe(tmp_path / "a.jpg") is None
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "b.jpg")
    with pytest.raises(SdeditError, match="carries no recipe"):
        read_recipe(tmp_path / "b.jpg")
