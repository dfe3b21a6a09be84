"""What a network learns instead of the photographs themselves, to become better than the model it starts from.

`Guidance`: by a weaker model, trained into the network instead of paid for at every step. The network learns to answer

    D_start(x; sigma) + w L(D_strong(x; sigma) - D_weak(x; sigma)),   L: mean over the colour channels,

or with D_start(x; sigma) alone where there is more noise than guidance does good at (Kynkaanniemi et al. 2024, arXiv
2404.07724), at the price of one evaluation (as Meng et al. 2023, arXiv 2210.03142, do for classifier-free guidance).
Two kinds of guiding models:

    an earlier state of the strong model (autoguidance, Karras et al. 2024, arXiv 2406.02507): both blur what they are
    unsure of, and the weak one errs further in the strong one's direction;

    the strong model trained on with images that the start model has painted (Alemohammad et al. 2024, arXiv
    2408.16333): where the two differ, painted images can be told from photographs.

In brightness only: in colour autoguidance drives images away from their guides. The answers stand for expected
images: unlike photographs, which scatter about them, they let the network learn in an hour. As no photograph is
compared with, any images will do to add noise to; strokes are what painting begins with.

`Contrast`: away from what a model paints itself, towards the photographs: a network's own images as bad examples.
Beside each photograph lies what the start model made of its strokes. Both get the same noise, and the network learns to
answer

    D_start + w (y - D_start)   for a photograph y,
    D_start - w (y - D_start)   for a painting y.

Where paintings cannot be told from photographs the two cancel, and it stays as it is. Where x can be either, it moves
by w / 2 times the difference of the two images expected (Zheng et al. 2025, arXiv 2509.16117, for rewards; Zheng et
al. 2025, arXiv 2503.01103, for photographs against own samples). Unlike guidance it needs no weaker model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from sdedit.diffusion.score_model import ScoreModel


@dataclass(frozen=True)
class Guidance:
    """What a network learns to answer with.

    Attributes:
        start: the model whose answers are improved.
        strong: one of the same photographs; may be `start` itself.
        weak: a worse one than `strong`, in what `start` does badly too.
        weight: w, from 0.
        below: the noise level, in units of x, from which on there is no guidance.
    """

    kind: ClassVar[str] = "guidance"
    start: ScoreModel
    strong: ScoreModel
    weak: ScoreModel
    weight: float
    below: float = math.inf

    def facts(self) -> dict[str, Any]:
        """What a model's card says of it."""
        return {
            "weight": self.weight,
            "strong_sha256": self.strong.checksum,
            "weak_sha256": self.weak.checksum,
        }

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The guided answer, (B, 3, H, W) float32; arguments as of `ScoreModel.denoise`."""
        answer = self.start.denoise(x, sigma)
        strong = answer if self.strong is self.start else self.strong.denoise(x, sigma)
        difference = (strong - self.weak.denoise(x, sigma)).mean(dim=1, keepdim=True)
        # Of the whole batch: picking out what is guided would make the host wait for the device.
        weight = torch.where(sigma < self.below, self.weight, 0.0)
        return answer + weight[:, None, None, None] * difference

    def target(self, x: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
        """The answers for x, y with noise; y itself, which they stand for, does not matter."""
        return self.denoise(x, sigma)


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
