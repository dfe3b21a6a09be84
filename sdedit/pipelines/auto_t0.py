"""A start time for a guide from the model itself, by how well it denoises the guide compared with photographs.

A guide is no photograph, and a denoiser trained on photographs shows it: at little noise, its error on flat strokes is
far from that on photographs, mostly far below, since there is no texture to miss. The more noise, the less it can tell
the two apart. The smallest t0 at which the guide's error lies within the photographs' range is the suggestion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from PIL import Image
from torch import Tensor

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.images import as_rgb, fit_guide, working_size
from sdedit.io.tables import from_table
from sdedit.io.tensors import check_values, to_tensor

CALIBRATION = "calibration"  # its key in a model's card
LEAST_PHOTOGRAPHS = 8
LOW, HIGH = 0.3, 0.6  # the paper's useful range of t0
_TIMES = tuple(round(0.1 + 0.05 * n, 2) for n in range(17))
_BATCH = 10


@dataclass(frozen=True)
class Calibration:
    """The denoising error of photographs at some noise levels.

    Attributes:
        sigmas: rising noise levels, in units of images in [0, 1].
        means: of the logarithm of a photograph's error, the mean squared difference of D(y + sigma z; sigma) and y.
        stds: standard deviation of the same between photographs.
        photographs: how many were measured.
    """

    sigmas: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    photographs: int


@torch.inference_mode()
def denoising_errors(
    model: ScoreModel, images: Tensor, sigmas: tuple[float, ...], on_batch: Callable[[], object] | None = None
) -> Tensor:
    """Mean squared error of the denoiser, with the same noise at every call.

    Args:
        model: the score model.
        images: (N, 3, H, W) in [0, 1], sides being multiples of `model.size_multiple`.
        sigmas: noise levels.
        on_batch: called after each network evaluation, which is one of up to 10 images.

    Returns:
        (len(sigmas), N) float64 on the CPU.
    """
    z = torch.randn(images[:1].shape, generator=torch.Generator().manual_seed(0)).to(model.device)
    rows = []
    for sigma in sigmas:
        errors = []
        for batch in images.split(_BATCH):
            y = batch.to(model.device, torch.float32)
            d = model.denoise(y + sigma * z, torch.full((1,), sigma, device=model.device))
            errors.append((d - y).square().mean(dim=(1, 2, 3)))
            if on_batch is not None:
                on_batch()
        rows.append(torch.cat(errors))
    return torch.stack(rows).to("cpu", torch.float64)


def calibrate(model: ScoreModel, photographs: Tensor) -> Calibration:
    """Measure photographs (N, 3, H, W) in [0, 1] at the model's native size.

    Raises:
        SdeditError: if there are too few to know their range.
    """
    if len(photographs) < LEAST_PHOTOGRAPHS:
        raise SdeditError(
            f"a calibration needs at least {LEAST_PHOTOGRAPHS} photographs, better 50; there are {len(photographs)}"
        )
    sigmas = tuple(model.schedule.sigma(t) for t in _TIMES)
    logs = denoising_errors(model, photographs, sigmas).clamp(min=1e-12).log()
    return Calibration(sigmas, tuple(logs.mean(dim=1).tolist()), tuple(logs.std(dim=1).tolist()), len(photographs))


def calibration_of(model: ScoreModel) -> Calibration:
    """The calibration in a model's card.

    Raises:
        SdeditError: if it has none, or one that cannot be used.
    """
    values = model.card.get(CALIBRATION)
    if values is None:
        raise SdeditError(
            f"the model {model.name} does not know how well it denoises photographs, which --t0 auto compares with; "
            "give a number, or add it with sdedit models calibrate"
        )
    try:
        known = from_table(Calibration, values)
        sigmas = known.sigmas
        rising = len(sigmas) > 1 and sigmas[0] > 0 and all(low < high for low, high in pairwise(sigmas))
        if not rising or not len(sigmas) == len(known.means) == len(known.stds):
            raise ValueError("its noise levels do not rise, or its columns do not fit")
        if not all(map(math.isfinite, (*sigmas, *known.means, *known.stds))) or min(known.stds) <= 0:
            raise ValueError("it has numbers that cannot be")
    except ValueError as error:
        raise SdeditError(f"the model {model.name} has a calibration that cannot be used: {error}") from error
    return known


def suggest_t0(
    model: ScoreModel,
    guide: Tensor | Image.Image,
    low: float = LOW,
    high: float = HIGH,
    on_evaluation: Callable[[], object] | None = None,
) -> float:
    """A start time for a guide: the one that `find_t0` finds, within bounds.

    Args:
        model: with a calibration in its card.
        guide: an image of any mode, brought to the native size; or (3, H, W) in [0, 1] at the size it is painted at.
        low: the suggestion is at least this, and at most `high`.
        high: also the suggestion for a guide that never gets into range.
        on_evaluation: called after each network evaluation.

    Returns:
        t0, in [low, high].

    Raises:
        SdeditError: if the model has no calibration.
    """
    if not isinstance(guide, Tensor):
        image = as_rgb(guide, "the guide")
        guide = to_tensor(fit_guide(image, working_size(image.size, model.native_size)))
    found = find_t0(model, guide, on_evaluation)
    return min(max(high if found is None else found, low), high)


def find_t0(model: ScoreModel, guide: Tensor, on_evaluation: Callable[[], object] | None = None) -> float | None:
    """The smallest t0 at which the guide's log error is within a standard deviation of the photographs' mean.

    Args:
        model: with a calibration in its card.
        guide: (3, H, W) in [0, 1] at the size it is painted at.
        on_evaluation: called after each network evaluation.

    Returns:
        t0, or None if the guide never gets into their range.

    Raises:
        SdeditError: if the model has no calibration.
        ValueError: if the guide is of another shape or has other values.
    """
    known = calibration_of(model)
    if guide.dim() != 3 or guide.shape[0] != 3:
        raise ValueError(f"a guide tensor is (3, H, W) at its final size, not {tuple(guide.shape)}")
    check_values(guide, "a guide tensor")
    multiple = model.size_multiple
    height, width = (side // multiple * multiple or multiple for side in guide.shape[-2:])
    cut = guide[None, :, :height, :width]
    errors = denoising_errors(model, cut, known.sigmas, on_evaluation)[:, 0].clamp(min=1e-12).log()
    distances = [
        abs(float(error) - mean) / std for error, mean, std in zip(errors, known.means, known.stds, strict=True)
    ]
    return _first_within(known.sigmas, distances, model)


def _first_within(sigmas: tuple[float, ...], distances: list[float], model: ScoreModel) -> float | None:
    """The time at which the distance first falls to 1, between levels by interpolation."""
    # A level outside the schedule can only be met by a model whose sigma_max was overruled.
    bounds = model.schedule.sigma_min, model.schedule.sigma_max
    times = [model.schedule.t(min(max(sigma, bounds[0]), bounds[1])) for sigma in sigmas]
    if distances[0] <= 1:
        return times[0]
    for (t, before), (t_next, after) in pairwise(zip(times, distances, strict=True)):
        if after <= 1:
            return t + (t_next - t) * (before - 1) / (before - after)
    return None
