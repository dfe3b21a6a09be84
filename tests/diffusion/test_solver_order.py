"""How fast the samplers' errors fall with N, on pictures whose reverse SDE has a known answer.

For data whose density is known, running the reverse SDE from x at noise level sigma0 draws from the posterior of the
clean picture given x. For a Gaussian and for a mixture of two, that posterior is known in closed form.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from sdedit.diffusion.reverse_sde import sample
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.schedule import VESchedule

SCHEDULE = VESchedule(0.01, 50)
GUIDE, T0 = 0.6, 0.5
SIGMA0 = SCHEDULE.sigma(T0)
GAUSSIAN = ((0.4, 1.0),)  # (mean, weight) of each mode
TWO_MODES = ((0.25, 0.5), (0.75, 0.5))
STD = {GAUSSIAN: 0.2, TWO_MODES: 0.1}
MODES = pytest.mark.parametrize("modes", [GAUSSIAN, TWO_MODES], ids=["gaussian", "two modes"])
PICTURES = 400_000
Modes = tuple[tuple[float, float], ...]


def posterior(x: Tensor, sigma: float, modes: Modes) -> tuple[Tensor, Tensor, float]:
    """Weights and means, (modes, …) each, and the standard deviation of the clean picture given x."""
    variance = STD[modes] ** 2 + sigma**2
    k = STD[modes] ** 2 / variance
    logits = torch.stack([math.log(weight) - (x - mean) ** 2 / (2 * variance) for mean, weight in modes])
    means = torch.stack([mean + k * (x - mean) for mean, _ in modes])
    return logits.softmax(0), means, math.sqrt(k) * sigma


def error(sampler: str, steps: int, modes: Modes, grid: str = "uniform") -> float:
    """Wasserstein-1 distance between what the sampler draws and the exact answer, in units of pixels in [0, 1]."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        weights, means, _ = posterior(x, float(sigma), modes)
        return (weights * means).sum(0)

    x = GUIDE + SIGMA0 * torch.randn(1, 1, 1, PICTURES, generator=torch.Generator().manual_seed(1))
    weights, means, std = posterior(x, SIGMA0, modes)
    chosen = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < weights[0]
    exact = torch.where(chosen, means[0], means[-1])
    exact = exact + std * torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    levels = SCHEDULE.sigmas(T0, Sampling(sampler, steps, grid).n_sigmas, grid)
    drawn = sample(denoise, x, levels, torch.Generator().manual_seed(4), sampler)
    return float((drawn.flatten().sort().values - exact.flatten().sort().values).abs().mean())


@MODES
@pytest.mark.parametrize("sampler", ["euler-maruyama", "ancestral"])
def test_first_order(sampler: str, modes: Modes) -> None:
    errors = [error(sampler, steps, modes) for steps in (10, 20, 40)]
    for more, fewer in pairwise(errors):
        assert 0.7 < math.log2(more / fewer) < 1.4


@MODES
@pytest.mark.parametrize(
    ("sampler", "steps", "grid"), [("dpm-2m-sde", 10, "karras"), ("er-sde", 8, "uniform"), ("er-sde", 8, "karras")]
)
def test_second_order(sampler: str, steps: int, grid: str, modes: Modes) -> None:
    coarse, fine = error(sampler, steps, modes, grid), error(sampler, 2 * steps, modes, grid)
    assert math.log2(coarse / fine) > 1.5


@MODES
@pytest.mark.parametrize(("sampler", "ratio"), [("dpm-2m-sde", 5), ("er-sde", 10)])
def test_how_much_better_than_algorithm_1_at_20_steps(sampler: str, ratio: float, modes: Modes) -> None:
    assert ratio * error(sampler, 20, modes) < error("euler-maruyama", 20, modes)


class BrownianPath:
    """One path of the noise, seen at any step: the solution with D held fixed in a step integrates dW sqrt(2u) / u^2.

    Kept in the clock 1 / sigma^2, in which that integral is a plain Brownian motion.
    """

    def __init__(self, levels: Tensor, pictures: int) -> None:
        self.clock = levels**-2
        self.increments = torch.randn(
            len(levels) - 1, pictures, dtype=torch.float64, generator=torch.Generator().manual_seed(5)
        )

    def position(self, sigma: float) -> int:
        return int((self.clock - sigma**-2).abs().argmin())

    def __call__(self, like: Tensor, s: float, s_next: float) -> Tensor:
        start, stop = self.position(s), self.position(s_next)
        widths = self.clock.diff()[start:stop, None]
        total = (widths.sqrt() * self.increments[start:stop]).sum(0)
        return (total / widths.sum().sqrt()).view(like.shape)

    def exact_gaussian(self, x: Tensor, levels: Tensor) -> Tensor:
        """The reverse SDE's solution for the Gaussian, driven by this path; linear, so in closed form.

        With v = std^2 + u^2: d((x - mean) / v) = dW sqrt(2u) / v.
        """
        mean, variance = GAUSSIAN[0][0], STD[GAUSSIAN] ** 2 + levels**2
        widths = (1 / variance).diff()[:, None]
        moved = (widths.sqrt() * self.increments).sum(0)
        return mean + variance[-1] * ((x - mean) / variance[0] + moved)


@pytest.mark.parametrize("sampler", ["ancestral", "dpm-2m-sde", "er-sde"])
def test_strong_order_one(sampler: str) -> None:
    """Path by path the error falls like 1 / N, the most that one evaluation a step allows: D itself follows the noise
    inside a step, which no extrapolation from the past can know. The second-order solvers halve its size."""
    lowest, pictures = 0.02, 5_000

    def grid(steps: int) -> Tensor:
        return torch.logspace(math.log10(SIGMA0), math.log10(lowest), steps + 1, dtype=torch.float64)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        weights, means, _ = posterior(x, float(sigma), GAUSSIAN)
        return (weights * means).sum(0)

    path = BrownianPath(grid(1280), pictures)
    z = torch.randn(1, 1, 1, pictures, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    x = GUIDE + SIGMA0 * z
    exact = denoise(path.exact_gaussian(x, grid(1280)), torch.tensor([lowest]))
    errors = []
    for steps in (10, 20, 40, 80):
        levels = torch.cat([grid(steps), torch.zeros(1, dtype=torch.float64)])
        errors.append(float((sample(denoise, x, levels, path, sampler) - exact).square().mean().sqrt()))
    slope = math.log2(errors[0] / errors[-1]) / 3
    assert slope > 0.9
    assert errors[1] < (0.025 if sampler == "ancestral" else 0.0125)
