"""A folder of malformed and unusual pictures goes through the command: each painted right, or listed with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers.commands import Command
from tests.helpers.corpus import make_corpus
from tests.helpers.images import blocks_picture

TWO_TONES = {"mode-1.png", "palette-1.png", "palette-2.png"}  # too few colours to compare


def test_corpus(installed: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    verdicts = make_corpus(tmp_path / "guides")
    assert len(verdicts) >= 150
    options = ["--model", tiny_checkpoint, "--steps", 2, "--t0", 0.00001, "--size", "24x20", "--json"]
    result = installed("paint", "guides", "-o", "out", *options)
    said = result.stderr.decode()
    assert result.returncode == 3, said
    assert "Traceback" not in said
    assert "Warning" not in said
    results = {Path(line["input"]).name: line for line in map(json.loads, result.stdout.splitlines())}
    assert results.keys() == verdicts.keys()
    expected = np.asarray(blocks_picture()).astype(int)
    for name, verdict in verdicts.items():
        line = results[name]
        assert line["status"] == {"good": "painted", "bad": "failed"}.get(verdict, line["status"]), (
            name,
            line["error"],
        )
        if line["status"] == "failed":
            assert name.replace("\n", " ") in line["error"], line
            assert line["error"].count("\n") == 0
            assert not Path(tmp_path, line["output"]).exists()
            continue
        with Image.open(tmp_path / line["output"]) as picture:
            picture.load()
            assert (picture.mode, picture.size) == ("RGB", (24, 20))
            wanted = expected
            if "grey" in name or "16" in name or name.startswith(("float", "int32", "mode-LA")):
                wanted = np.asarray(blocks_picture().convert("L").convert("RGB")).astype(int)
            if verdict == "good" and name not in TWO_TONES:
                assert np.abs(np.asarray(picture) - wanted).mean() < 10, name
    failed = sum(line["status"] == "failed" for line in results.values())
    assert f"{failed} of {len(verdicts)} could not be painted" in said.splitlines()[-1]
    painted = {line["output"] for line in results.values() if line["status"] == "painted"}
    assert len(painted) == len(verdicts) - failed
