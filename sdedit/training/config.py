"""The recipe of a training run, as read from a TOML file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sdedit.diffusion.ncsnpp.config import NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.diffusion.schedule import VESchedule
from sdedit.errors import SdeditError, meant_time
from sdedit.io.files import at_home
from sdedit.io.tables import from_table, read_toml

_LONGEST_EMA = 12**-0.5  # the plain mean of all weights


@dataclass(frozen=True)
class DataConfig:
    size: int = 128  # native size of the model: height and width of a full-size image, in pixels


@dataclass(frozen=True)
class BatchConfig:
    """One kind of batch: square windows of photographs, those smaller than the window left out."""

    side: int  # height and width of the windows, in pixels
    shrink_to: int = 0  # shorter side that photographs are shrunk to first: `side` for whole scenes, 0 for none
    batch: int = 48  # windows in a batch, over all processes
    share: float = 1.0  # of all batches, relative to the other kinds'
    noise_mean: float = -1.1  # of ln sigma, sigma in units of images in [0, 1]
    noise_std: float = 1.4
    zoom: float = 1.0  # windows are shrunk by random factors from this to 1
    aspect: float = 0.0  # and by up to this share more in one direction than in the other
    data: tuple[str, ...] = ()  # names of the data sets they are taken from, as given with --data; none: all


@dataclass(frozen=True)
class OptimiserConfig:
    muon: float = 2e-3  # learning rate of Muon, for the convolutions of at least 32 x 32 channels
    adam: float = 2e-3  # learning rate of AdamW, for all other parameters
    clip: float = 1.0  # largest norm of the gradient
    warmup: int = 100  # batches over which the learning rates rise
    decay_from: float = 0.5  # share of the budget after which they fall linearly to zero
    trains: Literal["all", "detail", "finisher"] = "all"  # the whole network, its detail network alone, or a finisher
    ema: tuple[float, ...] = (0.05,)  # lengths of the averages of the weights, as shares of the run; see `ema.py`


@dataclass(frozen=True)
class GuidanceConfig:
    """Guidance away from a weak model or from paintings; see `sdedit.training.teachers`."""

    weight: float = 1.0
    below: float = math.inf  # sigma from which on the network answers as the model it starts from


@dataclass(frozen=True)
class AdversaryConfig:
    """An adversary beside the squared error; see `sdedit.training.adversarial_step`."""

    weight: float = 0.0  # of what it says, as a multiple of the distance to the photograph; 0 for no adversary
    perceptual: float = 1.0  # of that distance
    below: float = math.inf  # sigma from which on nothing is judged; there the network answers as before
    repeats: int = 1  # how often an answer gets noise again and is judged again, and one
    learning_rate: float = 1e-3  # of the adversary


@dataclass(frozen=True)
class BudgetConfig:
    """When the run is over: after so many minutes of training, or so many pictures, whichever is set."""

    minutes: float = 0.0
    pictures: int = 0


@dataclass(frozen=True)
class ReportConfig:
    validation_pictures: int = 64
    checkpoint_minutes: float = 5.0  # the most that a kill can lose
    validate_minutes: float = 15.0
    preview_minutes: float = 20.0
    preview_t0: float = 0.5
    preview_steps: int = 40


@dataclass(frozen=True)
class TrainConfig:
    network: NetworkConfig
    preconditioning: EDMPreconditioning = field(default_factory=EDMPreconditioning)
    schedule: VESchedule = field(default_factory=VESchedule)
    data: DataConfig = DataConfig()
    batches: tuple[BatchConfig, ...] = ()  # none: whole scenes of the model's size
    optimiser: OptimiserConfig = OptimiserConfig()
    guidance: GuidanceConfig = GuidanceConfig()
    adversary: AdversaryConfig = AdversaryConfig()
    budget: BudgetConfig = BudgetConfig()
    report: ReportConfig = ReportConfig()
    card: dict[str, Any] = field(default_factory=dict)


def load_train_config(path: Path) -> TrainConfig:
    """Read a recipe. One that names another as its `base`, beside it, takes from that what it does
    not say itself.

    Raises:
        SdeditError: if a file is missing, is not TOML, is a base of its own, or holds an option that is unknown or
            cannot be.
    """
    tables = _read_with_base(path, ())
    try:
        config = from_table(TrainConfig, tables)
        if not config.batches:
            size = config.data.size
            config = replace(config, batches=(BatchConfig(side=size, shrink_to=size),))
        _check(config)
    except ValueError as error:
        raise SdeditError(f"{path}: {error}") from error
    return config


def _read_with_base(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """The tables of a recipe laid over those of its base; `above` are the recipes that it is a base of."""
    tables = read_toml(path)
    base = tables.pop("base", None)
    if base is None:
        return tables
    if not isinstance(base, str):
        raise SdeditError(f"{path}: base must be the name of another recipe, not {base!r}")
    above = (*above, path.resolve())
    below = path.parent / at_home(base, str(path))
    if below.resolve() in above:
        raise SdeditError(f"{path}: its base {base} has this recipe as its own; name one that stands alone")
    return _laid_over(_read_with_base(below, above), tables)


def _laid_over(base: dict[str, Any], tables: dict[str, Any]) -> dict[str, Any]:
    """The base's tables with the options of the others in place of its own."""
    merged = dict(base)
    for name, options in tables.items():
        before = base.get(name)
        both = isinstance(before, dict) and isinstance(options, dict)
        merged[name] = {**before, **options} if both else options  # type: ignore[dict-item]
    return merged


