"""The benchmarks of quality and of batches run, on a model and on pictures so small that their figures mean nothing."""

from __future__ import annotations

import csv
import runpy
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.score_model import ScoreModel
from sdedit.evaluation.features import FEATURES
from sdedit.pipelines.auto_t0 import CALIBRATION, calibrate

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def folder(tiny_model: ScoreModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with model.safetensors, guides and photographs; features are means of pixels."""
    calibration = calibrate(tiny_model, torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    save_checkpoint(
        replace(tiny_model, card={"name": "tiny", CALIBRATION: asdict(calibration)}), tmp_path / "model.safetensors"
    )
    rng = np.random.default_rng(0)
    for place in ("guides", "photographs"):
        (tmp_path / place).mkdir()
        for number in range(10):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / place / f"{number}.png")
    monkeypatch.setitem(FEATURES, "efficientnet-lite0", lambda device: lambda images: images.mean(dim=3).flatten(1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, name: str, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", [name, *words])
    runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize(
    ("name", "words", "rows"),
    [
        ("auto_t0", [], 3),
        ("precision", ["--steps", "2"], 4),
        ("solvers", ["--only", "er-sde,2,karras", "heun,3,karras", "--seeds", "2"], 4),
    ],
)
def test_tables(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: list[str], rows: int) -> None:
    table = folder / "table.csv"
    run(monkeypatch, name, "guides", "photographs", "table.csv", "--model", "model.safetensors", *words)
    with table.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == rows
    assert all(int(line["guides"]) == 10 and float(line["l2"]) > 0 for line in lines)


def test_solvers_go_on_with_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["guides", "photographs", "table.csv", "--model", "model.safetensors", "--only", "er-sde,2,karras"]
    run(monkeypatch, "solvers", *words)
    before = (folder / "table.csv").read_text()
    run(monkeypatch, "solvers", *words)
    assert (folder / "table.csv").read_text() == before
    run(monkeypatch, "solvers", *words, "er-sde,3,karras")
    assert (folder / "table.csv").read_text().startswith(before)
    assert len((folder / "table.csv").read_text().splitlines()) == 3


def test_guidance(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    words = ["model.safetensors", "model.safetensors", "guides", "photographs", "--weights", "0", "2"]
    run(monkeypatch, "guidance", *words)
    none, some = capsys.readouterr().out.splitlines()
    # Guided away from itself a model answers as ever.
    assert none.removeprefix("weight 0: ") == some.removeprefix("weight 2: ")


def test_batching(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    run(monkeypatch, "batching", "--rounds", "1", "--batch", "4", "--model", "model.safetensors")
    assert "one by one" in capsys.readouterr().out
