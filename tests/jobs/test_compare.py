"""What an edit changed outside its mask."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.evaluation import distances
from sdedit.jobs.compare import compare_outside
from sdedit.jobs.console import LOUD
from tests.helpers.commands import Command, fails_in_one_sentence


def test_an_edit_outside_its_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unavailable(*images: Tensor) -> Tensor:
        raise SdeditError("no weights")

    monkeypatch.setattr(distances, "masked_lpips", unavailable)
    before = Image.new("RGB", (8, 6), (10, 20, 30))
    after, mask = before.copy(), Image.new("L", (8, 6))
    after.paste((61, 20, 30), (0, 0, 4, 2))  # 8 pixels, of which the mask lets 6 change
    mask.paste(255, (0, 0, 3, 6))
    for name, picture in (("before", before), ("after", after), ("mask", mask)):
        picture.save(tmp_path / f"{name}.png")
    facts = compare_outside(tmp_path / "after.png", tmp_path / "before.png", tmp_path / "mask.png", LOUD)
    assert facts["kept pixels"] == 30
    assert facts["of them changed"] == 2
    assert facts["l2"] == pytest.approx(0.2 * math.sqrt(2), rel=1e-4)
    assert facts["rmse"] == pytest.approx(0.2 * math.sqrt(2 / 90), rel=1e-4)
    assert capsys.readouterr().err == "LPIPS was not measured: no weights\n"
    Image.new("L", (9, 6)).save(tmp_path / "mask.png")
    with pytest.raises(SdeditError, match="8x6 px"):
        compare_outside(tmp_path / "after.png", tmp_path / "before.png", tmp_path / "mask.png", LOUD)


def test_the_command_compares_files(sdedit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "masked_lpips", lambda *images: Tensor([0.25]))
    for name, colour in (("before", "red"), ("after", "red")):
        Image.new("RGB", (8, 6), colour).save(tmp_path / f"{name}.png")
    Image.new("L", (8, 6)).save(tmp_path / "mask.png")
    told = json.loads(sdedit("compare", "after.png", "before.png", "--mask", "mask.png", "--json").stdout)
    assert told == {"kept pixels": 48, "of them changed": 0, "l2": 0.0, "rmse": 0.0, "lpips": 0.25}
    fails_in_one_sentence(sdedit("compare", "after.png", "before.png"), "--mask")
    fails_in_one_sentence(sdedit("compare", "nothing.png", "before.png", "--mask", "mask.png"), "nothing.png")
