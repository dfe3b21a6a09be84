"""The t0 that a model suggests, and the calibration it needs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from sdedit.checkpoints.load import load_model
from sdedit.errors import SdeditError
from sdedit.pipelines.auto_t0 import (
    CALIBRATION,
    Calibration,
    calibrate,
    calibration_of,
    denoising_errors,
    find_t0,
    suggest_t0,
)
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.denoisers import ClosedForm, ideal_denoiser

STD = 0.02


@pytest.fixture
def ideal() -> ClosedForm:
    return ideal_denoiser(0.5, STD)


def photographs(count: int = 40, side: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    contrast = STD * torch.exp(0.1 * torch.randn(count, 1, 1, 1, generator=generator))
    return 0.5 + contrast * torch.randn(count, 3, side, side, generator=generator)


def test_errors_of_a_gaussian(ideal: ClosedForm) -> None:
    """E (D - y)^2 = (1-k)^2 var(y) + k^2 sigma^2 with k = STD^2 / (STD^2 + sigma^2)."""
    y = 0.5 + STD * torch.randn(12, 3, 64, 64, generator=torch.Generator().manual_seed(7))
    for sigma, errors in zip((0.01, 0.05), denoising_errors(ideal, y, (0.01, 0.05)), strict=True):
        k = STD**2 / (STD**2 + sigma**2)
        assert float(errors.mean()) == pytest.approx((1 - k) ** 2 * STD**2 + k**2 * sigma**2, rel=0.05)


def test_what_is_like_a_photograph_needs_little_noise_and_what_never_is_the_most(ideal: ClosedForm) -> None:
    model = replace(ideal, card={"name": "ideal", CALIBRATION: asdict(calibrate(ideal, photographs()))})
    known = calibration_of(model)
    noise = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(9))
    suggestion = find_t0(model, 0.5 + STD * noise)
    assert suggestion == pytest.approx(0.1)  # the lowest level that is measured
    assert suggest_t0(model, 0.5 + STD * noise) == 0.3
    # A flat guide is denoised better than any of these photographs at every level.
    assert find_t0(model, torch.full((3, 32, 32), 0.5)) is None
    assert suggest_t0(model, torch.full((3, 32, 32), 0.5), 0.2, 0.7) == 0.7
    assert known.photographs == 40


def test_the_first_crossing_is_interpolated(ideal: ClosedForm) -> None:
    """A calibration made to measure: the guide's log error is 3, 2 and 0 spreads off at three levels."""
    times = (0.2, 0.4, 0.6)
    sigmas = tuple(ideal.schedule.sigma(t) for t in times)
    guide = photographs(1)[0]
    logs = denoising_errors(ideal, guide[None], sigmas)[:, 0].log().tolist()
    means = tuple(log + 0.5 * off for log, off in zip(logs, (3, 2, 0), strict=True))
    table = asdict(Calibration(sigmas, means, (0.5, 0.5, 0.5), 9))
    model = replace(ideal, card={CALIBRATION: json.loads(json.dumps(table))})
    assert find_t0(model, guide) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    "table",
    [
        {},
        [1, 2],
        {"sigmas": [1], "means": [1], "stds": [1], "photographs": 1},
        {"sigmas": [1, 2], "means": [1], "stds": [1, 1], "photographs": 1},
        {"sigmas": [2, 1], "means": [1, 1], "stds": [1, 1], "photographs": 1},
        {"sigmas": [1, 2], "means": [1, 1], "stds": [1, 0], "photographs": 1},
        {"sigmas": [1, 2], "means": ["a", 1], "stds": [1, 1], "photographs": 1},
        {"sigmas": [1, 2], "means": [math.nan, 1], "stds": [1, 1], "photographs": 1},
    ],
)
def test_calibrations_that_cannot_be_used(ideal: ClosedForm, table: object) -> None:
    with pytest.raises(SdeditError, match="cannot be used"):
        suggest_t0(replace(ideal, card={"name": "ideal", CALIBRATION: table}), torch.rand(3, 16, 16))


def test_too_few_photographs(ideal: ClosedForm) -> None:
    with pytest.raises(SdeditError, match=r"at least 8 photographs.*there are 3"):
        calibrate(ideal, photographs(3))


def test_calibrate_then_paint(sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    fails_in_one_sentence(
        sdedit("paint", guide, "--model", tiny_checkpoint, "--t0", "auto", "--quiet"), "tiny", "models calibrate"
    )
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for index in range(9):
        pixels = torch.rand(20, 24, 3, generator=generator).mul(255).byte().numpy()
        Image.fromarray(pixels).save(folder / f"{index}.png")
    result = sdedit("models", "calibrate", tiny_checkpoint, "photos", "-o", "tiny.safetensors")
    assert result.returncode == 0, result.stderr
    assert result.stdout == b""
    assert "calibrated on 9 photographs" in result.stderr.decode()
    old, new = (
        load_model(tiny_checkpoint, precision="fp32"),
        load_model(tmp_path / "tiny.safetensors", precision="fp32"),
    )
    assert len(new.card[CALIBRATION]["sigmas"]) == 17
    weights = new.network.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in old.network.state_dict().items())

    painted = sdedit("paint", guide, "--model", "tiny.safetensors", "--t0", "auto:0.2:0.25", "--steps", 2, "--json",
                     "--animate", "film.png")  # fmt: skip
    assert painted.returncode == 0, painted.stderr
    assert 0.2 <= json.loads(painted.stdout)["t0"] <= 0.25
    made = json.loads(painted.stdout)
    assert made["model_source"] == "tiny.safetensors"  # not the name of the model within
    assert sdedit("replay", made["output"], "-o", "again.png").returncode == 0
    assert (tmp_path / "again.png").read_bytes() == Path(made["output"]).read_bytes()
    assert Image.open(tmp_path / "film.png").n_frames == 5  # type: ignore[attr-defined]
    fails_in_one_sentence(sdedit("paint", guide, "--t0", "auto:0.5", "--quiet"), "auto:LOW:HIGH")
    fails_in_one_sentence(sdedit("models", "calibrate", "landscapes-128", "photos"), "landscapes-128", "--output")
    assert "calibrated" in sdedit("info", "tiny.safetensors").stdout.decode()
