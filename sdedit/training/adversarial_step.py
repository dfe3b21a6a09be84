"""A batch of an adversarial stage: answers are to pass for photographs, at low noise, where images get their texture.

A network that is trained on squared errors alone answers with the mean of what an image may be, and paints smooth. Here
it is also led uphill in what an adversary takes for a photograph. Two kinds of images get noise: photographs, which the
answers stay close to, and, if there are any, paintings of their strokes, whose layout the answers keep. An answer gets
noise again and is judged again, as in sampling. As the adversary is new its gradient has no scale of its own: it counts
`weight` times as much as that of the distance to the photograph.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.score_model import ScoreModel
from sdedit.training.adversary import Adversary, FeatureMaps
from sdedit.training.batches import BatchKind
from sdedit.training.config import AdversaryConfig
from sdedit.training.processes import Processes
from sdedit.training.step import TrainingStep

_EXAMPLES = 64  # photographs that the adversary is scaled by
_SHRINK = 4  # layout is what is left of an image after so many pixels have become one
_LAYOUT = 100.0  # of the squared error of the layout
_SQUARED, _ABSOLUTE = 0.3, 7.0  # of the weighted squared error of photographs, and of the absolute one
_AGAIN = (0.25, 0.5)  # noise of an answer that gets noise again, as a share of before


class AdversarialStep(TrainingStep):
    """As `TrainingStep`; it is not captured on a GPU."""

    captured = False

    def __init__(self, *args: Any, adversary: AdversaryConfig, start: ScoreModel | None) -> None:
        """start: gives the answers above `adversary.below`; None where there are none to keep."""
        super().__init__(*args)
        self._options = adversary
        self._start = start
        self._maps = FeatureMaps().to(self._device)
        _, examples, _ = self.kinds[0].draw(torch.Generator(self._device).manual_seed(0), Processes())
        with torch.no_grad():
            # Each process has its own: one that has nothing to judge in a batch must not keep the others waiting.
            self._judge = Adversary(self._maps(examples[:_EXAMPLES]), adversary.learning_rate)

    def state(self) -> dict[str, Any]:
        return self._judge.state()

    def load_state(self, state: dict[str, Any]) -> None:
        self._judge.load_state(state)

    def _differentiate(self, kind: BatchKind) -> None:
        x, y, sigma = kind.draw(self.generator, self._processes)
        photographs = y if kind.images == kind.count else y[: len(y) // 2].repeat(2, 1, 1, 1)
        painted = torch.arange(len(y), device=y.device) >= (len(y) if kind.images == kind.count else len(y) // 2)
        gradient = torch.zeros_like(self.optimiser.parameters.gradient)
        for _ in range(self._options.repeats):
            loss, d = self._loss(x, y, sigma, photographs, painted)
            self._losses += loss.detach() / self._options.repeats
            self.optimiser.parameters.differentiate(loss)
            gradient += self.optimiser.parameters.gradient
            y = d.detach().clamp(0, 1)
            painted = torch.ones_like(painted)
            share = torch.empty_like(sigma).uniform_(*_AGAIN, generator=self.generator)
            sigma = sigma * share
            x = y + sigma[:, None, None, None] * torch.randn(y.shape, generator=self.generator, device=y.device)
        self.optimiser.parameters.gradient.copy_(gradient)

    def _loss(self, x: Tensor, y: Tensor, sigma: Tensor, photographs: Tensor, painted: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, a scalar, and the answers D(x; sigma).

        Args:
            x, y, sigma: as of `BatchKind.draw`.
            photographs: (B, 3, H, W), what the answers are compared with.
            painted: (B,), whether y is a painting, of which the layout counts, or a photograph.
        """
        options, judge = self._options, self._judge
        judged = sigma < options.below
        weight = self._loss_weight(sigma)
        with torch.enable_grad():
            d = self._preconditioning.denoise(self._network, x, sigma)
            squared, absolute = ((d - y).abs().pow(power).mean(dim=(1, 2, 3)) for power in (2, 1))
            close = _SQUARED * weight * squared + _ABSOLUTE * absolute
            layout = _LAYOUT * F.avg_pool2d(d - y, _SHRINK).square().mean(dim=(1, 2, 3))
            kept = torch.where(painted, layout, close)
            if self._start is not None:
                with torch.no_grad():
                    answer = self._start.denoise(x, sigma)
                kept = torch.where(judged, kept, weight * (d - answer).square().mean(dim=(1, 2, 3)))
            if not judged.any():
                return kept.mean(), d
            maps, real = self._maps.look(d[judged], photographs[judged], generator=self.generator)
            distance = judge.distance(maps, real)
            passing = judge.realism(maps)
            toward, uphill = (torch.autograd.grad(part, d, retain_graph=True)[0] for part in (distance, passing))
            scale = options.weight * toward.norm() / uphill.norm().clamp(min=1e-12)
            judge.learn(maps, real)
            return kept.mean() + options.perceptual * distance - scale.detach() * passing, d
