"""Preconditioning: how a network F becomes a denoiser D(x; sigma), the best guess of the clean image.

Karras et al. 2022 (EDM, arXiv 2206.00364), table 1. Here x = image + sigma z with images in [0, 1]; the networks
themselves work on [-1, 1], where the same noise has level 2 sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from torch import Tensor, nn

from sdedit.diffusion.vp_schedule import VPSchedule


class Preconditioning(Protocol):
    kind: ClassVar[str]

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        """D(x; sigma) in float32 for x (B, C, H, W) and sigma (B,), or (1,) for a level all images share."""
        ...


@dataclass(frozen=True)
class VEPreconditioning:
    """D = x + sigma F(2x - 1; log sigma): the network of the published models, before their division by sigma."""

    kind: ClassVar[str] = "ve"

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        return x + sigma[:, None, None, None] * network(2 * x - 1, sigma.log()).float()


@dataclass(frozen=True)
class VEIndexPreconditioning:
    """D = x + sigma F(2x - 1; i): networks trained at N = `num_scales` noise levels, given the index i of the nearest.

    Level 0 is the highest, sigma_i = sigma_max (sigma_min / sigma_max)^(i / (N - 1)). These networks, too, divide by
    sigma at their end in the original, so that F is what is left without the division.
    """

    kind: ClassVar[str] = "ve-index"
    sigma_min: float = 0.01
    sigma_max: float = 50.0
    num_scales: int = 1000

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        return x + sigma[:, None, None, None] * network(2 * x - 1, self.index(sigma)).float()

    def index(self, sigma: Tensor) -> Tensor:
        """The index (B,) of the level nearest to sigma (B,) in ratio, a whole number in float32."""
        last = self.num_scales - 1
        fraction = (self.sigma_max / sigma).log() / math.log(self.sigma_max / self.sigma_min)
        return (last * fraction).round().clamp(0, last)


@dataclass(frozen=True)
class EDMPreconditioning:
    """D = c_skip x + c_out F(c_in x; ln(sigma) / 4) on [-1, 1], inputs and targets of unit variance at every sigma.

    sigma_data is the standard deviation of the training images on [-1, 1].
    """

    kind: ClassVar[str] = "edm"
    sigma_data: float = 0.5

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        x = 2 * x - 1
        s = 2 * sigma[:, None, None, None]
        total = s**2 + self.sigma_data**2
        c_skip = self.sigma_data**2 / total
        c_out = s * self.sigma_data / total.sqrt()
        c_in = 1 / total.sqrt()
        d = c_skip * x + c_out * network(c_in * x, (2 * sigma).log() / 4).float()
        return (d + 1) / 2

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """Weight of the squared error of D on [0, 1] that makes every sigma count alike (EDM, table 1)."""
        s = 2 * sigma
        return 4 * (s**2 + self.sigma_data**2) / (s * self.sigma_data) ** 2


Prediction = Literal["eps", "v", "x0"]


@dataclass(frozen=True)
class VPPreconditioning:
    """Variance-preserving networks, which see y = sqrt(abar) image + sqrt(1 - abar) eps, images in [-1, 1].

    With x on [-1, 1], s = 2 sigma, and c_in = sqrt(abar) = 1 / sqrt(1 + s^2), F = network(c_in x; label_scale i), where
    i is the number of the level in the schedule, between two levels a fraction of them in ln sigma:

        eps  D = x - s F              Ho et al. 2020 (arXiv 2006.11239), equation 11
        v    D = c_in^2 x - s c_in F  where F = sqrt(abar) eps - sqrt(1 - abar) image; Salimans and Ho 2022
                                      (arXiv 2202.00512), appendix D
        x0   D = F

    label_scale is 1, except for networks conditioned on i 1000 / T (Nichol and Dhariwal 2021, arXiv 2102.09672).
    """

    kind: ClassVar[str] = "vp"
    schedule: VPSchedule
    prediction: Prediction = "eps"
    label_scale: float = 1.0

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        label = self.label_scale * self.schedule.index(sigma)
        y, s = 2 * x - 1, 2 * sigma[:, None, None, None]
        c_in = (1 + s**2).rsqrt()
        f = network(c_in * y, label).float()
        if self.prediction == "eps":
            return x - sigma[:, None, None, None] * f  # on [0, 1] at once: the two factors 2 cancel
        d = f if self.prediction == "x0" else c_in**2 * y - s * c_in * f
        return (d + 1) / 2
