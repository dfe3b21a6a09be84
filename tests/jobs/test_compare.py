"""What an edit changed outside its mask."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.evaluation import distances
from sdedit.io.deep import write_deep_png
from sdedit.jobs.compare import compare_outside
from sdedit.jobs.console import LOUD
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.profiles import exchanged


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


def test_what_8_bits_in_srgb_do_not_show_is_compared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "masked_lpips", lambda *images: Tensor([0.0]))
    deep = np.full((6, 8, 3), 12345, np.uint16)
    clear = np.full((6, 8, 4), (9, 9, 9, 0), np.uint8)
    for name, values in (("deep", deep), ("clear", clear)):
        for number in range(2):
            values = values.copy()
            values[2, 3, 0] += number  # invisible: a lower bit, and under full transparency
            file = tmp_path / f"{name}-{number}.png"
            if values.dtype == np.uint16:
                with file.open("wb") as opened:
                    write_deep_png(Image.fromarray((values >> 8).astype(np.uint8)), values, opened)
            else:
                Image.fromarray(values).save(file)
    Image.new("L", (8, 6)).save(tmp_path / "mask.png")
    for name in ("deep", "clear"):
        files = [tmp_path / f"{name}-{number}.png" for number in range(2)]
        facts = compare_outside(files[1], files[0], tmp_path / "mask.png", LOUD)
        assert (facts["of them changed"], facts["l2"]) == (1, 0.0), name
        assert compare_outside(files[0], files[0], tmp_path / "mask.png", LOUD)["of them changed"] == 0


def test_other_numbers_for_the_same_colours_are_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "masked_lpips", lambda *images: Tensor([0.0]))
    picture = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "before.png")
    Image.fromarray(picture[..., ::-1].copy()).save(tmp_path / "after.png", icc_profile=exchanged())
    Image.new("L", (8, 6)).save(tmp_path / "mask.png")
    facts = compare_outside(tmp_path / "after.png", tmp_path / "before.png", tmp_path / "mask.png", LOUD)
    assert (facts["of them changed"], facts["l2"]) == (0, 0.0)


def test_a_download_says_nothing_on_standard_output(
    sdedit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lpips(*images: Tensor, **options: object) -> Tensor:
        print("Downloading: weights")
        return Tensor([0.5])

    monkeypatch.setattr("torchmetrics.functional.image.learned_perceptual_image_patch_similarity", lpips)
    for name in ("before", "after"):
        Image.new("RGB", (8, 6), "red").save(tmp_path / f"{name}.png")
    Image.new("L", (8, 6)).save(tmp_path / "mask.png")
    told = json.loads(sdedit("compare", "after.png", "before.png", "--mask", "mask.png", "--json").stdout)
    assert told["lpips"] == 0.5
