"""Samplers on data whose score is known in closed form, and against their papers' own formulas.

For pictures whose pixels are N(m, s^2), the denoiser is D(x; sigma) = m + k (x - m) with k = s^2 / (s^2 + sigma^2).
SDEdit of a guide g then has, for exact integration, pixels of mean m + k0 (g - m) and variance sigma0^2 k0 (1 + k0),
where k0 belongs to sigma0 = sigma(t0): k0^2 sigma0^2 from the noise put in, k0 sigma0^2 from the reverse SDE.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sdedit.diffusion.reverse_sde import gaussian_noise, sample
from sdedit.diffusion.samplers import CHURN, CHURN_BELOW, SAMPLERS, Sampling, er_sde
from sdedit.diffusion.schedule import VESchedule

MEAN, STD, GUIDE = 0.4, 0.2, 0.7
SCHEDULE = VESchedule(0.01, 50)
PIXELS = (1, 1, 400, 500)
FIRST_ORDER = ("euler-maruyama", "euler-maruyama-t", "ancestral")
ODE = ("dpm-2m", "heun")


def gaussian_denoise(x: Tensor, sigma: Tensor) -> Tensor:
    k = STD**2 / (STD**2 + sigma[:, None, None, None] ** 2)
    return MEAN + k * (x - MEAN)


def exact_moments(t0: float) -> tuple[float, float]:
    sigma = SCHEDULE.sigma(t0)
    k = STD**2 / (STD**2 + sigma**2)
    return MEAN + k * (GUIDE - MEAN), sigma * math.sqrt(k * (1 + k))


def exact_ode_moments(t0: float) -> tuple[float, float]:
    """The probability-flow ODE scales x - m by sqrt(k): dx/dsigma = sigma (x - m) / (s^2 + sigma^2)."""
    sigma = SCHEDULE.sigma(t0)
    k = STD**2 / (STD**2 + sigma**2)
    return MEAN + math.sqrt(k) * (GUIDE - MEAN), math.sqrt(k) * sigma


def exact_churned_moments(t0: float) -> tuple[float, float]:
    """Where the SDE has h times the noise of the reverse SDE, x - m shrinks by k^((1 + h) / 2), and the variance of x,
    which tends to that of the noised pictures, misses it by k^(1 + h) times what it did at first."""
    high, low = SCHEDULE.sigma(t0), min(SCHEDULE.sigma(t0), CHURN_BELOW)
    k_high, k_low = (STD**2 / (STD**2 + sigma**2) for sigma in (high, low))
    shrink = k_high / k_low * k_low ** ((1 + CHURN) / 2)
    return MEAN + shrink * (GUIDE - MEAN), STD * math.sqrt(1 - shrink**2)


def run(sampler: str, t0: float, steps: int, seed: int = 0, grid: str = "uniform", pixels: int = 200_000) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    levels = SCHEDULE.sigmas(t0, Sampling(sampler, steps + (sampler == "heun"), grid).n_sigmas, grid)
    x = torch.full((1, 1, 1, pixels), GUIDE)
    x = x + float(levels[0]) * gaussian_noise(x, generator)
    return sample(gaussian_denoise, x, levels, generator, sampler)


@pytest.mark.parametrize("t0", [0.2, 0.5, 0.9])
def test_forward_perturbation(t0: float) -> None:
    sigma = SCHEDULE.sigma(t0)
    x = torch.full(PIXELS, GUIDE)
    x = x + sigma * gaussian_noise(x, torch.Generator().manual_seed(1))
    assert float(x.mean()) == pytest.approx(GUIDE, abs=5 * sigma / math.sqrt(x.numel()))
    assert float(x.std()) == pytest.approx(sigma, rel=0.01)


# With N steps in t the samplers are first order; at these N what is left is below the tolerance.
@pytest.mark.parametrize(("t0", "steps", "tolerance"), [(0.3, 100, 0.03), (0.5, 200, 0.03), (0.7, 300, 0.03)])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_reverse_sde_of_a_gaussian(sampler: str, t0: float, steps: int, tolerance: float) -> None:
    exact = exact_ode_moments if sampler in ODE else exact_churned_moments if "churn" in sampler else exact_moments
    mean, std = exact(t0)
    x = run(sampler, t0, steps, pixels=50_000)
    assert float(x.mean()) == pytest.approx(mean, abs=0.01)
    assert float(x.std()) == pytest.approx(std, rel=tolerance)


@pytest.mark.parametrize("sampler", FIRST_ORDER)
def test_converges_as_steps_grow(sampler: str) -> None:
    mean, std = exact_moments(0.5)
    errors = []
    for steps in (20, 40, 80):
        x = run(sampler, 0.5, steps)
        errors.append(math.hypot(float(x.mean()) - mean, float(x.std()) - std))
    # First order would halve the error each time; 1.6 leaves room for the sample's own error.
    assert errors[0] > 1.6 * errors[1] > 1.6 * 1.6 * errors[2]


@pytest.mark.parametrize("churn", [0.5, 1.0, 3.0])
def test_er_sde_is_the_integral_of_a_line_through_two_answers(churn: float) -> None:
    before, s, s_next = 0.9, 0.7, 0.5
    a, b, c = er_sde(before, s, s_next, churn)
    u = torch.linspace(s_next, s, 100_001, dtype=torch.float64)
    weight = (1 + churn) * s_next ** (1 + churn) / u ** (2 + churn)  # of D(u) in x', Cui et al. 2023
    assert float(torch.trapezoid(weight, u)) == pytest.approx(1 - a, rel=1e-6)
    assert float(torch.trapezoid(weight * (s - u) / (before - s), u)) == pytest.approx(c, rel=1e-6)
    assert a**2 * s**2 + b**2 == pytest.approx(s_next**2)  # noise of the right level whatever the churn


def textbook(sampler: str, x: Tensor, t0: float, steps: int, generator: torch.Generator) -> Tensor:
    """The samplers as their papers write them: in t, with the score."""
    dt = t0 / steps
    g_factor = math.sqrt(2 * math.log(SCHEDULE.sigma_max / SCHEDULE.sigma_min))
    for n in range(steps, 0, -1):
        s, s_next = SCHEDULE.sigma(t0 * n / steps), SCHEDULE.sigma(t0 * (n - 1) / steps)
        score = (MEAN - x) / (STD**2 + s**2)
        z = gaussian_noise(x, generator) if n > 1 else torch.zeros_like(x)
        if n == 1:
            x = x + s**2 * score
        elif sampler == "euler-maruyama":
            e = math.sqrt(s**2 - s_next**2)
            x = x + e**2 * score + e * z
        elif sampler == "euler-maruyama-t":
            g = s * g_factor
            x = x + g**2 * score * dt + g * math.sqrt(dt) * z
        else:
            x0 = x + s**2 * score
            mean = (s_next**2 * x + (s**2 - s_next**2) * x0) / s**2
            x = mean + math.sqrt(s_next**2 * (s**2 - s_next**2) / s**2) * z
    return x


@pytest.mark.parametrize("steps", [1, 2, 30])
@pytest.mark.parametrize("sampler", FIRST_ORDER)
def test_equals_the_papers_formula(sampler: str, steps: int) -> None:
    x = torch.linspace(-1, 2, 48, dtype=torch.float64).reshape(1, 3, 4, 4)
    expected = textbook(sampler, x, 0.5, steps, torch.Generator().manual_seed(3))
    got = sample(gaussian_denoise, x, SCHEDULE.sigmas(0.5, steps), torch.Generator().manual_seed(3), sampler)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("t0", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_evaluation_a_step_at_every_t0_and_no_noise_in_the_last(sampler: str, t0: float) -> None:
    seen, answers = [], []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        seen.append(float(sigma[0]))
        answers.append(gaussian_denoise(x, sigma))
        return answers[-1]

    levels = SCHEDULE.sigmas(t0, 25)
    x = sample(denoise, torch.rand(2, 3, 4, 4), levels, torch.Generator().manual_seed(0), sampler)
    expected = levels[:-1].tolist()
    if sampler == "heun":
        expected = [expected[0], *(level for level in expected[1:] for _ in range(2))]
    assert seen == pytest.approx(expected, rel=1e-6)
    assert len(seen) == (49 if sampler == "heun" else 25)
    assert torch.equal(x, answers[-1])


def test_noise_of_a_picture_does_not_depend_on_its_batch() -> None:
    like = torch.empty(3, 3, 8, 8)
    batch = gaussian_noise(like, [torch.Generator().manual_seed(seed) for seed in (4, 5, 6)])
    alone = gaussian_noise(like[:1], [torch.Generator().manual_seed(5)])
    assert torch.equal(batch[1], alone[0])
    assert torch.equal(gaussian_noise(like[:1], torch.Generator().manual_seed(5))[0], alone[0])


@pytest.mark.parametrize("levels", [[1.0, 0.5], [0.5, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0], [1.0, math.nan, 0.0]])
def test_levels_that_do_not_fall_to_zero(levels: list[float]) -> None:
    with pytest.raises(ValueError, match="must fall"):
        sample(gaussian_denoise, torch.zeros(1, 3, 4, 4), torch.tensor(levels), torch.Generator())


def test_unknown_sampler() -> None:
    with pytest.raises(ValueError, match="one of euler-maruyama"):
        sample(gaussian_denoise, torch.zeros(1, 3, 4, 4), SCHEDULE.sigmas(0.5, 2), torch.Generator(), "magic")


def test_wrong_number_of_generators() -> None:
    with pytest.raises(ValueError, match="2 generators for 3"):
        gaussian_noise(torch.zeros(3, 1, 2, 2), [torch.Generator(), torch.Generator()])


def test_heun_takes_an_odd_number_of_evaluations() -> None:
    assert Sampling("heun", 1, "karras").n_sigmas == 1
    assert Sampling("heun", 25, "karras").n_sigmas == 13
    with pytest.raises(ValueError, match="19 or 21"):
        Sampling("heun", 20, "karras")


def test_constraint_is_put_on_every_level_that_is_reached() -> None:
    levels = SCHEDULE.sigmas(0.5, 6)
    reached = []

    def constrain(x: Tensor, sigma: float) -> Tensor:
        reached.append(sigma)
        return torch.full_like(x, sigma)

    x = sample(gaussian_denoise, torch.rand(1, 3, 4, 4), levels, torch.Generator(), constrain=constrain)
    assert reached == levels[1:].tolist()
    assert torch.equal(x, torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_steps_of_no_length_change_nothing(sampler: str) -> None:
    x = torch.rand(1, 3, 4, 4)

    def result(levels: list[float]) -> Tensor:
        return sample(
            gaussian_denoise, x, torch.tensor(levels).double(), lambda x, s, s_next: torch.ones_like(x), sampler
        )

    torch.testing.assert_close(result([0.02, 0.02, 0.02, 0]), result([0.02, 0]))
