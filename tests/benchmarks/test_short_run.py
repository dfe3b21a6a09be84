"""The run on a borrowed GPU: parts, packs, and a whole plan on a processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.training import RECIPE

ROOT = Path(__file__).resolve().parents[2]
SHORT_RUN = ROOT / "benchmarks" / "short_run"

sys.path.insert(0, str(SHORT_RUN))
import parts  # noqa: E402


def _written(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("size", [0, 1, 100, 101, 350])
def test_parts_make_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(parts, "LARGEST", parts._HEADER + 100)
    content = bytes(range(256)) * 2
    file = _written(tmp_path, content[:size])
    written = parts.split(file, tmp_path / "out")
    assert len(written) == max(1, -(-size // 100))
    assert all(part.stat().st_size <= parts.LARGEST for part in written)
    parts.join(tmp_path / "out", tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == content[:size]


def test_new_parts_take_the_place_of_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGEST", parts._HEADER + 100)
    parts.split(_written(tmp_path, b"a" * 350), tmp_path / "out")
    parts.split(_written(tmp_path, b"b" * 250), tmp_path / "out")
    parts.join(tmp_path / "out", tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == b"b" * 250
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize("fault", ["missing", "damaged", "mixed", "none"])
def test_parts_that_do_not_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(parts, "LARGEST", parts._HEADER + 100)
    out = tmp_path / "out"
    out.mkdir()
    if fault != "none":
        first, *_ = parts.split(_written(tmp_path, b"a" * 350), out)
    if fault == "missing":
        first.unlink()
    elif fault == "damaged":
        first.write_bytes(first.read_bytes()[:-1] + b"x")
    elif fault == "mixed":
        old = first.read_bytes()
        parts.split(_written(tmp_path, b"b" * 350), out)
        first.write_bytes(old)
    done = subprocess.run(
        [sys.executable, SHORT_RUN / "parts.py", "join", out, tmp_path / "joined"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("parts: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "joined").exists()


def _photographs(folder: Path, count: int, side: int, seed: int) -> Path:
    folder.mkdir()
    generator = np.random.default_rng(seed)
    for index in range(count):
        rough = generator.integers(0, 255, (4, 4, 3), np.uint8)
        Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{seed}-{index:02}.jpg")
    return folder


SMALL = RECIPE.replace("pictures = 600", "minutes = 1").replace("checkpoint_minutes = 5", "checkpoint_minutes = 0.01")
SMALL += "\n[guidance]\nweight = 0.5\n"


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Packs of small photographs, with a plan and a recipe of the test's own in the work folder."""
    photographs = _photographs(tmp_path / "photographs", 24, 24, 1)
    validation = _photographs(tmp_path / "validation", 12, 24, 2)
    strokes = _photographs(tmp_path / "strokes", 12, 16, 1)
    words = ["--photographs", f"landscapes={photographs}", "--small", f"more={photographs}"]
    words += ["--validation", validation, "--val-strokes", validation, "--strokes", strokes, "--limit", "16"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, SHORT_RUN / "pack.py", tmp_path / "packs", *words], check=True, cwd=tmp_path, env=environment
    )
    work = tmp_path / "work"
    work.mkdir()
    for pack in sorted((tmp_path / "packs").iterdir()):
        assert pack.stat().st_size <= 16 << 20
        with tarfile.open(pack) as archive:
            archive.extractall(work, filter="data")
    return work


def test_a_plan_gives_a_model_and_what_tells_of_it(packs: Path, tmp_path: Path) -> None:
    assert not list(packs.rglob("*.safetensors")), "weights stay behind"
    assert {path.suffix for path in (packs / "data" / "more").iterdir()} == {".webp"}
    (packs / "code" / "recipe.toml").write_text(SMALL)
    plan = packs / "code" / "benchmarks" / "short_run" / "tiny.toml"
    stage = '[[stages]]\nname = "{}"\nrecipe = "recipe.toml"\nminutes = {}\ndata = {}\n'
    plan.write_text(
        stage.format("base", 0.02, '["landscapes", "more"]')
        + "keep = 0.5\n"
        + stage.format("guided", 0.01, '["landscapes", "strokes"]')
        + 'start = "base"\nweak = "base-early"\n'
        + stage.format("contrasted", 0.01, '["landscapes"]')
        + 'start = "guided"\npainted = true\n'
    )
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": f"{packs / 'code'}{os.pathsep}{packs / 'site'}"}
    script = packs / "code" / "benchmarks" / "short_run" / "run.py"
    words = ["tiny", "--minutes", "8", "--out", out, "--work", packs, "--device", "cpu"]
    done = subprocess.run([sys.executable, script, *words], cwd=packs, env=environment, capture_output=True, text=True)
    log = (out / "run.log").read_text()
    assert done.returncode == 0, log
    assert {path.name for path in out.iterdir()} == {
        "model.safetensors.part-1-of-1", "run.log", "table.csv", "log.csv", "preview.jpg",
    }  # fmt: skip
    parts.join(out, tmp_path / "model.safetensors")
    header = json.loads((out / "model.safetensors.part-1-of-1").read_bytes().partition(b"\n")[0])
    assert header["of"] == 1
    stages = [line.split(",")[0] for line in (out / "table.csv").read_text().splitlines()]
    assert stages == ["stage", "base", "guided", "contrasted"]

    from sdedit import load_model

    assert load_model(str(tmp_path / "model.safetensors"), "cpu").native_size == 16
