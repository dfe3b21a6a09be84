"""The denoiser of variance-preserving networks: closed forms, diffusers' schedulers, and its form in a file."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.preconditioning import (
    Prediction,
    VPPreconditioning,
)
from sdedit.diffusion.score_model import ScoreModel
from sdedit.diffusion.vp_schedule import VPSchedule

MEAN, STD = 0.5, 0.25  # on [0, 1]; 0 and 0.5 on [-1, 1]
SCHEDULES = [VPSchedule(), VPSchedule("continuous"), VPSchedule("cosine")]
PREDICTIONS: list[Prediction] = ["eps", "v", "x0"]


class Ideal(nn.Module):
    """What a network should answer for Gaussian pictures, from the variance-preserved state and the level's number."""

    def __init__(self, preconditioning: VPPreconditioning) -> None:
        super().__init__()
        self.schedule, self.prediction = preconditioning.schedule, preconditioning.prediction
        self.label_scale = preconditioning.label_scale

    def forward(self, y: Tensor, label: Tensor) -> Tensor:
        number, last = label.double() / self.label_scale, self.schedule.timesteps - 1
        time = number / last if self.schedule.betas == "continuous" else (number + 1) / self.schedule.timesteps
        s = 2 * self.schedule.sigma(time)[:, None, None, None].float()
        alpha = (1 + s**2).rsqrt()
        std = 2 * STD
        picture = std**2 * alpha * y / (alpha**2 * std**2 + (alpha * s) ** 2)
        eps = (y - alpha * picture) / (alpha * s)
        return {"eps": eps, "x0": picture, "v": alpha * eps - alpha * s * picture}[self.prediction]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("label_scale", [1.0, 0.25])
def test_denoiser_and_score_of_a_gaussian(schedule: VPSchedule, prediction: Prediction, label_scale: float) -> None:
    preconditioning = VPPreconditioning(schedule, prediction, label_scale)
    network: NCSNpp = Ideal(preconditioning)  # type: ignore[assignment]
    model = ScoreModel(network, preconditioning, schedule, 64)
    sigma = torch.tensor([0.02, 0.1, 0.7, 1.5, 3.0])
    generator = torch.Generator().manual_seed(0)
    y = MEAN + STD * torch.randn(len(sigma), 3, 32, 32, generator=generator)
    x = y + sigma[:, None, None, None] * torch.randn(y.shape, generator=generator)
    variance = (STD**2 + sigma**2)[:, None, None, None]
    torch.testing.assert_close(model.denoise(x, sigma), MEAN + STD**2 / variance * (x - MEAN), rtol=2e-4, atol=2e-4)
    torch.testing.assert_close(model.score(x, sigma), (MEAN - x) / variance, rtol=5e-3, atol=5e-2)


class Recorder(nn.Module):
    """Answers fixed noise, and keeps what it was asked."""

    def forward(self, y: Tensor, label: Tensor) -> Tensor:
        self.y, self.label = y, label
        return torch.randn(y.shape, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("betas", ["linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize(("prediction", "theirs"), [("eps", "epsilon"), ("v", "v_prediction"), ("x0", "sample")])
@pytest.mark.parametrize("number", [0, 9, 100, 499, 999])
def test_equals_diffusers(betas: str, prediction: Prediction, theirs: str, number: int) -> None:
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(1000, beta_schedule=betas, prediction_type=theirs, clip_sample=False)
    schedule = VPSchedule("linear" if betas == "linear" else "cosine")
    # Their table is in single precision; what is compared here is the rest.
    sigma = schedule.sigma((torch.tensor([number], dtype=torch.float64) + 1) / 1000)
    scheduler.alphas_cumprod = 1 / (1 + (2 * schedule.sigma(torch.arange(1, 1001, dtype=torch.float64) / 1000)) ** 2)
    picture, noise = torch.rand(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = picture + sigma * noise
    network = Recorder()
    d = VPPreconditioning(schedule, prediction).denoise(network, x, sigma)
    state = scheduler.add_noise(2 * picture - 1, noise, torch.tensor([number]))
    torch.testing.assert_close(network.y, state, rtol=1e-6, atol=1e-6)
    assert float(network.label) == pytest.approx(number, abs=1e-6)
    answer = network(network.y, network.label).double()
    expected = scheduler.step(answer, number, state).pred_original_sample
    torch.testing.assert_close(2 * d - 1, expected, rtol=1e-6, atol=1e-6, check_dtype=False)
