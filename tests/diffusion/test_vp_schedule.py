"""The variance-preserving schedules: the published table, the papers' formulas, and the label a network is told."""

from __future__ import annotations

import math

import pytest
import torch

from sdedit.diffusion.vp_schedule import VPSchedule

TIMES = (0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0)
# sigma(t0), for pictures in [0, 1].
TABLE = {
    VPSchedule(): (
        0.0864, 0.169, 0.360, 0.617, 0.792, 1.015, 1.311, 1.712, 2.271, 3.068, 5.970, 12.76, 30.14, 78.70,
    ),
    VPSchedule("continuous"): (
        0.0871, 0.170, 0.360, 0.617, 0.791, 1.014, 1.308, 1.706, 2.260, 3.048, 5.906, 12.55, 29.41, 76.08,
    ),
    VPSchedule("cosine"): (
        0.0449, 0.0847, 0.168, 0.260, 0.312, 0.369, 0.433, 0.506, 0.592, 0.695, 0.990, 1.552, 3.182, 10146,
    ),
    VPSchedule("cosine", 4000): (
        0.0449, 0.0847, 0.168, 0.260, 0.312, 0.369, 0.433, 0.506, 0.592, 0.695, 0.990, 1.552, 3.182, 40582,
    ),
}  # fmt: skip
SCHEDULES = list(TABLE)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_table(schedule: VPSchedule) -> None:
    for t, sigma in zip(TIMES, TABLE[schedule], strict=True):
        assert schedule.sigma(t) == pytest.approx(sigma, rel=4e-3, abs=4e-3 * 10 ** math.floor(math.log10(sigma)))


def test_the_lowest_levels() -> None:
    linear = VPSchedule()
    assert [round(linear.sigma((i + 1) / 1000), 5) for i in range(4)] == [0.00500, 0.00742, 0.00948, 0.01140]
    assert VPSchedule("cosine").sigma_min == pytest.approx(0.00321, abs=5e-6)
    assert VPSchedule("cosine", 4000).sigma_min == pytest.approx(0.00157, abs=5e-6)


@pytest.mark.parametrize("betas", ["linear", "cosine"])
def test_against_the_product_of_alphas(betas: str) -> None:
    schedule = VPSchedule(betas)  # type: ignore[arg-type]
    abar = 1.0
    for i in range(1000):
        if betas == "linear":
            beta = 1e-4 + (0.02 - 1e-4) * i / 999
        else:
            here, after = (math.cos((n / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for n in (i, i + 1))
            beta = min(1 - after / here, 0.999)
        abar *= 1 - beta
        assert schedule.sigma((i + 1) / 1000) == pytest.approx(math.sqrt((1 - abar) / abar) / 2, rel=1e-9)


def test_the_continuous_integral() -> None:
    schedule = VPSchedule("continuous")
    for t in (1e-4, 0.01, 0.37, 1.0):
        abar = math.exp(-(0.1 * t + 19.9 * t**2 / 2))
        assert schedule.sigma(t) == pytest.approx(math.sqrt((1 - abar) / abar) / 2, rel=1e-9)
        assert schedule.index(torch.tensor([schedule.sigma(t)])).item() == pytest.approx(999 * t, rel=1e-4)
    constant = VPSchedule("continuous", 1000, 0.001, 0.001)
    assert constant.sigma(constant.t(0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("t", [0.0, 1e-7, 5e-4, 0.001, 0.0015, 0.1, 0.5, 0.77, 1.0])
def test_t_inverts_sigma(schedule: VPSchedule, t: float) -> None:
    assert schedule.t(schedule.sigma(t)) == pytest.approx(t, abs=1e-12)
    times = torch.tensor([[t, 0.3]], dtype=torch.float64)
    torch.testing.assert_close(schedule.t(schedule.sigma(times)), times)


@pytest.mark.parametrize("schedule", [VPSchedule(), VPSchedule("cosine", 4000)])
def test_the_label_is_exact_at_the_levels_and_linear_in_the_logarithm_between(schedule: VPSchedule) -> None:
    count = schedule.timesteps
    numbers = torch.arange(count)
    sigmas = schedule.sigma((numbers + 1).double() / count)
    torch.testing.assert_close(schedule.index(sigmas), numbers.double())
    torch.testing.assert_close(schedule.index(sigmas.float()), numbers.float(), rtol=0, atol=1e-3)
    middle = (sigmas[:-1] * sigmas[1:]).sqrt()
    torch.testing.assert_close(schedule.index(middle), numbers[:-1] + 0.5, rtol=0, atol=1e-6, check_dtype=False)
    ends = schedule.index(torch.tensor([1e-9, schedule.sigma_min / 2, 1e9]))
    assert ends.tolist() == [0, 0, count - 1]


def test_the_official_grid() -> None:
    """Uniform steps of t0 = k / T in k steps are the levels k - 1 .. 0 themselves."""
    schedule = VPSchedule()
    levels = schedule.sigmas(0.4, 400)
    assert levels[0] == pytest.approx(1.015, abs=5e-4)
    assert levels[-1] == 0
    torch.testing.assert_close(schedule.index(levels[:-1]), torch.arange(399.0, -1, -1, dtype=torch.float64))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("t0", [2e-4, 0.001, 0.5, 1.0])
def test_karras_levels_fall_from_anywhere(schedule: VPSchedule, t0: float) -> None:
    levels = schedule.sigmas(t0, 9, "karras")
    assert levels[0] == pytest.approx(schedule.sigma(t0))
    assert (levels.diff() <= 0).all()
    assert levels[-2] == pytest.approx(min(schedule.sigma_min, schedule.sigma(t0)))


@pytest.mark.parametrize("sigma", [-1, 79, math.nan])
def test_sigma_out_of_range(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must"):
        VPSchedule().t(sigma)


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_bad_t(t: float) -> None:
    with pytest.raises(ValueError, match="t must"):
        VPSchedule().sigma(t)


@pytest.mark.parametrize(
    "options",
    [
        {"betas": "scaled_linear"},
        {"timesteps": 10**9},
        {"timesteps": 1000.0},
        {"beta_start": 0.02, "beta_end": 1e-4},
        {"beta_end": "0.02"},
        {"beta_end": math.nan},
    ],
)
def test_options_that_cannot_be(options: dict) -> None:
    with pytest.raises(ValueError, match=r"schedule|betas"):
        VPSchedule(**options)
