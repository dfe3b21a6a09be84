"""`--like sdedit`: the official code's settings, on paint, edit and composite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sdedit as package
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.vp_schedule import VPSchedule
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.models import randomise

SCHEDULE = VPSchedule("linear", 40, 0.0025, 0.5)  # DDPM's in 40 levels
DDPM = NetworkConfig(
    32, (32, 32), (1, 1), embedding="positional", resampling="conv", skip_rescale=False, decoder_attention="every",
    norm_groups=32,
)  # fmt: skip
PAINT, EDIT, COMPOSITE = (
    ["paint", "strokes.png"], ["edit", "photo.png", "--strokes", "layer.png"], ["composite", "photo.png", "layer.png"],
)  # fmt: skip


@pytest.fixture
def vp(tmp_path: Path) -> Path:
    network = NCSNpp(DDPM).eval().requires_grad_(False)
    randomise(network)
    model = package.ScoreModel(network, VPPreconditioning(SCHEDULE), SCHEDULE, 16, {"name": "tiny-vp"})
    save_checkpoint(model, tmp_path / "vp.safetensors")
    rng = np.random.default_rng(0)
    for name in ("strokes.png", "photo.png"):
        Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save(tmp_path / name)
    layer = Image.new("RGBA", (24, 20))
    layer.paste((200, 60, 40, 255), (6, 5, 16, 14))
    layer.save(tmp_path / "layer.png")
    return tmp_path / "vp.safetensors"


def recipe(sdedit: Command, words: list[str], *more: Any) -> dict[str, Any]:
    result = sdedit(*words, "--model", "vp.safetensors", "--seed", 1, "-o", "out.png", "--overwrite", "--json", *more)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(("words", "t0"), [(PAINT, 0.5), (EDIT, 0.5), (COMPOSITE, 0.4)], ids=lambda value: str(value))
def test_the_settings_of_each_command(sdedit: Command, vp: Path, words: list[str], t0: float) -> None:
    def chosen(*more: Any) -> tuple[Any, ...]:
        made = recipe(sdedit, words, *more)
        return tuple(made[name] for name in ("t0", "sampler", "steps", "grid", "repeats"))

    assert chosen("--like", "sdedit") == (t0, "ancestral", round(40 * t0), "uniform", 3)
    assert chosen("--like", "sdedit", "--t0", 0.25, "--repeats", 1) == (0.25, "ancestral", 10, "uniform", 1)
    assert chosen("--like", "sdedit", "--sigma", SCHEDULE.sigma(0.3))[1:3] == ("ancestral", 12)
    assert chosen("--like", "sdedit", "--steps", 7) == (t0, "ancestral", 7, "uniform", 3)


@pytest.mark.parametrize("words", [PAINT, EDIT, COMPOSITE], ids=lambda words: words[0])
def test_they_are_kept_in_recipes_and_files(sdedit: Command, vp: Path, words: list[str], tmp_path: Path) -> None:
    recipe(sdedit, words, "--like", "sdedit", "--save-config", "like.toml")
    first = (tmp_path / "out.png").read_bytes()
    replayed = sdedit("replay", "out.png", "-o", "again.png")
    assert replayed.returncode == 0, replayed.stderr
    assert (tmp_path / "again.png").read_bytes() == first
    (tmp_path / "out.png").unlink()
    given = [word for word in words if word not in ("--strokes", "layer.png")] if words is EDIT else words
    result = sdedit(*given, "--config", "like.toml", "-o", "out.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out.png").read_bytes() == first


def test_written_out_it_is_the_same(sdedit: Command, vp: Path, tmp_path: Path) -> None:
    recipe(sdedit, PAINT, "--like", "sdedit")
    first = np.asarray(Image.open(tmp_path / "out.png"))
    recipe(sdedit, PAINT, "--t0", 0.5, "--sampler", "ancestral", "--steps", 20, "--grid", "uniform", "--repeats", 3)
    assert np.array_equal(first, np.asarray(Image.open(tmp_path / "out.png")))
    model = package.load_model(vp)
    sampling = Sampling("ancestral", 20, "uniform")
    with torch.inference_mode():
        ours = package.paint(model, Image.open(tmp_path / "strokes.png"), 0.5, sampling=sampling, seed=1, repeats=3)
    assert np.array_equal(first, np.asarray(ours))


@pytest.mark.parametrize("words", [PAINT, EDIT, COMPOSITE], ids=lambda words: words[0])
def test_what_it_cannot_be_with(sdedit: Command, vp: Path, tiny_checkpoint: Path, words: list[str]) -> None:
    like = ["--like", "sdedit"]
    fails_in_one_sentence(sdedit(*words, *like, "--model", tiny_checkpoint), "variance-preserving", "leave out --like")
    for more in (["--quality", "fast"], ["--sampler", "heun"], ["--grid", "karras"]):
        fails_in_one_sentence(sdedit(*words, *like, "--model", vp, *more), "leave out quality, sampler and grid")
    fails_in_one_sentence(sdedit(*words, "--like", "nobody", "--model", vp), "sdedit")
    fails_in_one_sentence(sdedit(*words, "--model", vp, "--sigma-max", 50), "leave out --sigma-max")
    fails_in_one_sentence(sdedit(*words, "--model", vp, "--sampler", "euler-maruyama-t"), "euler-maruyama-t")
