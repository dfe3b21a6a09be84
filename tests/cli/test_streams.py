"""Closed streams, full disks behind them, folders that are shut, names too long, and nobody at home: one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sdedit.errors import SdeditError
from sdedit.jobs.paint_files import paint_files
from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture
from tests.helpers.models import sampled

LONG = "n" * 300 + ".png"
COMMANDS = [
    ("paint", "{}"), ("paint", "strokes.png", "-o", "{}"), ("paint", "strokes.png", "--animate", "{}.gif"),
    ("paint", "strokes.png", "strokes.png", "-o", "{}/out"), ("paint", "--from-file", "{}", "-o", "out"),
    ("paint", "strokes.png", "--config", "{}"), ("paint", "--save-config", "{}"),
    ("edit", "{}", "--strokes", "strokes.png"), ("edit", "strokes.png", "--strokes", "{}"),
    ("edit", "strokes.png", "--strokes", "strokes.png", "--mask", "{}"), ("composite", "{}", "strokes.png"),
    ("composite", "strokes.png", "{}"), ("sweep", "{}"), ("sweep", "strokes.png", "-o", "{}"), ("strokes", "{}"),
    ("strokes", "strokes.png", "-o", "{}"), ("replay", "{}"), ("info", "{}"), ("rebuild", "{}"),
    ("compare", "{}", "strokes.png", "--mask", "strokes.png"), ("evaluate", "{}", "strokes.png"),
    ("models", "verify", "{}"), ("models", "convert", "{}", "x"), ("models", "convert", "landscapes-128", "{}"),
    ("train", "{}", "--data", "strokes.png", "-o", "run"), ("paint", "strokes.png", "--model", "{}"),
]  # fmt: skip


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a file in a folder that may not be entered, which holds for root too."""
    stat, open_ = os.stat, os.open

    def guarded(path: object, *arguments: object, **options: object) -> os.stat_result:
        if "shut" in str(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return stat(path, *arguments, **options)  # type: ignore[arg-type]

    def guarded_open(path: object, *arguments: object, **options: object) -> int:
        guarded(path) if "shut" in str(path) else None
        return open_(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", guarded)
    monkeypatch.setattr(os, "open", guarded_open)
    return "shut/a.png"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_names_too_long_and_shut_folders(sdedit: Command, guide: Path, shut: str, words: tuple[str, ...]) -> None:
    for name in (LONG, shut):
        fails_in_one_sentence(sdedit(*(word.format(name) for word in words)))


def test_in_a_folder_it_is_one_failed_guide(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    blocks_picture().save(tmp_path / "guides" / "a.png")
    blocks_picture().save(tmp_path / "guides" / f"{'n' * 249}.bmp")  # n….bmp-1.png is too long, n…-1.png is not
    blocks_picture().save(tmp_path / "guides" / f"{'n' * 249}.png")
    results = list(
        paint_files(tmp_path / "guides", tmp_path / "out", model=tiny_checkpoint, sampling=sampled(1), variants=2)
    )
    assert sorted(result.status for result in results) == ["failed"] * 2 + ["painted"] * 4
    assert all("too long" in str(result.error) for result in results if result.status == "failed")
    with pytest.raises(SdeditError, match="too long"):
        list(paint_files(tmp_path / "guides", tmp_path / ("n" * 300), model=tiny_checkpoint))


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    """A line of the shell, with $sdedit as the command."""
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, cwd=folder, env={**os.environ, "sdedit": SDEDIT}, check=False
    )


def test_in_a_folder_of_strokes_and_edits_too(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", f"{'n' * 250}.png", f"{'n' * 250}.jpg"):  # the last becomes n….jpg.png, which is too long
        blocks_picture().save(tmp_path / "photos" / name)
    Image.new("RGB", (24, 20), "red").save(tmp_path / "strokes.png")
    edit = ["edit", "photos", "--strokes", "strokes.png", "--model", tiny_checkpoint, "--steps", 1, "-o", "edited"]
    for words, verb in ((["strokes", "photos"], "simulated"), (edit, "painted")):
        result = sdedit(*words)
        assert result.returncode == 3
        assert f"2 {verb}, 0 done before, 1 failed" in result.stderr.decode()
        assert "too long" in result.stderr.decode()
        assert f"1 of 3 could not be {verb}; it is listed above" in result.stderr.decode()


def test_closed_and_full_streams(guide: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    paint = f"$sdedit paint strokes.png --steps 1 --model {tiny_checkpoint} --seed 1"
    for command, code, said in (
        (f"{paint} -o a.png 2>&-", 0, ""),
        (f"{paint} -o b.png <&- >&- 2>&-", 0, ""),
        (f"{paint} -o - >&-", 1, "standard output is closed"),
        (f"{paint} -o - >/dev/full", 1, "no space left"),
        (f"env -u HOME {paint} --quiet -o c.png 2>/dev/full", 0, ""),
        ("$sdedit paint - -o d.png <&-", 1, "standard input is closed"),
        ("$sdedit info a.png >/dev/full", 1, "no space left"),
        ("$sdedit paint missing.png 2>/dev/full", 1, ""),
        ("$sdedit strokes strokes.png -o - >/dev/full", 1, "no space left"),
    ):
        result = run(command, tmp_path)
        error = result.stderr.decode()
        assert result.returncode == code, (command, error)
        assert said in error, command
        assert "Traceback" not in error, command
        assert "Exception ignored" not in error, command
    assert {"a.png", "b.png", "c.png"} < {path.name for path in tmp_path.iterdir()}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that all users can write in, as tmp_path is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


NOBODY = 54321  # a user whom the system's list does not have
AS_NOBODY = [
    *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"),
    # Python itself may lie in the home folder of root.
    *("--inh-caps", "+dac_read_search,+dac_override", "--ambient-caps", "+dac_read_search,+dac_override"),
]


@pytest.mark.skipif(
    shutil.which("setpriv") is None or subprocess.run([*AS_NOBODY, "true"], check=False).returncode != 0,
    reason="only root can become another user",
)
def test_nobody_with_no_home(guide: Path, tiny_checkpoint: Path, folder: Path) -> None:
    for file in (guide, tiny_checkpoint):
        shutil.copy(file, folder)
    (folder / "home.toml").write_text("model = '~/a.safetensors'")
    (folder / "list.txt").write_text("~/a.png")
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    for words, code, said in (
        (["paint", "strokes.png", "--model", tiny_checkpoint.name, "--steps", "1", "-o", "a.png"], 0, "wrote a.png"),
        (["models", "list"], 0, ""),
        (["info", "church", "--offline"], 1, "nothing says where the home folder is, in which models are kept"),
        (["paint", "strokes.png", "--config", "home.toml"], 1, "nothing says where home is; write the whole path"),
        (["paint", "--from-file", "list.txt", "-o", "out"], 1, "nothing says where home is; write the whole path"),
    ):
        command = [*AS_NOBODY, sys.executable, "-m", "sdedit", *map(str, words)]
        result = subprocess.run(command, capture_output=True, cwd=folder, env=environment, check=False)
        error = result.stderr.decode()
        assert result.returncode == code, error
        assert said in error
        assert "Traceback" not in error
