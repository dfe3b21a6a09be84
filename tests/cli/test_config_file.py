"""TOML files as other programs and people write them: byte order marks, UTF-16, line ends of Windows, and home."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sdedit.io.tables import read_toml
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "ü.toml"
    file.write_bytes("steps = 1\r\nmodel = '~/tiny.safetensors'\r\noutput = '~/out.png'\r\n".encode(encoding))
    assert read_toml(file)["steps"] == 1
    home = tmp_path / "home"
    home.mkdir()
    (home / "tiny.safetensors").symlink_to(tiny_checkpoint)
    result = sdedit("paint", guide, "--config", file, "--overwrite", env={"HOME": str(home)})
    assert result.returncode == 0, result.stderr
    assert (home / "out.png").exists()


def test_what_is_no_toml(sdedit: Command, guide: Path, tmp_path: Path) -> None:
    for data in (b"\xff\xfe\x00", b"caf\xe9 = 1", guide.read_bytes()):
        (tmp_path / "a.toml").write_bytes(data)
        fails_in_one_sentence(sdedit("paint", guide, "--config", "a.toml"), "a.toml is not a TOML file")


def test_home_in_lists_and_in_options_of_edits(
    sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "tiny.safetensors").symlink_to(tiny_checkpoint)
    blocks_picture().transpose(Image.Transpose.ROTATE_180).save(home / "strokes.png")
    (tmp_path / "a.toml").write_text(
        "strokes = '~/strokes.png'\nmodel = '~/tiny.safetensors'\nsteps = 1\nexclude = ['~/x', 'y*']\n"
    )
    result = sdedit("edit", guide, "--config", "a.toml", "-o", "out.png", env={"HOME": str(home)})
    assert result.returncode == 0, result.stderr
    words = ["edit", guide, "--config", "a.toml", "--save-config", "b.toml", "-o", "c.png"]
    assert sdedit(*words, env={"HOME": str(home)}).returncode == 0
    assert read_toml(tmp_path / "b.toml")["exclude"] == [f"{home}/x", "y*"]


@pytest.mark.parametrize(
    "words",
    [
        ["paint", "strokes.png", "--t0", "0.4"], ["edit", "strokes.png", "--strokes", "other.png", "--context", "1.0"],
        ["composite", "strokes.png", "other.png", "--at", "3,-2"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_file_of_options_is_not_replaced_unasked(
    sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path, words: list[str]
) -> None:
    blocks_picture().transpose(Image.Transpose.ROTATE_180).save(tmp_path / "other.png")
    words = [*words, "--model", str(tiny_checkpoint), "--steps", "1", "--save-config", "kept.toml"]
    first = sdedit(*words, "-o", "a.png")
    assert first.returncode == 0, first.stderr
    assert "wrote kept.toml" in first.stderr.decode()
    before = (tmp_path / "kept.toml").read_bytes()
    (tmp_path / "a.png").unlink()
    assert sdedit(*words, "-o", "a.png").returncode == 0  # it says the same
    fails_in_one_sentence(sdedit(*words, "-o", "b.png", "--repeats", 2), "kept.toml exists", "--overwrite")
    assert not (tmp_path / "b.png").exists()
    assert (tmp_path / "kept.toml").read_bytes() == before
    assert sdedit(*words, "-o", "b.png", "--repeats", 2, "--overwrite").returncode == 0
    kept = read_toml(tmp_path / "kept.toml")
    assert kept["repeats"] == 2
    assert "overwrite" not in kept  # which was for this run


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["paint", "strokes.png"], {"t0": "auto:0.2:0.7"}), (["paint", "strokes.png"], {"size": "24x16", "t0": "0.3"}),
        (["composite", "strokes.png", "other.png"], {"at": "4,-3", "scale": "0.5"}),
    ],
)  # fmt: skip
def test_what_is_saved_can_be_read(
    sdedit: Command, guide: Path, tmp_path: Path, command: list[str], words: dict[str, str]
) -> None:
    blocks_picture().save(tmp_path / "other.png")
    given = [word for name, value in words.items() for word in (f"--{name}", value)]
    sdedit(*command, *given, "--save-config", "a.toml", "--model", "nowhere")
    saved = read_toml(tmp_path / "a.toml")
    assert {name: str(saved[name]) for name in words} == words
    again = sdedit(*command, "--config", "a.toml")
    fails_in_one_sentence(again, "nowhere")
