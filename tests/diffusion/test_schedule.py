"""The noise schedule against the published table and its own definition."""

import math

import pytest
import torch

from sdedit.diffusion.schedule import VESchedule

# sigma(t) of the published models, by sigma_max.
TABLE = {
    50: {0.2: 0.055, 0.3: 0.129, 0.5: 0.707, 0.7: 3.884},
    348: {0.2: 0.081, 0.5: 1.865, 0.6: 5.308},
    380: {0.3: 0.237, 0.5: 1.949, 0.7: 16.06},
    1348: {0.4: 1.127, 0.5: 3.672, 0.7: 38.98},
}


@pytest.mark.parametrize(("sigma_max", "t", "sigma"), [(m, t, s) for m, row in TABLE.items() for t, s in row.items()])
def test_sigma_of_published_models(sigma_max: float, t: float, sigma: float) -> None:
    assert VESchedule(0.01, sigma_max).sigma(t) == pytest.approx(sigma, rel=0.01)


def test_ends_and_jump_at_zero() -> None:
    schedule = VESchedule(0.01, 380)
    assert schedule.sigma(0) == 0
    assert schedule.sigma(1e-12) == pytest.approx(0.01)
    assert schedule.sigma(1) == pytest.approx(380)


@pytest.mark.parametrize("t", [0.0, 1e-6, 0.1, 0.5, 0.77, 1.0])
def test_t_inverts_sigma(t: float) -> None:
    schedule = VESchedule(0.01, 348)
    assert schedule.t(schedule.sigma(t)) == pytest.approx(t, abs=1e-9)


def test_tensors_go_through_elementwise() -> None:
    schedule, times = VESchedule(0.01, 348), [[0.0, 0.3], [0.5, 1.0]]
    sigmas = schedule.sigma(torch.tensor(times, dtype=torch.float64))
    assert sigmas.tolist() == [[schedule.sigma(t) for t in row] for row in times]
    torch.testing.assert_close(schedule.t(sigmas), torch.tensor(times, dtype=torch.float64))
    single = schedule.sigma(torch.tensor(times))
    assert single.dtype == torch.float32
    torch.testing.assert_close(schedule.t(single), torch.tensor(times))
    with pytest.raises(ValueError, match="t must"):
        schedule.sigma(torch.tensor([0.5, 1.5]))


def test_levels_are_the_uniform_time_grid() -> None:
    schedule = VESchedule()
    levels = schedule.sigmas(0.5, 4)
    expected = [schedule.sigma(t) for t in (0.5, 0.375, 0.25, 0.125, 0.0)]
    torch.testing.assert_close(levels, torch.tensor(expected, dtype=torch.float64))
    assert levels[-1] == 0


def test_one_step_goes_straight_to_zero() -> None:
    assert VESchedule().sigmas(0.5, 1).tolist() == [pytest.approx(math.sqrt(0.5)), 0.0]


@pytest.mark.parametrize("t0", [0, -0.1, 1.01, math.nan, math.inf])
def test_bad_t0(t0: float) -> None:
    with pytest.raises(ValueError, match="t0"):
        VESchedule().sigmas(t0, 10)


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_bad_t(t: float) -> None:
    with pytest.raises(ValueError, match="t must"):
        VESchedule().sigma(t)


@pytest.mark.parametrize("sigma", [0.001, 51, math.nan, -1])
def test_sigma_out_of_range(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must"):
        VESchedule().t(sigma)


@pytest.mark.parametrize(("low", "high"), [(0, 50), (50, 0.01), (0.01, math.inf), (math.nan, 50)])
def test_bad_schedules(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="sigma_min"):
        VESchedule(low, high)


def test_no_steps() -> None:
    with pytest.raises(ValueError, match="steps"):
        VESchedule().sigmas(0.5, 0)
