"""Autoguidance (Karras et al. 2024, arXiv 2406.02507), trained into the network instead of paid for at every step.

Where a strong and a weak model of the same photographs differ, the weak one errs further in the strong one's direction:
both blur what they are unsure of. A network that learns to answer

    D_strong(x; sigma) + w L(D_strong(x; sigma) - D_weak(x; sigma)),   L: mean over the colour channels,

leaves that error behind by w times the difference, at the price of one evaluation (as Meng et al. 2023, arXiv
2210.03142, do for classifier-free guidance). In brightness only: in colour it drives pictures away from their guides.
D_strong stands for the expected picture: unlike photographs, which scatter about it, it lets the network learn in an
hour. As no photograph is compared with, any pictures will do to add noise to; strokes are what painting begins with.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sdedit.model import ScoreModel


@dataclass(frozen=True)
class Autoguidance:
    """What a network learns to answer with.

    Attributes:
        strong: the model to start from.
        weak: one of the same photographs with less training or capacity, such as an earlier state of the run.
        weight: w, from 0.
    """

    strong: ScoreModel
    weak: ScoreModel
    weight: float

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The guided answer, (B, 3, H, W) float32; arguments as of `sdedit.model.ScoreModel.denoise`."""
        strong = self.strong.denoise(x, sigma)
        return strong + self.weight * (strong - self.weak.denoise(x, sigma)).mean(dim=1, keepdim=True)
