"""The models of a studio: those it was started with, and what a page has to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdedit.jobs.options import ModelOptions
from sdedit.studio.limits import RefusedError

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel

_TIMES = 101


@dataclass(frozen=True)
class NamedModel:
    """A model that is there, and what it was asked for by."""

    options: ModelOptions
    model: ScoreModel

    def to_dict(self) -> dict[str, Any]:
        from sdedit.pipelines.auto_t0 import CALIBRATION

        model, sampling = self.model, self.model.default_sampling
        return {
            "name": model.name,
            "px": model.native_size,
            "multiple": model.size_multiple,
            "sigma_max": model.schedule.sigma_max,
            "calibrated": CALIBRATION in model.card,
            "sampling": {"sampler": sampling.sampler, "steps": sampling.steps, "grid": sampling.grid},
            "sigmas": [round(model.schedule.sigma(index / (_TIMES - 1)), 6) for index in range(_TIMES)],
        }


def find_model(models: Sequence[NamedModel], name: str) -> NamedModel:
    """The model of a name, or of what it was asked for by; the first where the name is empty.

    Raises:
        RefusedError: if there is none: no file is opened for a request.
    """
    for named in models:
        if name in ("", named.model.name, named.options.source):
            return named
    there = ", ".join(named.model.name for named in models)
    raise RefusedError(f"this studio has no model {name[:80]!r}; it was started with {there}")


def warm_up(model: ScoreModel) -> None:
    """A first evaluation at the native size, in which kernels are chosen and compiled."""
    import torch

    with torch.inference_mode():
        x = torch.zeros(1, 3, model.native_size, model.native_size, device=model.device)
        model.denoise(x, torch.ones(1, device=model.device))
