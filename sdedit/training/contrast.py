"""Away from what a model paints itself, towards the photographs: a network's own pictures as bad examples.

Beside each photograph lies what the start model made of its strokes. Both get the same noise, and the network learns to
answer

    D_start + w (y - D_start)   for a photograph y,
    D_start - w (y - D_start)   for a painting y.

Where paintings cannot be told from photographs the two cancel, and it stays as it is. Where x can be either, it moves
by w / 2 times the difference of the two pictures expected (Zheng et al. 2025, arXiv 2509.16117, for rewards; Zheng et
al. 2025, arXiv 2503.01103, for photographs against own samples). Unlike guidance it needs no weaker model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from sdedit.model import ScoreModel


@dataclass(frozen=True)
class Contrast:
    """What a network learns to answer with.

    Attributes:
        start: the model that painted, and whose answers are improved.
        weight: w, from 0.
        below: the noise level, in units of x, from which on the network answers as `start`.
    """

    kind: ClassVar[str] = "contrast"
    start: ScoreModel
    weight: float
    below: float = math.inf

    def facts(self) -> dict[str, Any]:
        """What a model's card says of it."""
        return {"weight": self.weight}

    @torch.no_grad()
    def target(self, x: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
        """The answers for x (2B, 3, H, W), y with noise: B photographs, then the B paintings that belong to them."""
        answer = self.start.denoise(x, sigma)
        weight = torch.full_like(sigma, self.weight)
        weight[len(y) // 2 :] *= -1
        return answer + (weight * (sigma < self.below))[:, None, None, None] * (y - answer)
