"""How well a linear classifier tells images from photographs, by cross-validation: 0.5 where it cannot."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

_FOLDS = 10
_STRENGTH = 1.0  # C, the inverse of the ridge on the weights, as most libraries have it by default


def told_apart(features: Tensor, reference: Tensor) -> float:
    """Share of images and photographs that a logistic regression on the others puts on the right side.

    Features are standardised by the mean and standard deviation of those that a fold is fitted on. Image i and
    photograph i are left out together, so that an image painted from the strokes of a photograph is never judged by a
    classifier that has seen that photograph.

    Args:
        features: (N, F), of the images to judge.
        reference: (M, F), of the photographs.

    Returns:
        The mean of the two shares, of the images and of the photographs, in [0, 1].

    Raises:
        ValueError: if either has fewer than 10.
    """
    if min(len(features), len(reference)) < _FOLDS:
        raise ValueError(f"{_FOLDS} images and as many photographs are needed to tell them apart")
    images, photographs = features.double().numpy(), reference.double().numpy()
    folds = [np.arange(len(rows)) % _FOLDS for rows in (images, photographs)]
    right: list[list[bool]] = [[], []]
    for fold in range(_FOLDS):
        fitted = [rows[places != fold] for rows, places in zip((images, photographs), folds, strict=True)]
        weights, offset, mean, scale = _fit(*fitted)
        for kind, (rows, places) in enumerate(zip((images, photographs), folds, strict=True)):
            said = (rows[places == fold] - mean) / scale @ weights + offset > 0
            right[kind] += list(said == (kind == 1))
    return float(np.mean([np.mean(kind) for kind in right]))


def _fit(images: np.ndarray, photographs: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Logistic regression with a ridge: weights (F,), offset, and mean and scale (F,) of the features."""
    rows = np.concatenate([images, photographs])
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-12
    rows = (rows - mean) / scale
    labels = np.concatenate([-np.ones(len(images)), np.ones(len(photographs))])

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offset = parameters[:-1], parameters[-1]
        margin = labels * (rows @ weights + offset)
        slope = -labels * expit(-margin)
        gradient = np.append(rows.T @ slope + weights / _STRENGTH, slope.sum())
        return float(np.logaddexp(0, -margin).sum() + weights @ weights / (2 * _STRENGTH)), gradient

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return found.x[:-1], float(found.x[-1]), mean, scale
