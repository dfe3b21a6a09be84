"""What a painting job's options mean for a model: every default settled, the recipe, and what to warn of."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit.diffusion.samplers import Sampling, SamplingChoice, resolve_sampling
from sdedit.errors import SdeditError
from sdedit.io.recipe import Recipe, package_version
from sdedit.jobs.options import PaintOptions

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel

_DEFAULT_T0 = 0.5


@dataclass(frozen=True)
class Resolved:
    """How the images of a job are painted with the model it has: options with every default settled."""

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
        """The recipe of one image of (width, height) px; `facts` are the fields that only its painter knows."""
        from sdedit.diffusion.device import precision_name

        return Recipe(
            version=package_version(),
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
        """Whether an image with this recipe is what the settings would paint from a guide, its seed aside.

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
    from sdedit.checkpoints.load import load_model
    from sdedit.diffusion.device import tune_allocator
    from sdedit.diffusion.score_model import ScoreModel

    if options.tune_allocator:
        tune_allocator()
    if isinstance(options.model, ScoreModel):
        return options.model
    return load_model(
        options.model,
        device,
        options.precision,
        compile=options.compile,
        raw_weights=options.raw_weights,
        sigma_max=options.sigma_max,
        offline=options.offline,
        show_progress=show_progress,
    )


def resolve(options: PaintOptions, model: ScoreModel) -> Resolved:
    """Options with the defaults of a model.

    Raises:
        SdeditError: if the model cannot do what is asked.
    """
    from sdedit.diffusion.coarse_to_fine import pass_count, sampling_in_passes

    size = options.size or model.native_size
    passes = options.passes or pass_count(size if isinstance(size, int) else min(size), model.native_size)
    try:
        t0 = options.t0
        if isinstance(t0, tuple):
            raise ValueError("t0 auto takes a single guide; give a number for several")
        if t0 is None:
            t0 = _DEFAULT_T0 if options.sigma is None else model.schedule.t(options.sigma)
        if options.sigma is not None and t0 == 0:
            raise ValueError(f"sigma must lie above {model.schedule.sigma_min:g}, the model's lowest noise level")
        choice = SamplingChoice(options.quality, options.sampler, options.steps, options.grid, options.like)
        sampling = sampling_in_passes(sampling_for(choice, model, t0), passes)
        model.schedule.sigmas(t0, sampling.n_sigmas, sampling.grid)
        sigma = model.schedule.sigma(t0)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    return Resolved(
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


def sampling_for(choice: SamplingChoice | Sampling, model: ScoreModel, t0: float) -> Sampling:
    """What a choice means for a model.

    Raises:
        ValueError: if the model cannot be sampled so.
    """
    from sdedit.diffusion.reverse_sde import check_sampler
    from sdedit.diffusion.vp_schedule import VPSchedule

    if isinstance(choice, SamplingChoice):
        choice.check()
        if choice.like is None:
            default = model.default_sampling
            choice = resolve_sampling(choice.quality, choice.sampler, choice.steps, choice.grid, default)
        elif isinstance(model.schedule, VPSchedule):
            evaluations = max(1, round(t0 * model.schedule.timesteps))
            choice = Sampling("ancestral", choice.steps or evaluations, "uniform")
        else:
            raise ValueError(
                f"the official SDEdit runs variance-preserving models, and {model.name} is none; leave out --like, or "
                "name one such as ddpm-church-ema"
            )
    check_sampler(choice.sampler, model.schedule)
    return choice


def warnings(settings: Resolved, model: ScoreModel) -> list[str]:
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


def start_time(model: ScoreModel, t0: float, sigma: float | None) -> float:
    """t0, or the time of sigma if that is given instead.

    Raises:
        ValueError: if sigma is not above the model's lowest noise level, or above its highest.
    """
    if sigma is None:
        return t0
    time = model.schedule.t(sigma)
    if time == 0:
        raise ValueError(f"sigma must lie above {model.schedule.sigma_min:g}, the model's lowest noise level")
    return time
