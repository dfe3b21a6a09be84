"""How a picture is sampled unless told otherwise: solver, number of evaluations and time grid, as measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """A sampler of `sdedit.samplers`, N network evaluations, and a grid of `sdedit.schedule`."""

    sampler: str
    steps: int
    grid: str


# benchmarks/solvers.py measures these; "best" is the paper's own setting.
QUALITIES = {
    "fast": Sampling("er-sde", 12, "karras"),
    "balanced": Sampling("er-sde", 30, "karras"),
    "best": Sampling("euler-maruyama", 500, "uniform"),
}
_SAMPLERS = {
    "euler-maruyama": Sampling("euler-maruyama", 250, "uniform"),
    "euler-maruyama-t": Sampling("euler-maruyama-t", 500, "uniform"),
    "ancestral": Sampling("ancestral", 100, "uniform"),
    "dpm-2m-sde": Sampling("dpm-2m-sde", 30, "karras"),
    "er-sde": Sampling("er-sde", 30, "karras"),
    "dpm-2m": Sampling("dpm-2m", 30, "karras"),
    "heun": Sampling("heun", 31, "karras"),
}


def choose_sampling(
    quality: str = "balanced", sampler: str = "auto", steps: int | None = None, grid: str | None = None
) -> Sampling:
    """What a quality means, with what is said beside it taking its place.

    Args:
        quality: a key of QUALITIES.
        sampler: a key of `sdedit.samplers.SAMPLERS`, with steps and a grid of its own unless they are given; or "auto".
        steps: N, network evaluations.
        grid: a member of `sdedit.schedule.GRIDS`.
    """
    chosen = QUALITIES[quality]
    if sampler not in ("auto", chosen.sampler):
        chosen = _SAMPLERS[sampler]
    return Sampling(chosen.sampler, steps or chosen.steps, grid or chosen.grid)
