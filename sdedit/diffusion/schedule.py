"""Noise schedules: x_t = x_0 + sigma(t) z, with t in [0, 1] and images in [0, 1].

Here the interface of all, and the schedule of the variance-exploding SDE: Song et al. 2021 (arXiv 2011.13456), equation
31; Meng et al. 2021 (SDEdit, arXiv 2108.01073), section 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, overload

import torch
from torch import Tensor

from sdedit.errors import meant_time

_RHO = 7
ROUNDING = 1e-5  # by how much sigma(1) in single precision may miss sigma_max


class Schedule(Protocol):
    """sigma(t), rising from sigma(0) = 0 to sigma(1) = sigma_max, and its inverse; numbers, or tensors of any shape."""

    @property
    def sigma_min(self) -> float:
        """The lowest noise level that the network was trained at."""
        ...

    @property
    def sigma_max(self) -> float: ...

    @property
    def sigma_finish(self) -> float:
        """The level from which the finisher of a model that has one takes the last step, to 0; else 0."""
        return 0.0

    @overload
    def sigma(self, t: float) -> float: ...
    @overload
    def sigma(self, t: Tensor) -> Tensor: ...

    @overload
    def t(self, sigma: float) -> float: ...
    @overload
    def t(self, sigma: Tensor) -> Tensor: ...

    def sigmas(self, t0: float, steps: int, grid: str = "uniform") -> Tensor:
        """Noise levels from sigma(t0) to 0.

        Args:
            t0: start time, in (0, 1].
            steps: the number of steps.
            grid: "uniform", steps of equal length in t, which for variance-exploding schedules are steps of equal
                length in the logarithm of the signal-to-noise ratio too: SDEdit's Algorithm 1. Or "karras", steps of
                equal length in sigma^(1/7) down to sigma_min and one from there to 0 (Karras et al. 2022, arXiv
                2206.00364, equation 5).

        Returns:
            (steps + 1,) float64 on the CPU, ending in exactly 0; for "uniform" sigma(t0 n / steps) for n = steps .. 0.
            From above sigma_finish, if there is one, that is the last level but 0 on both grids.

        Raises:
            ValueError: if t0 or steps is out of range, or the grid is unknown.
        """
        if not 0 < t0 <= 1:
            raise ValueError(f"t0 must lie in (0, 1], not {t0}{meant_time(t0)}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        if grid not in ("uniform", "karras"):
            raise ValueError(f"grid must be uniform or karras, not {grid!r}")
        start = self.sigma(t0)
        finishes = 0 < self.sigma_finish < start and steps > 1
        if grid == "uniform" and not finishes:
            return self.sigma(t0 * torch.arange(steps, -1, -1, dtype=torch.float64) / steps)
        share = torch.arange(steps, dtype=torch.float64) / max(1, steps - 1)
        last = self.sigma_finish if finishes else min(start, self.sigma_min)
        if grid == "uniform":
            levels = self.sigma(t0 + share * (self.t(last) - t0))
        else:
            high, low = start ** (1 / _RHO), last ** (1 / _RHO)
            levels = (high + share * (low - high)) ** _RHO
        if finishes:
            levels[-1] = last  # without rounding, so that it is known again
        return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


@dataclass(frozen=True)
class VESchedule(Schedule):
    """sigma(t) = sigma_min (sigma_max / sigma_min)^t for t in (0, 1], and sigma(0) = 0.

    Attributes:
        sigma_min: the lowest noise level, for images in [0, 1].
        sigma_max: the highest.
        sigma_finish: 0, or the level from which a finisher takes the last step of sampling, to 0.

    Raises:
        ValueError: unless 0 < sigma_min < sigma_max and both are finite, and sigma_finish is 0 or between them.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    sigma_finish: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise ValueError(
                f"a schedule needs 0 < sigma_min < sigma_max, not sigma_min {self.sigma_min} and "
                f"sigma_max {self.sigma_max}"
            )
        if self.sigma_finish != 0 and not self.sigma_min < self.sigma_finish < self.sigma_max:
            raise ValueError(f"sigma_finish must be 0, or lie between sigma_min and sigma_max, not {self.sigma_finish}")

    @property
    def log_ratio(self) -> float:
        """ln(sigma_max / sigma_min), the growth of ln sigma per unit of t."""
        return math.log(self.sigma_max / self.sigma_min)

    @overload
    def sigma(self, t: float) -> float: ...
    @overload
    def sigma(self, t: Tensor) -> Tensor: ...
    def sigma(self, t: float | Tensor) -> float | Tensor:
        """Noise level at time t, a number or a tensor of any shape.

        Raises:
            ValueError: unless t is in [0, 1].
        """
        times = torch.as_tensor(t, dtype=None if isinstance(t, Tensor) else torch.float64)
        if not ((times >= 0) & (times <= 1)).all():
            raise ValueError(f"t must lie in [0, 1], not {t}")
        sigmas = torch.where(times > 0, self.sigma_min * torch.exp(self.log_ratio * times), 0.0)
        return sigmas if isinstance(t, Tensor) else float(sigmas)

    @overload
    def t(self, sigma: float) -> float: ...
    @overload
    def t(self, sigma: Tensor) -> Tensor: ...
    def t(self, sigma: float | Tensor) -> float | Tensor:
        """Time at noise level sigma, a number or a tensor of any shape; the inverse of `sigma`.

        Raises:
            ValueError: unless sigma is 0 or in [sigma_min, sigma_max].
        """
        sigmas = torch.as_tensor(sigma, dtype=None if isinstance(sigma, Tensor) else torch.float64)
        low, high = self.sigma_min * (1 - ROUNDING), self.sigma_max * (1 + ROUNDING)
        if not ((sigmas == 0) | (sigmas >= low) & (sigmas <= high)).all():
            raise ValueError(f"sigma must lie in [{self.sigma_min:g}, {self.sigma_max:g}], not {sigma}")
        times = torch.where(sigmas > 0, torch.log(sigmas / self.sigma_min) / self.log_ratio, 0.0).clamp(0, 1)
        return times if isinstance(sigma, Tensor) else float(times)
