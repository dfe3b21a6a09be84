"""TOML files as other programs and people write them: byte order marks, UTF-16, line ends of Windows, and home."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdedit.io.tables import read_toml
from tests.helpers.commands import Command, fails_in_one_sentence


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
