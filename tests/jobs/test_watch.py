"""Painting again each time a guide is saved."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sdedit.io.recipe import read_recipe
from tests.helpers.commands import SDEDIT, fails_in_one_sentence
from tests.helpers.images import blocks_picture

pytest.importorskip("watchfiles")

PATIENCE = 300  # seconds for what takes one or two where nothing else runs


def watch(*words: object) -> subprocess.Popen:
    command = [SDEDIT, "paint", *map(str, words), "--watch", "--steps", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def until(condition: Callable[[], object], process: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.stderr.read()  # type: ignore[union-attr]
        assert time.monotonic() < end
        time.sleep(0.05)


def stop(process: subprocess.Popen, number: signal.Signals, code: int) -> str:
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def test_a_guide_is_painted_each_time_it_is_saved(tiny_checkpoint: Path, guide: Path, tmp_path: Path) -> None:
    painted = tmp_path / "strokes-painted.png"
    process = watch(guide, "--model", tiny_checkpoint)
    until(painted.exists, process)
    first = read_recipe(painted)
    assert first is not None

    def repainted_from(picture: Path) -> bool:
        recipe = read_recipe(painted)
        assert recipe is not None
        assert recipe["seed"] == first["seed"]  # the same noise, so that only the strokes change
        return (recipe["width"], recipe["height"]) == Image.open(picture).size

    # Saved slowly, in two halves, as large files are.
    for_later = tmp_path / "new.png"
    Image.effect_noise((16, 32), 90).convert("RGB").save(for_later)
    data = for_later.read_bytes()
    with guide.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        time.sleep(1)
        file.write(data[len(data) // 2 :])
    until(lambda: repainted_from(for_later), process)
    # Saved as drawing programs do: another file renamed over it.
    blocks_picture(48, 16).save(for_later)
    other = tmp_path / "other.png"
    other.write_bytes(for_later.read_bytes())
    other.replace(guide)
    until(lambda: repainted_from(for_later), process)
    said = stop(process, signal.SIGINT, 130)
    assert "left out" not in said


def test_a_folder_is_watched_for_new_and_changed_guides(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides, out = tmp_path / "guides", tmp_path / "guides" / "out"
    guides.mkdir()
    blocks_picture().save(guides / "a.png")
    process = watch(guides, "-o", out, "--model", tiny_checkpoint, "--seed", 1)
    until((out / "a.png").exists, process)
    (guides / "sub").mkdir()
    (guides / "bad.png").write_text("no picture")

    def painted_once_its_folder_is_watched() -> bool:  # which is some time after it is made
        blocks_picture().save(guides / "sub" / "b.png")
        time.sleep(1)
        return (out / "sub" / "b.png").exists()

    until(painted_once_its_folder_is_watched, process)
    before = (out / "a.png").read_bytes()
    blocks_picture(20, 20).save(guides / "a.png")
    until(lambda: (out / "a.png").read_bytes() != before, process)
    said = stop(process, signal.SIGTERM, 143)
    assert "left out" in said
    assert "bad.png" in said
    assert {path.name for path in out.rglob("*.png")} == {"a.png", "b.png"}


def test_without_the_library(tiny_checkpoint: Path, guide: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "watchfiles.py").write_text("raise ImportError")
    paths = os.pathsep.join(filter(None, [str(tmp_path / "hidden"), os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [SDEDIT, "paint", guide, "--watch", "--quiet"], capture_output=True, env={**os.environ, "PYTHONPATH": paths}
    )
    fails_in_one_sentence(result, "pip install 'sdedit[watch]'")


def test_what_another_recipe_made_is_not_replaced_by_a_save(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides, out = tmp_path / "guides", tmp_path / "out"
    guides.mkdir()
    blocks_picture().save(guides / "a.png")
    words = [SDEDIT, "paint", guides, "-o", out, "--model", tiny_checkpoint, "--seed", "1", "--steps", "3", "--quiet"]
    assert subprocess.run(words, check=False).returncode == 0
    before = (out / "a.png").read_bytes()
    blocks_picture(20, 20).save(guides / "b.png")
    process = watch(guides, "-o", out, "--model", tiny_checkpoint, "--seed", 1)
    until((out / "b.png").exists, process)
    blocks_picture(20, 20).save(guides / "a.png")
    blocks_picture(20, 20).save(guides / "c.png")
    until((out / "c.png").exists, process)
    assert (out / "a.png").read_bytes() == before
    assert "kept" in stop(process, signal.SIGTERM, 143)
