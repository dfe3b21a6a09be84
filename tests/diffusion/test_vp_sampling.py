"""Painting with variance-preserving models: the official loop, a Gaussian in closed form, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import sdedit
from sdedit import ScoreModel, SdeditError
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.checkpoints.load import load_model
from sdedit.diffusion.coarse_to_fine import repaint_time
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.reverse_sde import sample
from sdedit.diffusion.samplers import CHURN, CHURN_BELOW, DEFAULT, DEFAULTS, SAMPLERS, Sampling, SamplingChoice
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.vp_schedule import VPSchedule
from sdedit.jobs.settings import sampling_for
from tests.helpers.denoisers import ideal_vp_denoiser
from tests.helpers.models import sampled

SCHEDULE = VPSchedule()
DDPM = NetworkConfig(
    32, (32, 32), (1, 1), (1,), embedding="positional", resampling="conv", skip_rescale=False,
    decoder_attention="every", norm_groups=32,
)  # fmt: skip


def random_model(schedule: VPSchedule = SCHEDULE) -> ScoreModel:
    torch.manual_seed(0)
    network = NCSNpp(DDPM).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.normal_(0, 0.1)
    return ScoreModel(network, VPPreconditioning(schedule), schedule, 16, {"name": "tiny-vp"})


@torch.inference_mode()
def test_500_steps_of_the_official_loop() -> None:
    """The official SDEdit, runners/image_editing.py: --t 500, variance fixedsmall, nothing clipped; in float64.

    The network is one that answers well-behaved noise at every level, so that 500 steps do not blow up.
    """

    class Answer(nn.Module):
        def forward(self, y: Tensor, label: Tensor) -> Tensor:
            return torch.sin(3 * y + label[:, None, None, None] / 200) + 0.3 * y.roll(1, -1)

    network = Answer()
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    abar = (1 - betas).cumprod(0)
    generator = torch.Generator().manual_seed(3)
    noises = torch.randn(500, 1, 3, 8, 8, generator=generator, dtype=torch.float64)
    picture = torch.rand(1, 3, 8, 8, generator=generator, dtype=torch.float64)

    y = abar[499].sqrt() * (2 * picture - 1) + (1 - abar[499]).sqrt() * noises[0]
    largest = 0.0
    for i in reversed(range(500)):
        eps = network(y, torch.tensor([float(i)], dtype=torch.float64))
        before = abar[i - 1] if i > 0 else torch.tensor(1.0, dtype=torch.float64)
        x0 = (y - (1 - abar[i]).sqrt() * eps) / abar[i].sqrt()
        mean = (before.sqrt() * betas[i] * x0 + (1 - betas[i]).sqrt() * (1 - before) * y) / (1 - abar[i])
        variance = betas[i] * (1 - before) / (1 - abar[i])
        y = mean if i == 0 else mean + variance.sqrt() * noises[500 - i]
        largest = max(largest, float((y / before.sqrt()).abs().max()))
    official = (y + 1) / 2

    preconditioning = VPPreconditioning(SCHEDULE)
    sigmas = SCHEDULE.sigmas(0.5, 500)
    given = iter(noises[1:])
    x = picture + sigmas[0] * noises[0]
    ours = sample(
        lambda x, sigma: preconditioning.denoise(network, x, sigma), x, sigmas, lambda *_: next(given), "ancestral"
    )
    assert largest > 2
    assert (ours - official).abs().max() < 1e-4 * largest


@pytest.mark.parametrize("t0", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "euler-maruyama-t"])
def test_paint_of_a_gaussian(sampler: str, t0: float) -> None:
    """Pictures N(m, s^2): what one guide g comes to has a mean and variance in closed form, at any t0.

    A run of h times the reverse SDE's noise keeps ((s^2 + sigma'^2) / (s^2 + sigma^2))^((1 + h)/2) of x - m from sigma
    to sigma': h is 0 for the ODE, 1 for most samplers, and 3 at low noise for er-sde-churn. Since a Gaussian stays what
    it is, what is kept in all, rho, tells the rest: the mean is m + rho (g - m), the variance s^2 (1 - rho^2).
    """
    mean, std, guide, side = 0.5, 0.12, 0.58, 96  # all within [0, 1], to which results are clipped
    first_order = sampler in ("euler-maruyama", "ancestral")
    sampling = Sampling(sampler, 1500 if first_order else 61, "uniform" if first_order else "karras")
    model = ideal_vp_denoiser(mean, std, SCHEDULE)
    painted = sdedit.paint(model, torch.full((3, side, side), guide), t0, sampling=sampling, seed=3, passes=1)

    def kept(high: float, low: float, churn: float) -> float:
        return ((std**2 + low**2) / (std**2 + high**2)) ** ((1 + churn) / 2)

    sigmas = SCHEDULE.sigmas(t0, sampling.n_sigmas, sampling.grid).tolist()
    if sampler == "er-sde-churn":
        below = max(level for level in sigmas if level < CHURN_BELOW)
        rho = kept(sigmas[0], below, 1) * kept(below, 0, CHURN)
    else:
        rho = kept(sigmas[0], 0, 0 if sampler in ("dpm-2m", "heun") else 1)
    wanted_mean, wanted_std = mean + rho * (guide - mean), std * math.sqrt(1 - rho**2)
    error = wanted_std / math.sqrt(3 * side**2)
    assert float(painted.mean()) == pytest.approx(wanted_mean, abs=5 * error + 1e-3)
    assert float(painted.std()) == pytest.approx(wanted_std, rel=0.02)


def test_paint_and_edit_with_a_vp_model() -> None:
    model = random_model()
    guide = torch.rand(3, 16, 16)
    first = sdedit.paint(model, guide, t0=0.4, sampling=sampled(4), seed=1)
    assert first.shape == guide.shape
    assert torch.equal(first, sdedit.paint(model, guide, t0=0.4, sampling=sampled(4), seed=1))
    with pytest.raises(ValueError, match="euler-maruyama-t"):
        sdedit.paint(model, guide, t0=0.4, sampling=sampled(4, "euler-maruyama-t"))


def test_the_next_pass_starts_at_the_same_noise_for_every_model() -> None:
    built_in, church = VESchedule(0.01, 50.0), VESchedule(0.01, 380.0)
    assert repaint_time(built_in, 0.5) == pytest.approx(0.375)
    assert repaint_time(church, 0.5) == pytest.approx(0.375)
    for sigma in (0.3, 0.7, 1.7):
        passes = {round(s.sigma(repaint_time(s, s.t(sigma))), 6) for s in (built_in, church, SCHEDULE)}
        assert len(passes) == 1
    assert SCHEDULE.sigma(repaint_time(SCHEDULE, 0.5)) == pytest.approx(0.473, abs=1e-3)
    assert repaint_time(SCHEDULE, 0.002) <= 0.002


def test_like_sdedit_takes_the_levels_of_the_training() -> None:
    model = random_model()
    assert sampling_for(SamplingChoice(like="sdedit"), model, 0.5) == Sampling("ancestral", 500, "uniform")
    assert sampling_for(SamplingChoice(like="sdedit"), model, 0.4) == Sampling("ancestral", 400, "uniform")
    assert sampling_for(SamplingChoice(like="sdedit", steps=20), model, 0.4) == Sampling("ancestral", 20, "uniform")
    with pytest.raises(ValueError, match="leave out quality"):
        SamplingChoice(quality="fast", like="sdedit").check()
    exploding = ScoreModel(model.network, model.preconditioning, VESchedule(), 16)
    with pytest.raises(ValueError, match="official SDEdit"):
        sampling_for(SamplingChoice(like="sdedit"), exploding, 0.5)


def test_the_card_says_the_default() -> None:
    model = random_model()
    assert model.default_sampling == DEFAULT
    safe = replace(model, card={"sampler": "er-sde"})
    assert sampling_for(SamplingChoice(), safe, 0.5) == DEFAULTS["er-sde"]
    assert sampling_for(SamplingChoice(steps=7), safe, 0.5) == replace(DEFAULTS["er-sde"], steps=7)
    assert sampling_for(SamplingChoice(quality="balanced"), safe, 0.5) == DEFAULT
    for odd in ("magic", ["er-sde"], 7):
        assert (
            ScoreModel(model.network, model.preconditioning, SCHEDULE, 16, {"sampler": odd}).default_sampling == DEFAULT
        )


@pytest.mark.parametrize("schedule", [SCHEDULE, VPSchedule("cosine", 4000), VPSchedule("continuous")])
def test_own_format(tmp_path: Path, schedule: VPSchedule) -> None:
    model = random_model(schedule)
    save_checkpoint(model, tmp_path / "a.safetensors")
    again = load_model(tmp_path / "a.safetensors", precision="fp32")
    assert (again.schedule, again.preconditioning) == (schedule, model.preconditioning)
    assert again.network.config == model.network.config
    x, sigma = torch.rand(1, 3, 16, 16), torch.tensor([0.7])
    torch.testing.assert_close(again.denoise(x, sigma), model.denoise(x, sigma))


def test_sigma_max_is_part_of_the_training(tmp_path: Path) -> None:
    save_checkpoint(random_model(), tmp_path / "a.safetensors")
    with pytest.raises(SdeditError, match="--sigma-max"):
        load_model(tmp_path / "a.safetensors", sigma_max=50.0)
    # A recipe keeps sigma(1), and is replayed with it.
    assert load_model(tmp_path / "a.safetensors", sigma_max=SCHEDULE.sigma_max).schedule == SCHEDULE


def test_grey_masks_start_at_their_share_of_t0() -> None:
    from sdedit.diffusion.algorithms import start_levels

    mask = torch.tensor([0.0, 0.25, 0.5, 1.0])
    levels = start_levels(SCHEDULE, mask, SCHEDULE.sigma(0.4))
    expected = [0.0, SCHEDULE.sigma(0.1), SCHEDULE.sigma(0.2), SCHEDULE.sigma(0.4)]
    torch.testing.assert_close(levels, torch.tensor(expected, dtype=torch.float64), check_dtype=False)
