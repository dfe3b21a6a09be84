"""The recipe of a training run, as read from a TOML file."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from sdedit.diffusion.ncsnpp.config import NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.diffusion.schedule import VESchedule
from sdedit.errors import SdeditError
from sdedit.io.files import reason

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = TypeVar("Table")


@dataclass(frozen=True)
class DataConfig:
    size: int = 128  # native size of the model: height and width of a full-size picture, in pixels
    crop: int = 64  # height and width of the crops most batches are made of, in pixels
    full_size_every: int = 5  # every n-th batch is full-size pictures, fewer of them by (crop / size)^2


@dataclass(frozen=True)
class NoiseConfig:
    """ln sigma ~ N(mean, std^2), sigma in units of pictures in [0, 1]; full-size pictures teach the layout."""

    crop_mean: float = -1.1
    full_size_mean: float = -1.1
    std: float = 1.4


@dataclass(frozen=True)
class OptimiserConfig:
    batch: int = 48  # crops in a batch
    muon: float = 2e-3  # learning rate of Muon, for the convolutions of at least 32 x 32 channels
    adam: float = 2e-3  # learning rate of AdamW, for all other parameters
    clip: float = 1.0  # largest norm of the gradient
    warmup: int = 100  # batches over which the learning rates rise
    decay_from: float = 0.5  # share of the budget after which they fall linearly to zero
    ema: float = 0.998  # decay per batch of the averaged weights


@dataclass(frozen=True)
class GuidanceConfig:
    """Guidance weight, and up to which noise: see `sdedit.training.teachers`."""

    weight: float = 1.0
    below: float = math.inf  # sigma from which on the network answers as the model it starts from


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
    preconditioning: EDMPreconditioning
    schedule: VESchedule
    data: DataConfig
    noise: NoiseConfig
    optimiser: OptimiserConfig
    guidance: GuidanceConfig
    budget: BudgetConfig
    report: ReportConfig
    card: dict[str, Any] = field(default_factory=dict)


def load_train_config(path: Path) -> TrainConfig:
    """Read a recipe. One that names another as its `base`, beside it, takes from that what it does
    not say itself.

    Raises:
        SdeditError: if the file is missing, is not TOML, or holds an option that is unknown or cannot be.
    """
    tables = _read_tables(path)
    base = tables.pop("base", None)
    if base is not None:
        if not isinstance(base, str):
            raise SdeditError(f"{path}: base must be the name of another recipe, not {base!r}")
        below = _read_tables(path.parent / base)
        if "base" in below:
            raise SdeditError(f"{path}: {base} has a base itself; name a recipe that stands alone")
        tables = _laid_over(below, tables)
    try:
        config = TrainConfig(
            network=NetworkConfig.from_dict(tables.pop("network", {})),
            preconditioning=_table(tables, "preconditioning", EDMPreconditioning),
            schedule=_table(tables, "schedule", VESchedule),
            data=_table(tables, "data", DataConfig),
            noise=_table(tables, "noise", NoiseConfig),
            optimiser=_table(tables, "optimiser", OptimiserConfig),
            guidance=_table(tables, "guidance", GuidanceConfig),
            budget=_table(tables, "budget", BudgetConfig),
            report=_table(tables, "report", ReportConfig),
            card=tables.pop("card", {}),
        )
        if tables:
            raise ValueError(f"tables are unknown: {', '.join(tables)}")
        _check(config)
    except (TypeError, ValueError) as error:
        raise SdeditError(f"{path}: {error}") from error
    return config


def _read_tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SdeditError(f"{path} is not a TOML file: {error}") from error


def _laid_over(base: dict[str, Any], tables: dict[str, Any]) -> dict[str, Any]:
    """The base's tables with the options of the others in place of its own."""
    merged = dict(base)
    for name, options in tables.items():
        before = base.get(name)
        both = isinstance(before, dict) and isinstance(options, dict)
        merged[name] = {**before, **options} if both else options  # type: ignore[dict-item]
    return merged


def _table(tables: dict[str, Any], name: str, kind: type[Table]) -> Table:
    options = tables.pop(name, {})
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(options, dict):
        raise ValueError(f"[{name}] is not a table")
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"[{name}] has no option {option!r}; it has {', '.join(known)}")
        whole = known[option].type == "int"
        if type(value) not in ((int,) if whole else (int, float)):
            raise ValueError(f"{option} in [{name}] must be a {'whole ' if whole else ''}number, not {value!r}")
    return kind(**options)


def _check(config: TrainConfig) -> None:
    multiple = config.network.size_multiple
    for name in ("size", "crop"):
        side = getattr(config.data, name)
        if side < multiple or side % multiple:
            raise ValueError(f"{name} in [data] must be a multiple of {multiple}, which this network takes; not {side}")
    if config.data.crop > config.data.size:
        raise ValueError("crop in [data] must not be larger than size")
    if config.data.full_size_every < 1:
        raise ValueError("full_size_every in [data] must be at least 1")
    if config.optimiser.batch < 1:
        raise ValueError("batch in [optimiser] must be at least 1")
    if not 0 <= config.optimiser.ema < 1 or not 0 <= config.optimiser.decay_from < 1:
        raise ValueError("ema and decay_from in [optimiser] must lie in [0, 1)")
    if config.guidance.weight < 0:
        raise ValueError("weight in [guidance] must not be negative")
    if config.guidance.below <= 0:
        raise ValueError("below in [guidance] must be above 0")
    if not (config.budget.minutes > 0) ^ (config.budget.pictures > 0):
        raise ValueError("[budget] must set either minutes or pictures, above 0")
