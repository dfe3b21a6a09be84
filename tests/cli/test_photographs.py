"""`sdedit strokes`, and how all commands walk folders and archives of photographs."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdedit.io.photograph_files import photograph_files
from sdedit.pipelines.strokes import simulate_strokes
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture


@pytest.fixture
def quick(tiny_checkpoint: Path) -> list[str]:
    return ["--model", str(tiny_checkpoint), "--steps", "3"]


def test_strokes_of_a_picture_and_of_an_archive(
    sdedit: Command, installed: Command, photos: Path, tmp_path: Path
) -> None:
    result = installed("strokes", "photos/3.png", "-o", "a.png")
    assert result.returncode == 0, result.stderr
    painted = Image.open(tmp_path / "a.png")
    expected = simulate_strokes(Image.open(photos / "3.png"))
    assert (np.asarray(painted) == np.asarray(expected)).all()
    assert len(painted.getcolors() or []) <= 6
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(photos, "photos")
    assert sdedit("strokes", "photos.tar", "--size", 10, "-o", "many").returncode == 0
    assert len(list((tmp_path / "many").iterdir())) == 12
    assert Image.open(tmp_path / "many" / "3.png").size == (12, 10)
    again = sdedit("strokes", "photos.tar", "-o", "many", "--size", 10)
    assert again.returncode == 0
    assert "0 simulated, 12 done before, 0 failed" in again.stderr.decode()
    fails_in_one_sentence(sdedit("strokes", "missing.png"), "missing.png")


def test_strokes_of_a_folder_have_the_manners_of_painting(sdedit: Command, photos: Path, tmp_path: Path) -> None:
    (photos / "sub").mkdir()
    (photos / ".hidden").mkdir()
    for name in ("3.jpg", "sub/a.png", ".hidden/x.png", "._3.png"):
        blocks_picture().save(photos / name)
    (photos / "bad.png").write_text("none")
    result = sdedit("strokes", "photos", "--json")
    assert result.returncode == 3
    told = {line["output"]: line["status"] for line in map(json.loads, result.stdout.splitlines())}
    assert told.pop("photos-strokes/bad.png") == "failed"
    assert {name.removeprefix("photos-strokes/") for name in told} == {
        *(f"{number}.png" for number in range(12)), "3.jpg.png", "sub/a.png",
    }  # fmt: skip
    said = result.stderr.decode()
    assert "14 simulated, 0 done before, 1 failed" in said
    assert "photos/bad.png is not a PNG" in said
    (tmp_path / "photos-strokes" / "sub" / "a.png").unlink()
    again = sdedit("strokes", "photos")
    assert "1 simulated, 13 done before, 1 failed" in again.stderr.decode()
    (photos / "bad.png").unlink()
    quiet = sdedit("strokes", "photos", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, b"photos-strokes\n", b"")


def test_strokes_of_another_size_or_hand_are_kept(sdedit: Command, photos: Path, tmp_path: Path) -> None:
    assert sdedit("strokes", "photos", "--size", 10).returncode == 0
    strokes = {file.name: file.read_bytes() for file in (tmp_path / "photos-strokes").iterdir()}
    other = sdedit("strokes", "photos", "--size", 12)
    assert other.returncode == 3
    assert (
        "12 of 12 are kept, the first since it was made with size 10, not 12; add --overwrite" in other.stderr.decode()
    )
    assert {file.name: file.read_bytes() for file in (tmp_path / "photos-strokes").iterdir()} == strokes
    blocks_picture().save(tmp_path / "photos-strokes" / "3.png")  # touched up by hand
    blocks_picture().save(photos / "4.png")
    (tmp_path / "photos-strokes" / "5.png").write_bytes(strokes["5.png"][:-20])
    mixed = sdedit("strokes", "photos", "--size", 10)
    assert mixed.returncode == 3
    assert "2 simulated, 9 done before, 1 kept, 0 failed" in mixed.stderr.decode()
    assert "it is not of this command" in mixed.stderr.decode()
    replaced = sdedit("strokes", "photos", "--size", 12, "--overwrite")
    assert replaced.returncode == 0
    assert Image.open(tmp_path / "photos-strokes" / "3.png").size == (14, 12)


def test_archives_are_named_for_what_they_are(sdedit: Command, quick: list[str], photos: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(photos / "3.png")
    for words in (
        ["strokes", "photos.zip"], ["evaluate", "photos.zip", "photos", *quick, "--features", "efficientnet-lite0"],
        ["models", "calibrate", quick[1], "photos.zip", "-o", "a.safetensors"],
    ):  # fmt: skip
        fails_in_one_sentence(sdedit(*words), "photos.zip is a zip archive; unpack it")
    (photos / "._3.png").write_text("a Mac's")
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(photos, ".")
    for place in (photos, tmp_path / "photos.tar"):
        assert not [file.name for file in photograph_files(place) if "._" in file.name]


@pytest.mark.parametrize("packed", [False, True])
def test_walkers_of_photographs_have_the_manners_of_painting(
    sdedit: Command, quick: list[str], photos: Path, tmp_path: Path, packed: bool
) -> None:
    (photos / "bad.png").write_text("none")
    (photos / "phone.heic").touch()
    (photos / ".hidden").mkdir()
    blocks_picture().save(photos / ".hidden" / "x.png")
    (photos / "elsewhere").symlink_to(tmp_path)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "[network]\nstem_channels = 16\nchannels = [16, 16]\nblocks = [1, 1]\npatch = 2\nresampling = 'mean'\n"
        "[data]\nsize = 16\n[budget]\npictures = 8\n[[batches]]\nside = 16\nshrink_to = 16\nbatch = 4\n"
    )
    place = "photos"
    if packed:
        place = "photos.tar"
        with tarfile.open(tmp_path / place, "w") as archive:
            archive.add(photos, "photos")
    assert sdedit("strokes", place, "-o", "guides").returncode == 3
    evaluated = sdedit("evaluate", "guides", place, *quick, "--features", "efficientnet-lite0", "--t0", "0.5")
    calibrated = sdedit("models", "calibrate", quick[1], place, "-o", "c.safetensors")
    trained = sdedit("train", recipe, "--data", place, "-o", "run")
    for result, code, end in (
        (evaluated, 3, "the table is without 1 of 25 images; it is listed above"),
        (calibrated, 3, "the calibration is without 1 of 13 images; it is listed above"),
        (trained, 0, "the model is run/model.safetensors, learnt without 1 image"),  # which is whole
    ):
        said = result.stderr.decode()
        assert result.returncode == code, said
        assert said.splitlines()[-1].removeprefix("sdedit: ") == end
        assert "photos/bad.png is not a PNG" in said
        assert "left out: " in said
        assert "phone.heic" in said
        assert packed or "photos/elsewhere" in said
        assert "hidden" not in said
    assert "12" in (tmp_path / "evaluation.csv").read_text().splitlines()[1].split(",")
    quiet = sdedit("models", "calibrate", quick[1], place, "-o", "d.safetensors")
    assert "bad.png" in quiet.stderr.decode()


def test_a_folder_that_is_shut_is_told(
    sdedit: Command, quick: list[str], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def guarded(path: str) -> object:
        if "shut" in str(path):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    (photos / "shut").mkdir()
    monkeypatch.setattr(os, "scandir", guarded)
    for words in (
        ["paint", "photos", "-o", "a", *quick], ["strokes", "photos", "-o", "b"],
        ["models", "calibrate", quick[1], "photos", "-o", "c.safetensors"],
    ):  # fmt: skip
        result = sdedit(*words)
        assert result.returncode == 3
        assert "the folder photos/shut cannot be read: permission denied" in result.stderr.decode()
