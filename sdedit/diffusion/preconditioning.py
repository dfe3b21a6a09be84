"""Preconditioning: how a network F becomes a denoiser D(x; sigma), the best guess of the clean image.

Karras et al. 2022 (EDM, arXiv 2206.00364), table 1. Here x = image + sigma z with images in [0, 1]; the networks
themselves work on [-1, 1], where the same noise has level 2 sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from sdedit.diffusion.octaves import double, halve, with_coarse
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

    A network with a detail network does so at half the size, and gets what is left, the octave above, in the same way:

        D = double(D_half) + c_skip' band + c_out' detail(c_in x, c_in' band, D_half),   band = x - double(halve(x))

    with c_skip', c_out' and c_in' for images of standard deviation sigma_detail, and corrected so that halve(D) is
    D_half: samplers are linear in x and D, so an image halved is what the U-Net alone paints of the halved noise.

    Attributes:
        sigma_data: standard deviation of the training images on [-1, 1].
        sigma_detail: that of their upper octave; used with a detail network only.
        detail_below: noise level, in units of x, from which on the detail network adds nothing.
    """

    kind: ClassVar[str] = "edm"
    sigma_data: float = 0.5
    sigma_detail: float = 0.07
    detail_below: float = 1e3

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        x, s = 2 * x - 1, 2 * sigma
        detail = getattr(network, "detail", None)
        if detail is None:
            c_skip, c_out, c_in = _edm(s, self.sigma_data)
            d = c_skip * x + c_out * network(c_in * x, s.log() / 4).float()
            return (d + 1) / 2
        low = halve(x)
        c_skip, c_out, c_in = _edm(s / 2, self.sigma_data)
        f, features, embedding = network.with_features(c_in * low, (s / 2).log() / 4)  # type: ignore[operator]
        coarse = c_skip * low + c_out * f.float()
        band = x - double(low)
        c_skip, c_out, c_in_band = _edm(s, self.sigma_detail)
        d = double(coarse) + c_skip * band
        # At more noise it has nothing to go by, and what it made up would be taken for the image from then on.
        adds = (sigma < self.detail_below)[:, None, None, None]
        if x.device.type != "cpu" or adds.any():  # to ask costs nothing on a CPU, where the answer saves a third
            c_in = _edm(s, self.sigma_data)[2]
            added = detail(c_in * x, c_in_band * band, coarse, features, embedding).float()
            d = d + torch.where(adds, c_out * added, 0.0)
        return (with_coarse(d, coarse) + 1) / 2

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """Weight of the squared error of D on [0, 1] that makes every sigma count alike (EDM, table 1)."""
        s = 2 * sigma
        return 4 * (s**2 + self.sigma_data**2) / (s * self.sigma_data) ** 2


def _edm(s: Tensor, deviation: float) -> tuple[Tensor, Tensor, Tensor]:
    """c_skip, c_out and c_in, (B, 1, 1, 1), at noise levels s (B,) for data of a standard deviation."""
    s = s[:, None, None, None]
    total = s**2 + deviation**2
    return deviation**2 / total, s * deviation / total.sqrt(), 1 / total.sqrt()


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
