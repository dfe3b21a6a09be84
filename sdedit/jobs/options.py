"""What a painting job is asked for, and what that means for a model: the one place where defaults are settled."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit import __version__
from sdedit.errors import SdeditError
from sdedit.models import BUILT_IN
from sdedit.quality import Sampling, choose_sampling
from sdedit.recipe import Recipe

if TYPE_CHECKING:
    from sdedit.model import ScoreModel

_DEFAULT_T0 = 0.5
MOST_VARIANTS = 10_000
MOST_PASSES = 12
MOST_SEED = 2**63 - MOST_VARIANTS - 1


@dataclass(frozen=True)
class PaintOptions:
    """The options of `sdedit paint`, by the same names; None leaves the choice to the model or the device.

    Attributes:
        t0: start time; (low, high) lets the model choose between the two, for a single guide.
        animate: the animation to write of a single guide, a frame every `animate_every` evaluations of "x" or "D".
        model: what `sdedit.load_model` takes, or a model it returned; `device` to `offline` are for the former.
        passes: at so many sizes, coarse to fine; None is 1 at the native size and one more for each doubling.
        batch: most guides that go through the network at once; None is 8 for a folder and 1 for a single guide.
        include, exclude: patterns of the names of guides in folders (see `sdedit.jobs.listing`).
        skip_existing: leave every picture alone that is there, whatever its recipe.
        overwrite: paint every picture again, whatever its recipe.
        tune_allocator: let this process keep freed memory, as the command does: faster on a CPU, and process-wide.
        shard: (i, n), paint only the i-th of n shares of a folder; i counts from 0, and n means the same as 0.
    """

    t0: float | tuple[float, float] | None = None
    sigma: float | None = None
    model: str | Path | ScoreModel = BUILT_IN
    quality: str | None = None
    steps: int | None = None
    sampler: str | None = None
    grid: str | None = None
    repeats: int = 1
    variants: int = 1
    seed: int | None = None
    size: int | tuple[int, int] | None = None
    passes: int | None = None
    background: str = "white"
    device: str = "auto"
    precision: str = "auto"
    compiled: bool = False
    raw_weights: bool = False
    sigma_max: float | None = None
    offline: bool = False
    batch: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overwrite: bool = False
    skip_existing: bool = False
    shard: tuple[int, int] | None = None
    tune_allocator: bool = False
    animate: str | None = None
    animate_every: int | None = None
    animate_state: str = "x"

    def check(self) -> None:
        """Refuse what can be refused without a model.

        Raises:
            SdeditError: if options contradict each other or are out of range.
        """
        if self.t0 is not None and self.sigma is not None:
            raise SdeditError("t0 and sigma say the same thing; give one of them")
        if self.overwrite and self.skip_existing:
            raise SdeditError("overwrite and skip-existing contradict each other; give one of them")
        for name, value, most in (
            ("steps", 1 if self.steps is None else self.steps, None),
            ("repeats", self.repeats, None),
            ("variants", self.variants, MOST_VARIANTS),
            ("passes", 1 if self.passes is None else self.passes, MOST_PASSES),
            ("batch", self.batch or 1, None),
        ):
            if value < 1 or (most is not None and value > most):
                raise SdeditError(f"{name} must be at least 1{f' and at most {most}' if most else ''}, not {value}")
        if self.seed is not None and not 0 <= self.seed <= MOST_SEED:
            raise SdeditError(f"seed must lie in [0, {MOST_SEED}], not {self.seed}")
        if self.shard is not None and not 0 <= self.shard[0] <= self.shard[1] > 0:
            raise SdeditError(f"a shard is i/n with i from 0 to n, not {self.shard[0]}/{self.shard[1]}")


@dataclass(frozen=True)
class Settings:
    """How the pictures of a job are painted with the model it has: options with every default settled."""

    t0: float
    sigma: float
    sampling: Sampling
    repeats: int
    size: int | tuple[int, int]
    passes: int
    background: str
    raw_weights: bool
    model_source: str
    any_precision: bool  # none was asked for

    def recipe(self, model: ScoreModel, size: tuple[int, int], seed: int, **facts: Any) -> Recipe:
        """The recipe of one picture of (width, height) px; `facts` are the fields that only its painter knows."""
        from sdedit.runtime import precision_name

        return Recipe(
            version=__version__,
            model=model.name,
            checksum=model.checksum,
            width=size[0],
            height=size[1],
            t0=self.t0,
            sigma=self.sigma,
            **asdict(self.sampling),
            repeats=self.repeats,
            passes=self.passes,
            seed=seed,
            precision=precision_name(model.dtype),
            sigma_max=model.schedule.sigma_max,
            raw_weights=self.raw_weights,
            background=self.background,
            model_source=self.model_source,
            device=model.device.type,
            **facts,
        )

    def agrees_with(self, recipe: dict[str, Any], model: ScoreModel, guide: str) -> bool:
        """Whether a picture with this recipe is what the settings would paint from a guide, its seed aside.

        Not compared is what decides only rounding: device, batch, version, and a precision nobody asked for.
        """
        width, height = recipe.get("width"), recipe.get("height")
        size = min(width or 0, height or 0) if isinstance(self.size, int) else (width, height)
        wanted = self.recipe(model, (0, 0), 0, guide=guide).to_dict()
        names = ["model", "checksum", "guide", "t0", "sigma", "steps", "sampler", "grid", "repeats", "passes"]
        names += ["sigma_max", "raw_weights", "background"] + ([] if self.any_precision else ["precision"])
        return size == self.size and all(recipe.get(name) == wanted[name] for name in names)


def load_job_model(options: PaintOptions, device: str, show_progress: bool) -> ScoreModel:
    """The model of a job, on a device.

    Raises:
        SdeditError: if there is no such model or device.
    """
    from sdedit.checkpoints import load_model
    from sdedit.model import ScoreModel
    from sdedit.runtime import keep_freed_memory

    if options.tune_allocator:
        keep_freed_memory()
    if isinstance(options.model, ScoreModel):
        return options.model
    return load_model(
        options.model,
        device,
        options.precision,
        compiled=options.compiled,
        raw_weights=options.raw_weights,
        sigma_max=options.sigma_max,
        offline=options.offline,
        show_progress=show_progress,
    )


def settle(options: PaintOptions, model: ScoreModel) -> Settings:
    """Options with the defaults of a model.

    Raises:
        SdeditError: if the model cannot do what is asked.
    """
    from sdedit.coarse_to_fine import pass_count, sampling_in_passes
    from sdedit.samplers import check_sampler

    size = options.size or model.native_size
    passes = options.passes or pass_count(size if isinstance(size, int) else min(size), model.native_size)
    try:
        chosen = choose_sampling(options.quality, options.sampler, options.steps, options.grid)
        sampling = sampling_in_passes(chosen, passes)
        check_sampler(sampling.sampler, model.schedule)
        t0 = options.t0
        if isinstance(t0, tuple):
            raise ValueError("t0 auto takes a single guide; give a number for several")
        if t0 is None:
            t0 = _DEFAULT_T0 if options.sigma is None else model.schedule.t(options.sigma)
        if options.sigma is not None and t0 == 0:
            raise ValueError(f"sigma must lie above {model.schedule.sigma_min:g}, the model's lowest noise level")
        model.schedule.levels(t0, sampling.level_count, sampling.grid)
        sigma = model.schedule.sigma(t0)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    return Settings(
        t0=t0,
        sigma=sigma,
        sampling=sampling,
        repeats=options.repeats,
        size=size,
        passes=passes,
        background=options.background,
        raw_weights=options.raw_weights,
        model_source=str(options.model) if isinstance(options.model, (str, Path)) else model.name,
        any_precision=options.precision == "auto",
    )


def draw_seed() -> int:
    return secrets.randbelow(2**32)


def warnings(settings: Settings, model: ScoreModel) -> list[str]:
    """What a user should know before painting: what the model's file left open, and steps that are too few."""
    lines = [f"{model.name}: {note}" for note in model.notes]
    if settings.sampling.sampler == "euler-maruyama-t":
        growth = math.log(settings.sigma / model.schedule.sigma_min)
        stable_steps = math.floor(2 * growth) + 1
        if settings.sampling.steps < stable_steps:
            lines.append(
                f"euler-maruyama-t is unstable at this t0 with fewer than {stable_steps} steps, and wants many times "
                "more"
            )
    return lines
