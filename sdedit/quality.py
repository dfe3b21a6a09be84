"""How pictures are sampled: solver, number of network evaluations and time grid, as one choice with names.

Nothing heavy is imported here: the command line shows these names.
"""

from __future__ import annotations

from dataclasses import dataclass

GRIDS = ("uniform", "karras")
_SAMPLERS = (
    "euler-maruyama",
    "euler-maruyama-t",
    "ancestral",
    "dpm-2m-sde",
    "er-sde",
    "er-sde-churn",
    "dpm-2m",
    "heun",
)


@dataclass(frozen=True)
class Sampling:
    """How the reverse SDE is solved.

    Attributes:
        sampler: a key of `sdedit.samplers.SAMPLERS`.
        steps: N, the number of network evaluations, at every t0.
        grid: how they are spread over the noise levels; see `sdedit.schedule.VESchedule.levels`.

    Raises:
        ValueError: if the sampler or grid is unknown, N is below 1, or `heun` is given an even N.
    """

    sampler: str
    steps: int
    grid: str

    def __post_init__(self) -> None:
        if self.sampler not in _SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(_SAMPLERS)}, not {self.sampler!r}")
        if self.grid not in GRIDS:
            raise ValueError(f"grid must be one of {', '.join(GRIDS)}, not {self.grid!r}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        if self.sampler == "heun" and self.steps % 2 == 0:
            raise ValueError(f"heun takes an odd number of steps, such as {self.steps - 1} or {self.steps + 1}")

    @property
    def level_count(self) -> int:
        """Noise levels above 0: N, but for `heun`, which evaluates twice in all steps but the last."""
        return (self.steps + 1) // 2 if self.sampler == "heun" else self.steps

    def __str__(self) -> str:
        return f"{self.steps} steps of {self.sampler}"


QUALITIES = {
    "fast": Sampling("er-sde", 10, "karras"),
    "balanced": Sampling("er-sde-churn", 20, "karras"),
    "best": Sampling("euler-maruyama", 500, "uniform"),  # the paper's own setting
}

# What each sampler gets unless told otherwise: few steps for the second order, many for the first.
SAMPLINGS = {
    "euler-maruyama": Sampling("euler-maruyama", 500, "uniform"),
    "euler-maruyama-t": Sampling("euler-maruyama-t", 500, "uniform"),
    "ancestral": Sampling("ancestral", 100, "uniform"),
    "dpm-2m-sde": Sampling("dpm-2m-sde", 20, "karras"),
    "er-sde": Sampling("er-sde", 15, "karras"),
    "er-sde-churn": Sampling("er-sde-churn", 20, "karras"),
    "dpm-2m": Sampling("dpm-2m", 20, "karras"),
    "heun": Sampling("heun", 21, "karras"),
}
DEFAULT = QUALITIES["balanced"]


def choose_sampling(
    quality: str | None = None, sampler: str | None = None, steps: int | None = None, grid: str | None = None
) -> Sampling:
    """What a quality or a sampler means, with what is said beside it taking its place.

    Args:
        quality: a key of QUALITIES; None leaves the choice to the sampler.
        sampler: a key of SAMPLINGS; None or "auto" is that of the quality, or DEFAULT.
        steps, grid: as in `Sampling`.

    Raises:
        ValueError: as `Sampling`, or if a quality is unknown, or quality and sampler are given.
    """
    sampler = None if sampler == "auto" else sampler
    if quality is not None and sampler is not None:
        raise ValueError("quality and sampler choose the same thing; give one of them")
    for name, known, kind in ((quality, QUALITIES, "quality"), (sampler, SAMPLINGS, "sampler")):
        if name is not None and name not in known:
            raise ValueError(f"{kind} must be one of {', '.join(known)}, not {name!r}")
    chosen = QUALITIES[quality] if quality else SAMPLINGS[sampler] if sampler else DEFAULT
    return Sampling(chosen.sampler, chosen.steps if steps is None else steps, grid or chosen.grid)
