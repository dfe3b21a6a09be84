"""A model with a finisher: a second network that takes the last step of sampling, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import sdedit as package
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.algorithms import inpaint, synthesise
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import DEFAULTS, SAMPLERS
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import Finisher, ScoreModel
from sdedit.errors import SdeditError
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture
from tests.helpers.models import make_tiny_model
from tests.helpers.native_files import Metadata, Weights, put, rewritten

FROM = 0.2


@pytest.fixture(scope="module")
def finished(tiny_model: ScoreModel) -> ScoreModel:
    finisher = Finisher(make_tiny_model(seed=5).network, tiny_model.preconditioning)
    return replace(tiny_model, schedule=VESchedule(sigma_finish=FROM), finisher=finisher)


@pytest.fixture(scope="module")
def file(finished: ScoreModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "finished.safetensors"
    save_checkpoint(finished, path)
    return path


@pytest.mark.parametrize("grid", ["uniform", "karras"])
def test_levels_end_where_the_finisher_begins(grid: str) -> None:
    plain, schedule = VESchedule(), VESchedule(sigma_finish=FROM)
    levels = schedule.sigmas(0.5, 7, grid)
    assert levels.tolist()[-2:] == [FROM, 0.0]
    assert float(levels[0]) == pytest.approx(schedule.sigma(0.5))
    if grid == "uniform":
        ratios = levels[1:-1] / levels[:-2]
        assert torch.allclose(ratios, ratios[:1])
    else:
        roots = levels[:-1] ** (1 / 7)
        assert torch.allclose(roots.diff(), roots.diff()[:1])
    low = plain.t(0.15)
    assert torch.equal(schedule.sigmas(low, 7, grid), plain.sigmas(low, 7, grid))  # it does not know less noise
    assert torch.equal(schedule.sigmas(0.5, 1, grid), plain.sigmas(0.5, 1, grid))


@pytest.mark.parametrize("sigma_finish", [-0.1, 0.005, 60.0])
def test_it_begins_within_the_schedule(sigma_finish: float) -> None:
    with pytest.raises(ValueError, match="sigma_finish"):
        VESchedule(sigma_finish=sigma_finish)


@pytest.mark.parametrize("sampler", SAMPLERS)
@torch.inference_mode()
def test_the_last_step_is_the_finishers_and_no_other(finished: ScoreModel, sampler: str) -> None:
    """Every evaluation but the last is the denoiser's, of both that `heun` makes in a step too."""
    assert finished.finisher is not None
    guide = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    levels = finished.schedule.sigmas(0.5, 9, DEFAULTS[sampler].grid)
    steps: list[Step] = []
    painted = synthesise(finished, guide, levels, torch.Generator().manual_seed(2), sampler, on_step=steps.append)
    *others, last = steps
    level = torch.full((1,), FROM)
    for step in others:
        assert torch.equal(step.denoised, finished.denoise(step.x, torch.full((1,), step.sigma)))
    assert last.sigma == FROM
    own = finished.finisher.preconditioning.denoise(finished.finisher.network, last.x, level)
    assert torch.equal(painted, own.clamp(0, 1))
    assert not torch.allclose(own, finished.denoise(last.x, level), atol=1e-3)


@torch.inference_mode()
def test_pixels_that_start_below_its_level_take_a_share_of_its_answer(finished: ScoreModel) -> None:
    """A grey pixel's start is a noise level, and less noise than the finisher knows changes less than its answer."""
    source = torch.rand(1, 3, 16, 48, generator=torch.Generator().manual_seed(1))
    starts = torch.tensor([0.05, FROM, 0.5])
    values = torch.tensor([finished.schedule.t(float(s)) for s in starts]) / 0.5
    mask = values.repeat_interleave(16).expand(1, 1, 16, 48)
    steps: list[Step] = []
    levels = finished.schedule.sigmas(0.5, 5, "karras")
    edited = inpaint(finished, source, mask, levels, torch.Generator().manual_seed(2), "er-sde", on_step=steps.append)
    assert edited.dtype == torch.float32
    answer = steps[-1].denoised
    shares = torch.tensor([0.05 / FROM, 1, 1]).repeat_interleave(16)
    assert torch.allclose(edited, (source + shares * (answer - source)).clamp(0, 1), atol=1e-5)