def _check(config: TrainConfig) -> None:
    multiple = config.network.size_multiple
    for name, side in [
        ("size in [data]", config.data.size),
        *(("side in [[batches]]", b.side) for b in config.batches),
    ]:
        if side < multiple or side % multiple:
            raise ValueError(f"{name} must be a multiple of {multiple}, which this network takes; not {side}")
    for batch in config.batches:
        if batch.batch < 1 or batch.share <= 0 or batch.noise_std < 0:
            raise ValueError("batch, share and noise_std in [[batches]] must be above 0")
        if 0 != batch.shrink_to < batch.side:
            raise ValueError("shrink_to in [[batches]] must not be smaller than side, or 0")
        if not 0 < batch.zoom <= 1 or not 0 <= batch.aspect < 1:
            raise ValueError("zoom in [[batches]] must lie in (0, 1] and aspect in [0, 1)")
    if not config.optimiser.ema or not all(0 < length < _LONGEST_EMA for length in config.optimiser.ema):
        raise ValueError(
            f"ema in [optimiser] must be one or more numbers between 0 and {_LONGEST_EMA:.3f}, shares of the run"
        )
    if len(set(config.optimiser.ema)) < len(config.optimiser.ema):
        raise ValueError("ema in [optimiser] names a length twice")
    if not 0 <= config.optimiser.decay_from < 1:
        raise ValueError("decay_from in [optimiser] must lie in [0, 1)")
    if not all(0 <= rate < math.inf for rate in (config.optimiser.muon, config.optimiser.adam)):
        raise ValueError("muon and adam in [optimiser] must not be negative")
    if not config.optimiser.clip > 0 or config.optimiser.warmup < 0:
        raise ValueError("clip in [optimiser] must be above 0, and warmup must not be negative")
    if not 0 < config.preconditioning.sigma_data < math.inf:
        raise ValueError("sigma_data in [preconditioning] must be above 0")
    if config.guidance.weight < 0:
        raise ValueError("weight in [guidance] must not be negative")
    if config.guidance.below <= 0:
        raise ValueError("below in [guidance] must be above 0")
    adversary = config.adversary
    if not all(0 <= number < math.inf for number in (adversary.weight, adversary.perceptual)):
        raise ValueError("weight and perceptual in [adversary] must not be negative")
    if adversary.below <= 0 or adversary.repeats < 1 or not 0 < adversary.learning_rate < math.inf:
        raise ValueError("below and learning_rate in [adversary] must be above 0, and repeats at least 1")
    if config.optimiser.trains == "detail" and not config.network.detail_blocks:
        raise ValueError("trains in [optimiser] is detail, and [network] has no detail_blocks")
    if config.optimiser.trains == "finisher" and not (config.schedule.sigma_finish > 0 and adversary.weight > 0):
        raise ValueError("trains in [optimiser] is finisher, which needs sigma_finish in [schedule] and an [adversary]")
    if config.optimiser.trains != "finisher" and config.schedule.sigma_finish:
        raise ValueError("sigma_finish in [schedule] is for a recipe that trains a finisher, in [optimiser]")
    if not (config.budget.minutes > 0) ^ (config.budget.pictures > 0):
        raise ValueError("[budget] must set either minutes or pictures, above 0")
    _check_report(config.report)


def _check_report(report: ReportConfig) -> None:
    """Refuse what would end a run only when its first report is due."""
    if not 0 < report.preview_t0 <= 1:
        raise ValueError(
            f"preview_t0 in [report] must lie in (0, 1], not {report.preview_t0:g}{meant_time(report.preview_t0)}"
        )
    if report.preview_steps < 1 or report.validation_pictures < 1:
        raise ValueError("preview_steps and validation_pictures in [report] must be at least 1")
    if not min(report.checkpoint_minutes, report.validate_minutes, report.preview_minutes) > 0:
        raise ValueError("checkpoint_minutes, validate_minutes and preview_minutes in [report] must be above 0")
