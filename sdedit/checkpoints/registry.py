"""The published models, a TOML file each in checkpoints/models, which complete what a file leaves out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from sdedit.checkpoints.checkpoint import Checkpoint
from sdedit.checkpoints.models import FOLDER
from sdedit.diffusion.preconditioning import VEIndexPreconditioning, VEPreconditioning
from sdedit.diffusion.schedule import Schedule, VESchedule
from sdedit.diffusion.vp_schedule import Betas, VPSchedule
from sdedit.errors import SdeditError
from sdedit.io.tables import from_table, read_toml

_SIGMA_MIN = 0.01  # of every published model
_GUESSED_SIZE = 256
# The default of models that nobody measured: the reverse SDE itself. The churn of the built-in model's default was
# chosen on that model, which is guided, and with its noise levels.
UNMEASURED = "er-sde"
_LARGEST_SIZE = 4096


@dataclass(frozen=True)
class PublishedModel:
    """One file of checkpoints/models. Sizes in pixels, noise levels for images in [0, 1]."""

    name: str
    domain: str
    size: int
    num_scales: int  # N, noise levels of the SDE it was trained with
    ema: float  # decay of the moving average of the weights
    parameters: int
    licence: str
    page: str  # where a person finds it
    hub: str = ""  # repository on the Hugging Face hub, if it is there
    sigma_max: float = 0.0  # of variance-exploding models
    betas: Betas | None = None  # of variance-preserving models
    sampler: str = UNMEASURED  # the default of images painted with it, with that sampler's own steps and grid
    sigma_min: float = _SIGMA_MIN

    @property
    def schedule(self) -> Schedule:
        return VPSchedule(self.betas, self.num_scales) if self.betas else VESchedule(self.sigma_min, self.sigma_max)


@cache
def published_models() -> dict[str, PublishedModel]:
    """The published models by name, in the order they are listed."""
    models = [from_table(PublishedModel, read_toml(file)) for file in FOLDER.glob("*.toml")]
    return {model.name: model for model in sorted(models, key=lambda model: (-model.size, model.name))}


def complete(checkpoint: Checkpoint, published: PublishedModel | None, sigma_max: float | None) -> Checkpoint:
    """Complete what a reader found: schedule, native size, preconditioning and card; each assumption becomes a note.

    Args:
        checkpoint: from a reader; changed in place.
        published: the model it was asked for as, if by name.
        sigma_max: given by the user, above all else.

    Raises:
        SdeditError: if sigma_max or the native size cannot be found or cannot be.
    """
    twins = [published] if published else _twins(checkpoint)
    _complete_size(checkpoint, twins)
    _complete_card(checkpoint, published)
    if isinstance(checkpoint.schedule, VPSchedule):
        highest = checkpoint.schedule.sigma_max
        if sigma_max is not None and not math.isclose(sigma_max, highest, rel_tol=1e-6):
            raise SdeditError(
                f"{checkpoint.file} is a variance-preserving model, whose highest noise level, {highest:.4g}, is part "
                "of its training; leave out --sigma-max"
            )
        if "weights" not in checkpoint.card:
            checkpoint.notes.append("the file does not say whether its weights are a moving average")
        return checkpoint
    in_file = checkpoint.schedule
    checkpoint.schedule = _completed_schedule(checkpoint, published, twins, sigma_max)
    if checkpoint.preconditioning is None and checkpoint.config.embedding == "fourier":
        checkpoint.preconditioning = VEPreconditioning()
    elif checkpoint.preconditioning is None:
        # The network knows its own levels by their numbers, whatever sigma(t) is asked to mean.
        trained = in_file or checkpoint.schedule
        num_scales = checkpoint.num_scales or (twins[0].num_scales if twins else None)
        if num_scales is None:
            num_scales = 1000
            checkpoint.notes.append("the number of noise levels is assumed to be 1000")
        checkpoint.preconditioning = VEIndexPreconditioning(trained.sigma_min, trained.sigma_max, num_scales)
    return checkpoint


def _complete_card(checkpoint: Checkpoint, published: PublishedModel | None) -> None:
    if published:
        about = {name: getattr(published, name) for name in ("name", "domain", "licence", "sampler")}
        about |= {"weights": "EMA" if published.ema else "raw"}
        checkpoint.card = {**about, "source": published.hub or published.page, **checkpoint.card}
    else:
        checkpoint.card = {"name": checkpoint.file.resolve().stem, **checkpoint.card}


def count_parameters(weights: dict[str, Any]) -> int:
    """Numbers in a network, its fixed Fourier frequencies among them, as the original counts them."""
    return sum(tensor.numel() for tensor in weights.values())


def _twins(checkpoint: Checkpoint) -> list[PublishedModel]:
    """The published models of the same architecture: as many parameters, attention at the same level."""
    count = count_parameters(checkpoint.weights)
    size = checkpoint.native_size
    return [model for model in published_models().values() if model.parameters == count and size in (None, model.size)]


def _complete_size(checkpoint: Checkpoint, twins: list[PublishedModel]) -> None:
    if checkpoint.native_size is None:
        checkpoint.native_size = twins[0].size if twins else _GUESSED_SIZE
        checkpoint.notes.append(f"the file does not say its native size; {checkpoint.native_size} px is assumed")
    if not 8 <= checkpoint.native_size <= _LARGEST_SIZE:
        raise SdeditError(f"{checkpoint.file} has an impossible native size, {checkpoint.native_size} px")


def _completed_schedule(
    checkpoint: Checkpoint, published: PublishedModel | None, twins: list[PublishedModel], sigma_max: float | None
) -> Schedule:
    found = checkpoint.schedule
    if sigma_max is not None:
        try:
            return VESchedule(found.sigma_min if found else _SIGMA_MIN, sigma_max, found.sigma_finish if found else 0)
        except ValueError as error:
            raise SdeditError(f"sigma_max cannot be {sigma_max:g}: {error}") from error
    if published and not published.betas:
        if found and found.sigma_max != published.sigma_max:
            checkpoint.notes.append(
                f"the file says sigma_max {found.sigma_max:g}; {published.sigma_max:g}, of its training, is taken"
            )
        return published.schedule
    if found:
        return found
    if not twins:
        raise SdeditError(f"{checkpoint.file} does not say its highest noise level; give it with --sigma-max")
    values = sorted({twin.sigma_max for twin in twins})
    note = f"the file does not say its highest noise level; sigma_max {twins[0].sigma_max:g} is assumed"
    if len(values) > 1:
        note += f", and {values[0]:g} to {values[-1]:g} is usual for this architecture"
    checkpoint.notes.append(f"{note} (--sigma-max changes it)")
    return twins[0].schedule
