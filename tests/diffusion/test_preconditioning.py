"""Preconditioning on Gaussian pictures, whose denoiser, score and network targets are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.preconditioning import (
    EDMPreconditioning,
    Preconditioning,
    VEPreconditioning,
)
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel

MEAN, STD = 0.5, 0.25  # on [0, 1]; 0 and 0.5 on [-1, 1]
SIGMAS = torch.tensor([0.01, 0.1, 0.7, 5.0, 50.0])


class IdealVE(nn.Module):
    """What a published network should answer: sigma times the score, from 2x - 1 and log sigma."""

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        sigma = label.exp()[:, None, None, None]
        return sigma * (MEAN - (x + 1) / 2) / (STD**2 + sigma**2)


class IdealEDM(nn.Module):
    """For data of mean 0 and standard deviation sigma_data, D = c_skip x exactly: the network answers 0."""

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        self.input_std = x.std(dim=(1, 2, 3))
        self.label = label
        return torch.zeros_like(x)


def noised() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    y = MEAN + STD * torch.randn(len(SIGMAS), 3, 64, 64, generator=generator)
    return y + SIGMAS[:, None, None, None] * torch.randn(y.shape, generator=generator)


@pytest.mark.parametrize(
    ("preconditioning", "network"), [(VEPreconditioning(), IdealVE()), (EDMPreconditioning(0.5), IdealEDM())]
)
def test_denoiser_and_score_of_a_gaussian(preconditioning: Preconditioning, network: NCSNpp) -> None:
    model = ScoreModel(network, preconditioning, VESchedule(), 64)
    x, variance = noised(), (STD**2 + SIGMAS**2)[:, None, None, None]
    denoised = MEAN + STD**2 / variance * (x - MEAN)
    torch.testing.assert_close(model.denoise(x, SIGMAS), denoised, rtol=1e-4, atol=1e-4)
    # At sigma = 0.01 the score divides a rounding error by 1e-4.
    torch.testing.assert_close(model.score(x, SIGMAS), (MEAN - x) / variance, rtol=2e-3, atol=5e-3)


def test_edm_inputs_have_unit_variance_at_every_level() -> None:
    network = IdealEDM()
    EDMPreconditioning(0.5).denoise(network, noised(), SIGMAS)
    torch.testing.assert_close(network.input_std, torch.ones(len(SIGMAS)), rtol=0.02, atol=0)
    torch.testing.assert_close(network.label, (2 * SIGMAS).log() / 4)


def test_loss_weight_makes_every_level_count_alike() -> None:
    # A network that answers 0 instead of the ideal has a weighted error of E[target^2] = 1 wherever its pictures
    # have the variance it was built for, whatever sigma.
    preconditioning = EDMPreconditioning(0.5)
    generator = torch.Generator().manual_seed(0)
    y = MEAN + STD * torch.randn(len(SIGMAS), 3, 128, 128, generator=generator)
    x = y + SIGMAS[:, None, None, None] * torch.randn(y.shape, generator=generator)
    squared = (preconditioning.denoise(IdealEDM(), x, SIGMAS) - y).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(
        preconditioning.loss_weight(SIGMAS) * squared, torch.ones(len(SIGMAS)), rtol=0.03, atol=0
    )
