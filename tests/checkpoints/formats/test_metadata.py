"""Preconditionings and schedules as tables: there and back, and what is refused."""

from __future__ import annotations

import json
import math

import pytest

from sdedit.checkpoints.formats.metadata import (
    preconditioning_from_table,
    preconditioning_to_table,
    schedule_from_table,
    schedule_to_table,
)
from sdedit.diffusion.preconditioning import (
    EDMPreconditioning,
    Preconditioning,
    VEIndexPreconditioning,
    VEPreconditioning,
    VPPreconditioning,
)
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.vp_schedule import VPSchedule

VP = {"kind": "vp", "betas": "linear", "timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}
SCHEDULES = [VESchedule(0.02, 90.0), VPSchedule(), VPSchedule("cosine", 4000), VPSchedule("continuous", 1000)]


@pytest.mark.parametrize(
    "preconditioning",
    [
        VEPreconditioning(),
        EDMPreconditioning(0.4),
        VEIndexPreconditioning(0.01, 348.0, 2000),
        *(VPPreconditioning(VPSchedule("cosine", 4000), kind, 0.25) for kind in ("eps", "v", "x0")),  # type: ignore[arg-type]
    ],
)
def test_preconditionings_there_and_back(preconditioning: Preconditioning) -> None:
    table = json.loads(json.dumps(preconditioning_to_table(preconditioning)))
    assert preconditioning_from_table(table) == preconditioning


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_there_and_back(schedule: VPSchedule | VESchedule) -> None:
    assert schedule_from_table(json.loads(json.dumps(schedule_to_table(schedule)))) == schedule


def test_files_call_the_number_of_scales_levels() -> None:
    options = {"kind": "ve-index", "sigma_min": 0.01, "sigma_max": 50.0, "levels": 7}
    preconditioning = VEIndexPreconditioning(num_scales=7)
    assert preconditioning_from_table(options) == preconditioning
    assert preconditioning_to_table(preconditioning) == options


@pytest.mark.parametrize(
    "options",
    [
        {},
        [],
        "edm",
        {"kind": ["edm"]},
        {"kind": "edm", "sigma": 1},
        {"kind": "edm", "sigma_data": 0},
        {"kind": "edm", "sigma_data": "0.5"},
        {"kind": "edm", "sigma_data": 10**400},
        {"kind": "edm", "sigma_data": math.nan},
        {"kind": "ve", "sigma_data": 0.5},
        {"kind": "ve-index", "levels": 0.5},
        {"kind": "vp"},
        {"kind": "vp", "schedule": {"sigma_min": 0.01, "sigma_max": 50}},
        {"kind": "vp", "schedule": "linear"},
        {"kind": "vp", "schedule": VP, "prediction": "flow"},
        {"kind": "vp", "schedule": VP, "label_scale": 0},
        {"kind": "vp", "schedule": VP, "label_scale": "1"},
        {"kind": "vp", "schedule": VP, "sigma_data": 0.5},
        {"kind": "vp", "schedule": {**VP, "timesteps": -1}},
    ],
)
def test_preconditionings_that_cannot_be(options: object) -> None:
    with pytest.raises(ValueError, match=r"its (preconditioning|schedule)|timesteps"):
        preconditioning_from_table(options)


@pytest.mark.parametrize(
    "options",
    [
        [],
        {"kind": "vp", "betas": "scaled_linear"},
        {"kind": "vp", "timesteps": 10**9},
        {"kind": "vp", "timesteps": 1000.0},
        {"kind": "vp", "beta_start": 0.02, "beta_end": 1e-4},
        {"kind": "vp", "beta_end": "0.02"},
        {"kind": "vp", "beta_end": math.nan},
        {"kind": "vp", "sigma_max": 50},
        {"kind": "sub-vp"},
        {"kind": "ve", "betas": "linear"},
        {"sigma_min": 1, "sigma_max": 0.1},
    ],
)
def test_schedules_that_cannot_be(options: object) -> None:
    with pytest.raises(ValueError, match=r"schedule|betas"):
        schedule_from_table(options)
