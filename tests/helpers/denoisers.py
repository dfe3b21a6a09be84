"""Denoisers known in closed form: what the algorithms ask of a model, without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.samplers import DEFAULT, Sampling
from sdedit.diffusion.schedule import Schedule, VESchedule
from sdedit.diffusion.vp_schedule import VPSchedule


@dataclass(frozen=True)
class ClosedForm:
    """A denoiser whose D(x; sigma) is a function."""

    denoise: Callable[[Tensor, Tensor], Tensor]
    schedule: Schedule = field(default_factory=VESchedule)
    native_size: int = 16
    size_multiple: int = 4
    card: Mapping[str, Any] = field(default_factory=lambda: {"name": "ideal"})

    def finish(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.denoise(x, sigma)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def default_sampling(self) -> Sampling:
        return DEFAULT

    @property
    def name(self) -> str:
        return str(self.card["name"])


def ideal_denoiser(mean: float, std: float) -> ClosedForm:
    """The exact denoiser of images whose pixels are N(mean, std^2), independent of each other."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        k = std**2 / (std**2 + sigma[:, None, None, None] ** 2)
        return mean + k * (x - mean)

    return ClosedForm(denoise)


def ideal_vp_denoiser(mean: float, std: float, schedule: VPSchedule) -> ClosedForm:
    """The same denoiser as what a network that knows the noise eps of each level comes to, told the level's number."""

    class Ideal(nn.Module):
        def forward(self, y: Tensor, label: Tensor) -> Tensor:
            s = 2 * schedule.sigma((label.double() + 1) / schedule.timesteps)[:, None, None, None]  # on [-1, 1]
            alpha = (1 + s**2).rsqrt()
            centred = y.double() - alpha * (2 * mean - 1)
            return (alpha * s * centred / (alpha**2 * (2 * std) ** 2 + (alpha * s) ** 2)).float()

    preconditioning, network = VPPreconditioning(schedule), Ideal()
    return ClosedForm(lambda x, sigma: preconditioning.denoise(network, x, sigma), schedule)
