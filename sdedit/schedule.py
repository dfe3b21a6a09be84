"""The noise schedule of the variance-exploding SDE: x_t = x_0 + sigma(t) z, with t in [0, 1].

Song et al. 2021 (arXiv 2011.13456), equation 31; Meng et al. 2021 (SDEdit, arXiv 2108.01073), section 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VESchedule:
    """sigma(t) = sigma_min (sigma_max / sigma_min)^t for t in (0, 1], and sigma(0) = 0. Pictures live in [0, 1].

    Raises:
        ValueError: unless 0 < sigma_min < sigma_max and both are finite.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise ValueError(
                f"a schedule needs 0 < sigma_min < sigma_max, not sigma_min {self.sigma_min} and "
                f"sigma_max {self.sigma_max}"
            )

    @property
    def log_ratio(self) -> float:
        """ln(sigma_max / sigma_min), the growth of ln sigma per unit of t."""
        return math.log(self.sigma_max / self.sigma_min)

    def sigma(self, t: float) -> float:
        """Noise level at time t.

        Raises:
            ValueError: unless t is in [0, 1].
        """
        if not 0 <= t <= 1:
            raise ValueError(f"t must lie in [0, 1], not {t}")
        return self.sigma_min * math.exp(self.log_ratio * t) if t > 0 else 0.0

    def t(self, sigma: float) -> float:
        """Time at noise level sigma, the inverse of `sigma`.

        Raises:
            ValueError: unless sigma is 0 or in [sigma_min, sigma_max].
        """
        if sigma == 0:
            return 0.0
        if not self.sigma_min <= sigma <= self.sigma_max:
            raise ValueError(f"sigma must lie in [{self.sigma_min:g}, {self.sigma_max:g}], not {sigma:g}")
        return math.log(sigma / self.sigma_min) / self.log_ratio

    def levels(self, t0: float, steps: int) -> Tensor:
        """Noise levels from sigma(t0) to 0 on the uniform time grid of SDEdit's Algorithm 1.

        Args:
            t0: start time, in (0, 1].
            steps: N, the number of steps and so of network evaluations.

        Returns:
            (steps + 1,) float64 on the CPU: sigma(t0 n / N) for n = N .. 0, ending in exactly 0.

        Raises:
            ValueError: if t0 or steps is out of range.
        """
        if not 0 < t0 <= 1:
            raise ValueError(f"t0 must lie in (0, 1], not {t0}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        times = t0 * torch.arange(steps, -1, -1, dtype=torch.float64) / steps
        levels = self.sigma_min * torch.exp(self.log_ratio * times)
        levels[-1] = 0.0
        return levels
