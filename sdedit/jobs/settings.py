"""What a job's options mean for a model: every default resolved, the recipe, and what to warn of."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sdedit.diffusion.samplers import Sampling, SamplingChoice, resolve_sampling
from sdedit.errors import SdeditError
from sdedit.io.images import OwnSize, Size
from sdedit.io.recipe import Recipe, package_version
from sdedit.jobs.console import Console
from sdedit.jobs.options import ALPHA, DEFAULT_T0, LayerOptions, PaintOptions

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel

# What decides an image, its seed and its files aside; device, batch and version decide only rounding.
_COMPARED = (
    *("task", "t0", "model", "size", "steps", "sampler", "grid", "repeats", "passes", "background", "sigma"),
    *("sigma_max", "raw_weights", "checksum", "guide"),
)
_COMPARED_LAYERS = ("invert_mask", "context", "grow", "feather", "at", "scale")


@dataclass(frozen=True)
class Resolved:
    """How the images of a job are made with the model it has: options with every default resolved."""

    task: str
    t0: float
    sigma: float
    sampling: Sampling
    repeats: int
    size: Size
    passes: int | None  # None where the size, and so their number, is the guide's
    background: str
    layers: LayerOptions | None
    raw_weights: bool
    model_source: str
    any_precision: bool  # none was asked for
    jpeg_quality: int
    no_recipe: bool = False  # in the files
    largest_size: int | None = None  # as in recipes

    def recipe(self, model: ScoreModel, size: tuple[int, int], seed: int, **facts: Any) -> Recipe:
        """The recipe of one image of (width, height) px; `facts` are the fields that only its maker knows."""
        from sdedit.diffusion.device import precision_name

        return Recipe(
            version=package_version(),
            task=self.task,
            model=model.name,
            checksum=model.checksum,
            width=size[0],
            height=size[1],
            t0=self.t0,
            sigma=self.sigma,
            **asdict(self.sampling),
            repeats=self.repeats,
            passes=self.passes or 1,
            largest_size=self.largest_size,
            seed=seed,
            precision=precision_name(model.dtype),
            sigma_max=model.schedule.sigma_max,
            raw_weights=self.raw_weights,
            background=self.background,
            model_source=self.model_source,
            device=model.device.type,
            **facts,
        )

    def for_size(self, model: ScoreModel, size: tuple[int, int]) -> Resolved:
        """The same for images of (width, height) px, with the number of their passes."""
        from sdedit.diffusion.coarse_to_fine import pass_count

        return self if self.passes is not None else self._in_passes(pass_count(model, min(size)))

    def _in_passes(self, passes: int) -> Resolved:
        from sdedit.diffusion.coarse_to_fine import sampling_in_passes

        return replace(self, passes=passes, sampling=sampling_in_passes(self.sampling, passes))

    def differences(self, recipe: dict[str, Any], model: ScoreModel, guide: str) -> dict[str, tuple[Any, Any]]:
        """In what the recipe of an image differs from what would be made now of a guide, its seed and its files aside.

        Returns:
            For each name the value there and the one now, what a user chooses first; empty if the two agree.
        """
        width, height = recipe.get("width"), recipe.get("height")
        wanted_size: Any = self.size
        size: Any = min(width or 0, height or 0) if isinstance(self.size, int) else (width, height)
        settings = self
        if isinstance(self.size, OwnSize):
            # Of the same guide the own size is the same again, and so is the number of passes.
            wanted_size = str(self.size)
            size = wanted_size if recipe.get("largest_size") == self.size.most else size
            settings = self._in_passes(recipe.get("passes") or 1) if self.passes is None else self
        wanted = {**settings.recipe(model, (0, 0), 0, guide=guide).to_dict(), "size": wanted_size}
        # A file of an older version says no task: it was a painting.
        there = {"task": "paint", **recipe, "size": size}
        names = _COMPARED if self.any_precision else (*_COMPARED, "precision")
        if self.layers is not None:
            told = {name: getattr(self.layers, name) for name in _COMPARED_LAYERS}
            wanted |= {**told, "at": None if self.layers.at is None else list(self.layers.at)}
            names = (*names, *_COMPARED_LAYERS)
            if self.layers.mask_is_alpha != _mask_is_alpha(recipe):  # of files the checksums are compared
                names = (*names, "mask")
                wanted["mask"] = ALPHA if self.layers.mask_is_alpha else "a file or none"
        return {name: (there.get(name), wanted[name]) for name in names if there.get(name) != wanted[name]}


def _mask_is_alpha(recipe: dict[str, Any]) -> bool:
    return recipe.get("mask") == ALPHA and not recipe.get("mask_checksum")


def resolve(options: PaintOptions, model: ScoreModel) -> Resolved:
    """Options with the defaults of a model.

    Raises:
        SdeditError: if the model cannot do what is asked.
    """
    from sdedit.diffusion.coarse_to_fine import pass_count, sampling_in_passes
    from sdedit.pipelines.paint import own_size

    size: Size = options.size or own_size(model)
    passes = options.passes
    if options.layers is not None:
        size, passes = options.size or model.native_size, 1  # a region is brought to the size the model is good at
    elif passes is None and not isinstance(size, OwnSize):
        passes = pass_count(model, size if isinstance(size, int) else min(size))
    try:
        if isinstance(options.t0, tuple):
            raise ValueError("t0 auto takes a single guide; give a number for several")
        default = DEFAULT_T0[options.task] if options.t0 is None else options.t0
        t0 = start_time(model, default, options.sigma)
        sampling = sampling_in_passes(sampling_for(options.sampling, model, t0), passes or 1)
        model.schedule.sigmas(t0, sampling.n_sigmas, sampling.grid)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    return Resolved(
        task=options.task,
        t0=t0,
        sigma=model.schedule.sigma(t0),
        sampling=sampling,
        repeats=options.repeats,
        size=size,
        passes=passes,
        background=options.background,
        layers=options.layers,
        raw_weights=options.model.raw_weights,
        model_source=options.model.source,
        any_precision=options.model.precision == "auto",
        jpeg_quality=options.jpeg_quality,
        no_recipe=options.no_recipe,
        largest_size=size.most if isinstance(size, OwnSize) else None,
    )


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


def tell_notes(model: ScoreModel, console: Console) -> None:
    """Say what a model's file left open, and what was assumed."""
    for note in model.notes:
        console.log(f"{model.name}: {note}")


def warn_of(settings: Resolved, model: ScoreModel, console: Console) -> None:
    """Say what a user should know before painting: what the model's file left open, and steps that are too few."""
    tell_notes(model, console)
    if settings.sampling.sampler == "euler-maruyama-t":
        growth = math.log(settings.sigma / model.schedule.sigma_min)
        stable_steps = math.floor(2 * growth) + 1
        if settings.sampling.steps < stable_steps:
            console.log(
                f"euler-maruyama-t is unstable at this t0 with fewer than {stable_steps} steps, and wants many times "
                "more"
            )
