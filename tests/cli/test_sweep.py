"""`sdedit sweep`, `evaluate` and `strokes`, and the walk-through's scripts."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdedit.cli.types import T0Range
from sdedit.io.photograph_files import photograph_files
from sdedit.pipelines.strokes import simulate_strokes
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.folders import REPOSITORY
from tests.helpers.images import blocks_picture

WALKTHROUGH = REPOSITORY / "examples" / "walkthrough"


@pytest.fixture
def quick(tiny_checkpoint: Path) -> list[str]:
    return ["--model", str(tiny_checkpoint), "--steps", "3"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save(folder / f"{index}.png")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_sweep(sdedit: Command, installed: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    result = installed("sweep", guide, *quick, "--t0", "0.2:0.6:0.2", "--seeds", 2, "--seed", 5, "--plot", "--quiet",
                       "--sampler", "ancestral")  # fmt: skip
    assert result.returncode == 0, result.stderr
    names = ["strokes-sweep.png", "strokes-sweep.csv", "strokes-sweep-plot.png"]
    assert [Path(line).name for line in result.stdout.decode().splitlines()] == names
    table = rows(tmp_path / "strokes-sweep.csv")
    assert [(row["t0"], row["seed"]) for row in table] == [(t, s) for t in ("0.2", "0.4", "0.6") for s in ("5", "6")]
    own = sdedit("paint", guide, *quick, "--t0", "0.4", "--seed", 6, "--sampler", "ancestral", "-o", "own.png")
    assert own.returncode == 0, own.stderr
    given = blocks_picture().resize((19, 16), Image.Resampling.LANCZOS)
    difference = (np.asarray(Image.open(tmp_path / "own.png")).astype(float) - np.asarray(given)) / 255
    assert float(table[3]["l2"]) == pytest.approx(np.linalg.norm(difference), rel=0.02)
    assert Image.open(tmp_path / "strokes-sweep.png").width > 4 * 192
    again = sdedit("sweep", guide, *quick, "--quiet")
    fails_in_one_sentence(again, "strokes-sweep.png", "--overwrite")


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0.2:0.8:0.2", (0.2, 0.4, 0.6, 0.8)),
        ("0.1:0.9:0.1", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
        ("0.1:0.45:0.2", (0.1, 0.3)),
        ("0.5", (0.5,)),
        ("0.3,0.1", (0.3, 0.1)),
    ],
)
def test_ranges_of_t0(text: str, times: tuple[float, ...]) -> None:
    assert T0Range().convert(text, None, None) == times


@pytest.mark.parametrize("text", ["0:0.5:0.1", "0.5:0.1:0.1", "0.1:0.5:0", "a", "", "0.1:0.2", "0.1:1.5:0.1", "nan"])
def test_ranges_that_are_none(text: str) -> None:
    import click

    with pytest.raises(click.BadParameter, match=r"0\.2:0\.8:0\.1"):
        T0Range().convert(text, None, None)


def test_evaluate(sdedit: Command, quick: list[str], photos: Path, tmp_path: Path) -> None:
    assert sdedit("strokes", "photos").returncode == 0
    result = sdedit("evaluate", "photos-strokes", "photos", *quick, "--features", "efficientnet-lite0",
                    "--t0", "0.2,0.7", "-o", "curve.csv", "--plot", "--limit", 11)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode().split() == ["curve.csv", "curve.png"]
    assert "11 guides and 12 photographs at 16 px" in result.stderr.decode()
    table = rows(tmp_path / "curve.csv")
    assert [row["t0"] for row in table] == ["0", "0.2", "0.7"]
    assert 0 == float(table[0]["l2"]) < float(table[1]["l2"]) < float(table[2]["l2"])
    assert {row["features"] for row in table} == {"efficientnet-lite0"}
    assert all(float(row["kid_error"]) > 0 for row in table)
    few = tmp_path / "few"
    few.mkdir()
    blocks_picture().save(few / "a.png")
    words = ["--features", "efficientnet-lite0", "-o", "b.csv", "--quiet"]
    fails_in_one_sentence(sdedit("evaluate", "photos", "few", *quick, *words), "at least 10 photographs", "there are 1")
    fails_in_one_sentence(sdedit("evaluate", "few", "photos", *quick, *words), "at least 10 guides", "there are 1")
    assert not (tmp_path / "b.csv").exists()


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


@pytest.mark.parametrize("script", sorted(WALKTHROUGH.glob("*.sh")), ids=lambda path: path.stem)
def test_the_walk_through_runs(sdedit: Command, script: Path, tmp_path: Path) -> None:
    commands, results = tmp_path / "commands", tmp_path / "results"
    note_down = tmp_path / "bin" / "sdedit"
    note_down.parent.mkdir()
    note_down.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >> {commands}\nprintf '\\n' >> {commands}\n")
    note_down.chmod(0o755)
    path = f"{note_down.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", script, results], env={**os.environ, "STEPS": "1", "PATH": path}, check=True)
    for words in commands.read_text().splitlines():
        result = sdedit(*words.split("\0")[:-1])
        assert result.returncode == 0, result.stderr
    shown = {file.name for file in (WALKTHROUGH / "results").iterdir()}
    made = {file.name for file in results.iterdir()}
    assert made
    assert made <= shown
    for name in made:
        if name.endswith(".png") and "sweep" not in name:
            assert Image.open(results / name).size == Image.open(WALKTHROUGH / "results" / name).size


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
    assert rows(tmp_path / "evaluation.csv")[0]["photographs"] == "12"
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