def test_from_little_noise_there_is_none(finished: ScoreModel, tiny_model: ScoreModel) -> None:
    guide, t0 = torch.rand(3, 16, 16), finished.schedule.t(0.1)
    one, other = (package.paint(model, guide, t0, sampling="fast") for model in (finished, tiny_model))
    assert torch.equal(one, other)


def test_files(finished: ScoreModel, file: Path) -> None:
    there = package.load_model(file, precision="fp32")
    assert there.finisher is not None
    assert finished.finisher is not None
    assert there.schedule == finished.schedule
    assert there.finisher.preconditioning == finished.finisher.preconditioning
    for network, original in zip(there.networks, finished.networks, strict=True):
        assert all(torch.equal(t, original.state_dict()[name]) for name, t in network.state_dict().items())
    assert package.load_model(file, precision="bf16").finisher.network.stem.weight.dtype == torch.bfloat16  # type: ignore[union-attr]
    assert package.load_model(file, sigma_max=10.0).schedule == VESchedule(0.01, 10.0, FROM)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, w: m.pop("finisher"), "finisher"),
        (lambda m, w: m["schedule"].pop("sigma_finish"), "without its noise level"),
        (lambda m, w: put(m, "schedule", "sigma_finish", 1e9), "sigma_finish"),
        (lambda m, w: m.update(finisher=[1]), "usable"),
        (lambda m, w: m["finisher"].pop("preconditioning"), "preconditioning"),
        (lambda m, w: put(m, "finisher", "network", {"code": "import os"}), "finisher's network"),
        (lambda m, w: w.pop("finisher.stem.bias"), "lacks 1 tensors .* stem.bias"),
        (lambda m, w: w["finisher.stem.bias"].fill_(torch.inf), "stem.bias .* not finite"),
    ],
)
def test_files_that_contradict_themselves(
    file: Path, tmp_path: Path, change: Callable[[Metadata, Weights], None], words: str
) -> None:
    path = rewritten(file, tmp_path / "changed.safetensors", change)
    with pytest.raises(SdeditError, match=words) as caught:
        package.load_model(path)
    assert "changed.safetensors" in str(caught.value)


def test_commands(sdedit: Command, file: Path, tmp_path: Path) -> None:
    """Painted at once and coarse to fine, edited under a mask, shown, converted."""
    blocks_picture().save(tmp_path / "strokes.png")
    mask = Image.new("L", blocks_picture().size, 0)
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    mask.save(tmp_path / "mask.png")
    for words in (["--size", 16], ["--size", 48]):
        run = sdedit("paint", "strokes.png", "-o", f"{words[1]}.png", "--model", file, *words)
        assert run.returncode == 0, run.stderr
    run = sdedit(
        "edit", "strokes.png", "--strokes", "strokes.png", "--mask", "mask.png", "-o", "edited.png", "--model", file
    )
    assert run.returncode == 0, run.stderr
    kept = (mask.width * 3 // 4, 0, mask.width, mask.height)
    before, after = (Image.open(tmp_path / name).convert("RGB").crop(kept) for name in ("strokes.png", "edited.png"))
    assert before.tobytes() == after.tobytes()
    shown = sdedit("info", file)
    assert b"0.2" in next(line for line in shown.stdout.splitlines() if line.startswith(b"finisher"))
    assert sdedit("models", "verify", file).stdout.count(b"\n") == 5  # a line more than of another
    assert sdedit("models", "convert", file, "half.safetensors", "--dtype", "float16").returncode == 0
    assert package.load_model(tmp_path / "half.safetensors").finisher is not None
    fails_in_one_sentence(sdedit("models", "convert", file, "folder"), "diffusers")
