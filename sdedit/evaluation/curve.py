"""The trade-off between realism and faithfulness as t0 grows: figure 3 of Meng et al. 2021 (arXiv 2108.01073)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.evaluation.classifier import told_apart
from sdedit.evaluation.distances import l2, rmse
from sdedit.evaluation.features import FeatureExtractor
from sdedit.evaluation.kid import kid
from sdedit.pipelines.paint import paint

BATCH = 10


@dataclass(frozen=True)
class CurvePoint:
    """What painting at one t0 comes to: how far it is from photographs, and on average from the guides."""

    t0: float
    sigma: float
    kid: float
    kid_error: float  # standard error
    told_apart: float  # share that a linear classifier tells from photographs; 0.5 is none
    l2: float  # root of the sum of squares over pixels and channels, values in [0, 1]
    rmse: float  # root of their mean


def paint_guides(
    model: ScoreModel,
    guides: Tensor,
    t0: float,
    sampling: Sampling,
    seed: int = 0,
    on_step: Callable[[Step], object] | None = None,
) -> Tensor:
    """Paint guides (N, 3, H, W) in batches of 10; image i has seed + i. Returns (N, 3, H, W) on the CPU."""
    painted = [
        paint(model, batch, t0, sampling=sampling, seed=seed + first * BATCH, on_step=on_step).to("cpu")
        for first, batch in enumerate(guides.split(BATCH))
    ]
    return torch.cat(painted)


def realism_curve(
    model: ScoreModel,
    guides: Tensor,
    reference: Tensor,
    extractor: FeatureExtractor,
    t0s: Sequence[float],
    sampling: Sampling,
    seed: int = 0,
    on_step: Callable[[Step], object] | None = None,
) -> Iterator[CurvePoint]:
    """Paint all guides at each t0, with the same seeds, and measure them.

    Args:
        model: the score model.
        guides: (N, 3, H, W) float32 in [0, 1], at the size they are painted at.
        reference: (M, F), the photographs' features by `extractor`.
        extractor: what KID compares.
        t0s: in (0, 1], or 0 for the guides as they are.
        sampling: how the reverse SDE is solved.
        seed: guide i is painted with seed + i.
        on_step: called after each network evaluation, which is one of up to 10 images.

    Raises:
        SdeditError: if there are too few guides or photographs for KID.
        ValueError: if an argument is out of range.
    """
    for t0 in t0s:
        painted = paint_guides(model, guides, t0, sampling, seed, on_step) if t0 > 0 else guides
        features = extractor(painted)
        value, error = kid(features, reference)
        yield CurvePoint(
            t0,
            model.schedule.sigma(t0),
            value,
            error,
            told_apart(features, reference),
            float(l2(painted, guides).mean()),
            float(rmse(painted, guides).mean()),
        )
