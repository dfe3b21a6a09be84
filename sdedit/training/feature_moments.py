"""How far the features of images are from those of photographs on average, and which way is nearer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_ANSWERS_SHARE, _PHOTOGRAPHS_SHARE = 0.05, 0.02  # of a new batch in the running means
_LEAST_VARIANCE = 1e-6  # whose root has a slope
_LEAST_SCALE = 1e-3  # of a feature that hardly varies, of the mean scale


class FeatureMoments:
    """Mean and standard deviation of each channel of feature maps over an image, averaged over many images.

    What KID and a linear classifier see first of a set of images is that these averages differ. A batch is too small to
    tell, so that running means are compared, and the gradient goes through the newest batch.
    """

    def __init__(self, photographs: Sequence[Tensor]) -> None:
        """photographs: maps (N, C, h, w) of examples, from which the scale of each feature is taken."""
        rows = _moments(photographs)
        self._photographs = rows.mean(dim=0)
        spread = rows.std(dim=0)
        self._scale = spread + _LEAST_SCALE * spread.mean()
        self._answers: Tensor | None = None

    def distance(self, answers: Sequence[Tensor]) -> Tensor:
        """A scalar whose gradient is half that of the mean squared difference, in units of each feature's scale."""
        newest = _moments(answers).mean(dim=0)
        seen = newest.detach()
        self._answers = seen.clone() if self._answers is None else self._answers.lerp(seen, _ANSWERS_SHARE)
        return ((self._answers - self._photographs) / self._scale * (newest / self._scale)).mean()

    def learn(self, photographs: Sequence[Tensor]) -> None:
        """Take a batch of maps of photographs into their running mean."""
        self._photographs = self._photographs.lerp(_moments(photographs).mean(dim=0), _PHOTOGRAPHS_SHARE)

    def state(self) -> dict[str, Any]:
        """What a run must remember of it."""
        return {"photographs": self._photographs, "scale": self._scale, "answers": self._answers}

    def load_state(self, state: dict[str, Any]) -> None:
        device = self._scale.device  # a file is read on the CPU
        self._photographs, self._scale = state["photographs"].to(device), state["scale"].to(device)
        self._answers = None if state["answers"] is None else state["answers"].to(device)


def _moments(maps: Sequence[Tensor]) -> Tensor:
    """(N, F) of maps (N, C, h, w)."""
    means = [m.mean(dim=(2, 3)) for m in maps]
    deviations = [(m.var(dim=(2, 3), correction=0) + _LEAST_VARIANCE).sqrt() for m in maps]
    return torch.cat([*means, *deviations], dim=1)
