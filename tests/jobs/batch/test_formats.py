"""Folders of JPEG and WebP files: names, quality, resuming, replaying, and the ledger rebuilt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import sdedit
from sdedit.errors import SdeditError
from sdedit.jobs.batch.ledger import rebuild_ledger
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.folders import make_guides
from tests.helpers.models import sampled


@pytest.mark.parametrize("file_format", ["jpg", "webp"])
def test_a_folder_of_another_format_is_resumed_and_replayed(
    tiny_checkpoint: Path, tmp_path: Path, file_format: str
) -> None:
    guides = make_guides(tmp_path / "guides", 6)
    options = {"model": tiny_checkpoint, "sampling": sampled(2), "seed": 3, "file_format": file_format}
    results = list(sdedit.paint_files(guides, tmp_path / "out", **options))
    assert {Path(result.output).suffix for result in results} == {f".{file_format}"}
    assert {result.status for result in sdedit.paint_files(guides, tmp_path / "out", **options)} == {"skipped"}
    replayed = sdedit.replay(results[0].output)
    assert Path(replayed.output).read_bytes() == Path(results[0].output).read_bytes()
    Path(replayed.output).unlink()
    assert rebuild_ledger(tmp_path / "out") == 6


def test_edits_of_another_format(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    for folder, colour in (("photos", "teal"), ("strokes", "red")):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (40, 32), colour).save(tmp_path / folder / "a.png")
    words = ["edit", "photos", "--strokes", "strokes", "--model", tiny_checkpoint, "--steps", 1, "--format", "jpg"]
    sizes = []
    for quality in (30, 95):
        result = sdedit(*words, "-o", f"out-{quality}", "--jpeg-quality", quality, "--seed", 1, "--json", "--quiet")
        assert result.returncode == 0, result.stderr
        file = tmp_path / json.loads(result.stdout)["output"]
        assert file.name == "a.jpg"
        with Image.open(file) as image:
            assert image.format == "JPEG"
        sizes.append(file.stat().st_size)
    assert sizes[0] < sizes[1]


def test_formats_that_cannot_be(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    make_guides(tmp_path / "guides", 1)
    words = ["paint", "guides", "-o", "out", "--model", tiny_checkpoint]
    fails_in_one_sentence(sdedit(*words, "--format", "gif"), "--format", "webp")
    fails_in_one_sentence(sdedit(*words, "--format", "jpg", "--jpeg-quality", "0"), "--jpeg-quality")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"file_format": "bmp"}, {"jpeg_quality": 101}, {"jpeg_quality": 0}])
def test_formats_that_cannot_be_in_python(tiny_checkpoint: Path, tmp_path: Path, options: dict) -> None:
    make_guides(tmp_path / "guides", 1)
    with pytest.raises(SdeditError, match=r"one of png|in \[1, 100\]"):
        list(sdedit.paint_files(tmp_path / "guides", tmp_path / "out", model=tiny_checkpoint, **options))
