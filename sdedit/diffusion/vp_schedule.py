"""The noise schedules of variance-preserving models, in the terms of the variance-exploding SDE.

Such a model is trained on y_t = sqrt(abar) y + sqrt(1 - abar) z with images y in [-1, 1] (Ho et al. 2020, arXiv
2006.11239, equation 4). Divided by sqrt(abar) that is y + s z, s = sqrt((1 - abar) / abar), and for images in [0, 1]
it is noise of level sigma = s / 2 (Karras et al. 2022, arXiv 2206.00364, table 1).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal, get_args, overload

import torch
from torch import Tensor

from sdedit.diffusion.schedule import ROUNDING, Schedule

Betas = Literal["linear", "cosine", "continuous"]
_MOST_TIMESTEPS = 100_000
_MOST_BETA = 0.999  # of the cosine schedule, whose last ratio of two alphas is 0


@dataclass(frozen=True)
class VPSchedule(Schedule):
    """sigma(t) for t in [0, 1], where t = (i + 1) / T is level i = 0 .. T - 1 of the training, 0 the lowest noise.

    Between two levels ln sigma is linear in t, and from 0 to the first sigma is. sigma(1) is part of the training. By
    `betas`:

        linear      beta_i from beta_start to beta_end in equal steps, abar_i the product of all 1 - beta up to i (Ho et
                    al. 2020)
        cosine      abar_i = f(i + 1) / f(0), f(n) = cos^2((n / T + .008) / 1.008 pi / 2), no beta above .999 (Nichol
                    and Dhariwal 2021, arXiv 2102.09672, equation 17)
        continuous  abar(t) = exp(-integral of beta from 0 to t), beta(t) = T (beta_start + t (beta_end - beta_start))
                    (Song et al. 2021, arXiv 2011.13456, equation 33)

    Attributes:
        betas: how beta goes with time, "linear", "cosine" or "continuous".
        timesteps: T, the number of levels.
        beta_start: the first beta; of no meaning to "cosine".
        beta_end: the last; likewise.

    Raises:
        ValueError: if the kind is unknown, T is out of range, or 0 < beta_start <= beta_end < 1 does not hold.
    """

    betas: Betas = "linear"
    timesteps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02

    def __post_init__(self) -> None:
        if self.betas not in get_args(Betas):
            raise ValueError(f"betas must be one of {', '.join(get_args(Betas))}, not {self.betas!r}")
        if type(self.timesteps) is not int or not 2 <= self.timesteps <= _MOST_TIMESTEPS:
            raise ValueError(f"a schedule has 2 to {_MOST_TIMESTEPS} timesteps, not {self.timesteps!r}")
        ends = self.beta_start, self.beta_end
        if not all(isinstance(end, (int, float)) for end in ends) or not 0 < ends[0] <= ends[1] < 1:
            raise ValueError(f"a schedule needs 0 < beta_start <= beta_end < 1, not {ends[0]!r} and {ends[1]!r}")

    @property
    def sigma_min(self) -> float:
        """The noise level of i = 0."""
        return self.sigma(1 / self.timesteps)

    @property
    def sigma_max(self) -> float:
        """The noise level of i = T - 1."""
        return self.sigma(1.0)

    @overload
    def sigma(self, t: float) -> float: ...
    @overload
    def sigma(self, t: Tensor) -> Tensor: ...
    def sigma(self, t: float | Tensor) -> float | Tensor:
        """Noise level at time t, a number or a tensor of any shape; computed in float64.

        Raises:
            ValueError: unless t is in [0, 1].
        """
        times = torch.as_tensor(t, dtype=torch.float64)
        if not ((times >= 0) & (times <= 1)).all():
            raise ValueError(f"t must lie in [0, 1], not {t}")
        if self.betas == "continuous":
            sigmas = torch.expm1(times * (self._beta_min + times * self._beta_d / 2)).sqrt() / 2
        else:
            logs = _log_levels(self, times.device, torch.float64)
            index = times * self.timesteps - 1
            low = index.floor().clamp(0, self.timesteps - 2).long()
            between = torch.lerp(logs[low], logs[low + 1], index - low).exp()
            sigmas = torch.where(index < 0, (index + 1) * logs[0].exp(), between)
        return sigmas.to(t.dtype) if isinstance(t, Tensor) else float(sigmas)

    @overload
    def t(self, sigma: float) -> float: ...
    @overload
    def t(self, sigma: Tensor) -> Tensor: ...
    def t(self, sigma: float | Tensor) -> float | Tensor:
        """Time at noise level sigma, a number or a tensor of any shape; the inverse of `sigma`, in float64.

        Raises:
            ValueError: unless sigma is in [0, sigma_max].
        """
        sigmas = torch.as_tensor(sigma, dtype=torch.float64)
        highest = self.sigma_max
        if not ((sigmas >= 0) & (sigmas <= highest * (1 + ROUNDING))).all():
            raise ValueError(f"sigma must lie in [0, {highest:g}], not {sigma}")
        if self.betas == "continuous":
            times = self._continuous_time(sigmas)
        else:
            index = self.index(sigmas)
            lowest = self.sigma_min
            times = torch.where(sigmas < lowest, sigmas / lowest, index + 1) / self.timesteps
        times = times.clamp(0, 1)
        return times.to(sigma.dtype) if isinstance(sigma, Tensor) else float(times)

    def index(self, sigma: Tensor) -> Tensor:
        """The index of a noise level, which networks are conditioned on; fractional between two training levels.

        For the continuous schedule it is (T - 1) t. Nothing here waits for a GPU, so that it can be captured.

        Args:
            sigma: of any shape, float32 or float64, on any device.

        Returns:
            Like sigma, in [0, T - 1].
        """
        last = self.timesteps - 1
        if self.betas == "continuous":
            return last * self._continuous_time(sigma).clamp(0, 1)
        logs = _log_levels(self, sigma.device, sigma.dtype)
        wanted = sigma.log()
        low = (torch.searchsorted(logs, wanted, right=True) - 1).clamp(0, last - 1)
        return (low + (wanted - logs[low]) / (logs[low + 1] - logs[low])).clamp(0, last)

    @property
    def _beta_min(self) -> float:
        return self.timesteps * self.beta_start

    @property
    def _beta_d(self) -> float:
        return self.timesteps * (self.beta_end - self.beta_start)

    def _continuous_time(self, sigma: Tensor) -> Tensor:
        log = torch.log1p((2 * sigma).square())  # -ln abar
        # The larger root's other form, in which nothing cancels and beta may be constant.
        return 2 * log / (self._beta_min + (self._beta_min**2 + 2 * self._beta_d * log).sqrt())


@functools.cache
def _log_levels(schedule: VPSchedule, device: torch.device, dtype: torch.dtype) -> Tensor:
    """ln sigma_i, (T,), rising; computed in float64, kept for each device and type."""
    steps = torch.arange(schedule.timesteps + 1, dtype=torch.float64)
    if schedule.betas == "cosine":
        log_f = 2 * torch.cos((steps / schedule.timesteps + 0.008) / 1.008 * math.pi / 2).log()
        log_alphas = log_f.diff().clamp(min=math.log1p(-_MOST_BETA))
    else:
        share = steps[:-1] / (schedule.timesteps - 1)
        log_alphas = torch.log1p(-(schedule.beta_start + share * (schedule.beta_end - schedule.beta_start)))
    logs = torch.expm1(-log_alphas.cumsum(0)).log() / 2 - math.log(2)
    return logs.to(device, dtype)
