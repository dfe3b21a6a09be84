"""Preconditionings and noise schedules as the tables that the project's checkpoint files have them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sdedit.diffusion.preconditioning import (
    EDMPreconditioning,
    Preconditioning,
    VEIndexPreconditioning,
    VEPreconditioning,
    VPPreconditioning,
)
from sdedit.diffusion.schedule import Schedule, VESchedule
from sdedit.diffusion.vp_schedule import VPSchedule
from sdedit.io.tables import from_table

_KINDS: Mapping[str, type[Preconditioning]] = {
    kind.kind: kind for kind in (VEPreconditioning, VEIndexPreconditioning, EDMPreconditioning, VPPreconditioning)
}
_IN_FILE = {"num_scales": "levels"}  # what an option is called in files
_FROM_FILE = {there: here for here, there in _IN_FILE.items()}
_MOST = 1e6  # of every number; far beyond any that was trained with


def preconditioning_to_table(preconditioning: Preconditioning) -> dict[str, Any]:
    """A preconditioning as a table for `preconditioning_from_table`."""
    options: dict[str, Any] = asdict(preconditioning)  # type: ignore[call-overload]
    if isinstance(preconditioning, VPPreconditioning):
        options["schedule"] = schedule_to_table(preconditioning.schedule)
    return {"kind": preconditioning.kind, **{_IN_FILE.get(name, name): value for name, value in options.items()}}


def preconditioning_from_table(values: Any) -> Preconditioning:
    """The preconditioning in a table such as {"kind": "edm", "sigma_data": 0.5}.

    Raises:
        ValueError: if the kind or an option is unknown or has a value that cannot be.
    """
    options, kind = _split(values, "its preconditioning", "")
    if kind not in _KINDS:
        raise ValueError(f"its preconditioning is {kind!r}, none of {', '.join(_KINDS)}")
    options = {_FROM_FILE.get(name, name): value for name, value in options.items()}
    if kind == VPPreconditioning.kind:
        options["schedule"] = schedule_from_table(options.get("schedule"))
        if not isinstance(options["schedule"], VPSchedule):
            raise ValueError("its preconditioning 'vp' has no schedule of kind vp")
    made = from_table(_KINDS[kind], options, f"its preconditioning {kind!r}")
    for name, value in vars(made).items():
        if isinstance(value, (int, float)) and not 0 < value < _MOST:
            raise ValueError(f"its preconditioning {kind!r} cannot have {_IN_FILE.get(name, name)} {value!r}")
    return made


def schedule_to_table(schedule: Schedule) -> dict[str, Any]:
    """A schedule as a table for `schedule_from_table`; variance-exploding ones name no kind, as in older files."""
    if isinstance(schedule, VPSchedule):
        return {"kind": "vp", **asdict(schedule)}
    finish = {"sigma_finish": schedule.sigma_finish} if schedule.sigma_finish else {}
    return {"sigma_min": schedule.sigma_min, "sigma_max": schedule.sigma_max, **finish}


def schedule_from_table(values: Any) -> VESchedule | VPSchedule:
    """The schedule in a table such as {"kind": "vp", "betas": "cosine"} or {"sigma_min": 0.01, "sigma_max": 50}.

    Raises:
        ValueError: if the kind or an option is unknown or has a value that cannot be.
    """
    options, kind = _split(values, "its schedule", "ve")
    if kind == "vp":
        return from_table(VPSchedule, options, "its schedule 'vp'")
    if kind == "ve":
        return from_table(VESchedule, options, "its schedule")
    raise ValueError(f"its schedule is of kind {kind!r}, neither ve nor vp")


def _split(values: Any, name: str, default: str) -> tuple[dict[str, Any], str]:
    """The options of a table and its kind."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is not a table")
    options = dict(values)
    return options, str(options.pop("kind", default))
