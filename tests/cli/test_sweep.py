"""`sdedit sweep` and `evaluate`, and the walk-through's scripts."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdedit.cli.types import T0Range
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.folders import REPOSITORY
from tests.helpers.images import blocks_picture

WALKTHROUGH = REPOSITORY / "examples" / "walkthrough"


@pytest.fixture
def quick(tiny_checkpoint: Path) -> list[str]:
    return ["--model", str(tiny_checkpoint), "--steps", "3"]


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
