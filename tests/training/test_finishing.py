"""Training a finisher: the states that it is given, the averages that it is led by, and the stage as a command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import sdedit as package
from sdedit.diffusion.samplers import er_sde
from sdedit.diffusion.schedule import VESchedule
from sdedit.training.feature_moments import FeatureMoments
from sdedit.training.sampled_states import SampledStates
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.denoisers import ideal_denoiser
from tests.helpers.training import RECIPE, folder_of, stripes

WIDE = RECIPE.replace("side = 8", "side = 40").replace("side = 16", "side = 48").replace("shrink_to = 16", "")
FINISHER = (
    WIDE.replace("[optimiser]", '[optimiser]\ntrains = "finisher"').replace("size = 16", "size = 48")
    + "[adversary]\nweight = 1.0\n[schedule]\nsigma_finish = 0.2\n"
)


@pytest.mark.parametrize("sigma", [0.2, 0.3])
def test_states_have_the_variance_of_their_level(sigma: float) -> None:
    """Where the denoiser is exact and the guides are samples, so are states at every level: N(mean, std^2 + s^2)."""
    mean, std = 0.5, 0.05
    rng = np.random.default_rng(0)
    pairs = [(255 * rng.normal(mean, std, (64, 64, 6))).round().clip(0, 255).astype(np.uint8) for _ in range(12)]
    model = ideal_denoiser(mean, std)
    object.__setattr__(model, "native_size", 64)
    states = SampledStates(model, pairs, 0.4, torch.Generator().manual_seed(1))  # type: ignore[arg-type]
    drawn, photographs, guides = states.draw(torch.full((40,), sigma), 32, torch.Generator().manual_seed(2))
    assert drawn.shape == photographs.shape == guides.shape == (40, 3, 32, 32)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.01)
    assert float(drawn.std()) == pytest.approx((std**2 + sigma**2) ** 0.5, rel=0.03)
    again, _, _ = states.draw(torch.full((40,), sigma), 32, torch.Generator().manual_seed(3))
    assert not torch.equal(drawn, again)


def test_a_step_from_the_branch_is_the_samplers() -> None:
    """The same numbers as a step of the sampler, once the noise is known; what belongs to a window is of its place."""
    pair = np.concatenate([np.asarray(stripes(0, 64, 64)), 255 - np.asarray(stripes(0, 64, 64))], axis=2)
    pair[:, :32] //= 2
    model = ideal_denoiser(0.5, 0.2)
    object.__setattr__(model, "native_size", 64)
    states = SampledStates(model, [pair], 0.4, torch.Generator().manual_seed(1))  # type: ignore[arg-type]
    drawn, photograph, guide = (part[0] for part in states.draw(torch.full((1,), 0.2), 64, torch.Generator()))
    known = torch.from_numpy(pair).permute(2, 0, 1) / 255
    mirrored = not torch.allclose(photograph, known[:3], atol=1e-3)
    x, d, d_before, *pictures = states._states[0].float().flip(-1) if mirrored else states._states[0].float()
    assert torch.equal(photograph, pictures[0])
    assert torch.equal(guide, pictures[1])
    assert torch.allclose(guide, known[3:].flip(-1) if mirrored else known[3:], atol=1e-3)
    a, b, c = er_sde(states._before[0], 0.4, 0.2)
    z = (drawn - d - a * (x - d) - c * (d - d_before)) / b
    assert float(z.mean()) == pytest.approx(0, abs=0.03)
    assert float(z.std()) == pytest.approx(1, abs=0.03)
    assert abs(float((z * (x - d)).mean())) < 0.01


def test_averages_of_features_lead_towards_those_of_photographs() -> None:
    generator = torch.Generator().manual_seed(0)
    photographs = [2 + 0.5 * torch.randn(64, 5, 4, 4, generator=generator)]
    moments = FeatureMoments(photographs)
    answers = torch.randn(8, 5, 4, 4, generator=generator)
    with torch.enable_grad():
        answers.requires_grad_()
        for _ in range(300):
            (slope,) = torch.autograd.grad(moments.distance([answers]), answers)
            answers = (answers.detach() - slope).requires_grad_()
            moments.learn(photographs)
    means, stds = answers.mean(dim=(2, 3)).mean(dim=0), answers.std(dim=(2, 3)).mean(dim=0)
    assert torch.allclose(means, torch.full((5,), 2.0), atol=0.15)
    assert torch.allclose(stds, torch.full((5,), 0.5), atol=0.1)


def test_a_finisher_is_trained_for_a_model(sdedit: Command, tmp_path: Path) -> None:
    """The model stays what it was, the run goes on after a stop, and what is painted is the finisher's."""
    photographs, guides = folder_of(tmp_path / "photographs", 24), folder_of(tmp_path / "strokes", 24, blurred=True)
    (tmp_path / "base.toml").write_text(
        RECIPE.replace("pictures = 600", "pictures = 40").replace("size = 16", "size = 48")
    )
    run = sdedit("train", tmp_path / "base.toml", "--data", photographs, "-o", tmp_path / "base")
    assert run.returncode == 0, run.stderr
    base = tmp_path / "base" / "model.safetensors"
    data = ("--data", photographs, "--guides", guides)
    for pictures, words in ((40, ("--start", base)), (60, ("--start", base, "--resume"))):
        (tmp_path / "finisher.toml").write_text(FINISHER.replace("pictures = 600", f"pictures = {pictures}"))
        run = sdedit("train", tmp_path / "finisher.toml", *data, "-o", tmp_path / "run", *words)
        assert run.returncode == 0, run.stderr
    file = tmp_path / "run" / "model.safetensors"
    before, after = (package.load_model(name, precision="fp32") for name in (base, file))
    assert after.finisher is not None
    assert after.schedule == VESchedule(sigma_finish=0.2)
    assert all(torch.equal(after.network.state_dict()[n], t) for n, t in before.network.state_dict().items())
    assert any(
        not torch.equal(after.finisher.network.state_dict()[n], t) for n, t in before.network.state_dict().items()
    )
    one, other = (package.paint(model, stripes(0, 48, 48), sampling="fast") for model in (before, after))
    assert one.tobytes() != other.tobytes()
    assert (tmp_path / "run" / "log.csv").read_text().splitlines()[0].endswith("mean,sigma 0.2")


@pytest.mark.parametrize(
    ("recipe", "words", "said"),
    [
        (FINISHER, ["--start", "landscapes-128"], "--guides"),
        (FINISHER, ["--guides", "photographs"], "--start"),
        (FINISHER, ["--guides", "photographs", "--painted", "photographs", "--start", "landscapes-128"], "paintings"),
        (RECIPE, ["--guides", "photographs", "--start", "landscapes-128"], "--guides"),
        (FINISHER.replace("weight = 1.0", "weight = 0.0"), [], "finisher"),
        (FINISHER.replace("sigma_finish = 0.2", ""), [], "finisher"),
        (RECIPE + "[schedule]\nsigma_finish = 0.2\n", [], "finisher"),
    ],
)
def test_what_a_finisher_needs(sdedit: Command, tmp_path: Path, recipe: str, words: list[str], said: str) -> None:
    photographs = folder_of(tmp_path / "photographs", 24)
    (tmp_path / "recipe.toml").write_text(recipe)
    result = sdedit("train", tmp_path / "recipe.toml", "--data", photographs, "-o", tmp_path / "run", *words)
    fails_in_one_sentence(result, said)
    assert not (tmp_path / "run").exists()
