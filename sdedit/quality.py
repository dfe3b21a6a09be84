"""How pictures are sampled: solver, number of network evaluations and time grid, as one choice with names.

Nothing heavy is imported here: the command line shows these names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """A sampler of `sdedit.samplers`, N network evaluations, and a grid of `sdedit.schedule`."""

    sampler: str
    steps: int
    grid: str


QUALITIES = {
    "fast": Sampling("er-sde", 15, "karras"),
    "balanced": Sampling("er-sde", 30, "karras"),
    "best": Sampling("euler-maruyama", 500, "uniform"),  # the paper's own setting
}

# What each sampler gets unless told otherwise: few steps for the second order, many for the first.
SAMPLINGS = {
    "euler-maruyama": Sampling("euler-maruyama", 250, "uniform"),
    "euler-maruyama-t": Sampling("euler-maruyama-t", 500, "uniform"),
    "ancestral": Sampling("ancestral", 100, "uniform"),
    "dpm-2m-sde": Sampling("dpm-2m-sde", 30, "karras"),
    "er-sde": Sampling("er-sde", 30, "karras"),
    "dpm-2m": Sampling("dpm-2m", 30, "karras"),
    "heun": Sampling("heun", 31, "karras"),
}
DEFAULT = SAMPLINGS["euler-maruyama"]


def choose_sampling(
    quality: str | None = None, sampler: str | None = None, steps: int | None = None, grid: str | None = None
) -> Sampling:
    """What a quality or a sampler means, with what is said beside it taking its place.

    Args:
        quality: a key of QUALITIES; None leaves the choice to the sampler.
        sampler: a key of SAMPLINGS; None is that of the quality, or DEFAULT.
        steps: N, network evaluations.
        grid: a member of `sdedit.schedule.GRIDS`.

    Raises:
        ValueError: if a quality or sampler is unknown, or both are given.
    """
    if quality is not None and sampler is not None:
        raise ValueError("quality and sampler choose the same thing; give one of them")
    for name, known, kind in ((quality, QUALITIES, "quality"), (sampler, SAMPLINGS, "sampler")):
        if name is not None and name not in known:
            raise ValueError(f"{kind} must be one of {', '.join(known)}, not {name!r}")
    chosen = QUALITIES[quality] if quality else SAMPLINGS[sampler] if sampler else DEFAULT
    return Sampling(chosen.sampler, chosen.steps if steps is None else steps, grid or chosen.grid)
