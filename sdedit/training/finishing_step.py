"""A batch of a finisher's training: what it makes of noised images in one evaluation is to pass for photographs.

A step of a denoising diffusion GAN (Xiao et al. 2022, arXiv 2112.07804), the last one, with what EfficientNet-Lite1
sees of images. Most inputs are states that sampling from guides comes through; their layout is kept, and the rest is
for two adversaries to judge, one of images and one of images beside their guides, and for the averages of the features.
The other inputs are photographs with noise, which the answers are also to resemble, so that what is kept under a mask
is treated as what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.device import has_fast_bf16
from sdedit.training.adversary import Adversary, FeatureMaps
from sdedit.training.batches import BatchKind
from sdedit.training.config import AdversaryConfig
from sdedit.training.feature_moments import FeatureMoments
from sdedit.training.processes import Processes
from sdedit.training.sampled_states import SampledStates
from sdedit.training.step import TrainingStep

BRANCH = 2.0  # of the finisher's noise level: where sampling for its inputs ends
_HIGHEST = 0.95  # of the branch, for the noise of inputs
_EXAMPLES = 96  # windows of photographs that features are scaled by
_PHOTOGRAPHS = 0.25  # of the inputs
_POOL = 16  # layout is what is left of an image after so many pixels have become one
_LAYOUT, _ABSOLUTE = 100.0, 5.0  # of the squared error of the layout, and of the absolute one of photographs
_EACH = 0.6  # of an adversary, of two


class FinishingStep(TrainingStep):
    """As `TrainingStep`, on photographs with their guides."""

    captured = False

    def __init__(self, *args: Any, adversary: AdversaryConfig, states: SampledStates, own: torch.Generator) -> None:
        """own: draws what each process draws for itself."""
        super().__init__(*args)
        self._options = adversary
        self._states = states
        self._own = own
        self._maps = FeatureMaps().to(self._device)
        with torch.no_grad():
            kind, generator = self.kinds[0], torch.Generator(self._device).manual_seed(0)
            batches = [kind.draw(generator, Processes())[1] for _ in range(-(-_EXAMPLES // kind.count))]
            looked = [self._look(*batch.chunk(2)) for batch in batches]
            examples, beside = (
                [torch.cat(alike) for alike in zip(*maps, strict=True)] for maps in zip(*looked, strict=True)
            )
            rate, shared = adversary.learning_rate, self._processes
            self._alone = Adversary(examples, rate, shared)
            self._beside = Adversary(_joined(examples, beside), rate, shared)
            self._moments = FeatureMoments(examples)

    def state(self) -> dict[str, Any]:
        return {
            "alone": self._alone.state(),
            "beside": self._beside.state(),
            "moments": self._moments.state(),
            "own": self._own.get_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._alone.load_state(state["alone"])
        self._beside.load_state(state["beside"])
        self._moments.load_state(state["moments"])
        # The first process has written its own alone; no two may draw the same.
        if self._processes.is_first:
            self._own.set_state(state["own"])
        else:
            self._own.manual_seed(int(state["own"].sum()) + self._processes.index)

    def _differentiate(self, kind: BatchKind) -> None:
        (noised, _), (photographs, guides), (sigma, _) = (
            part.chunk(2) for part in kind.draw(self.generator, self._processes)
        )
        sigma = sigma.clamp(max=_HIGHEST * self._states.sigma)
        sampled = len(sigma) - round(_PHOTOGRAPHS * len(sigma))
        states, *known = self._states.draw(sigma[:sampled], kind.side, self._own)
        photographs, guides = (
            torch.cat([own, drawn[sampled:]]) for own, drawn in zip(known, (photographs, guides), strict=True)
        )
        x = torch.cat([states, noised[sampled:]])
        with torch.enable_grad():
            d = self._preconditioning.denoise(self._network, x, sigma)
            maps, real, beside = self._look(d, photographs, guides)
            passing = self._alone.realism(maps) + self._beside.realism(_joined(maps, beside))
            leading = self._moments.distance([m[:sampled] for m in maps]) - _EACH * passing
            loss = self._options.weight * leading
            loss = loss + _LAYOUT * F.avg_pool2d(d[:sampled] - states, _POOL).square().mean()
            if sampled < len(sigma):
                near = _ABSOLUTE * (d - photographs)[sampled:].abs().mean()
                like = self._alone.distance([m[sampled:] for m in maps], [m[sampled:] for m in real])
                loss = loss + _PHOTOGRAPHS * (near + self._options.perceptual * like)
            self.optimiser.parameters.differentiate(loss)
        self._losses += self._alone.learn(maps, real)
        self._beside.learn(_joined(maps, beside), _joined(real, beside))
        self._moments.learn(real)

    def _look(self, *images: Tensor) -> list[list[Tensor]]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=has_fast_bf16(self._device)):
            looked = self._maps.look(*images, generator=self._own)
        return [[m.float() for m in maps] for maps in looked]


def _joined(maps: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """Maps (B, C, h, w) beside others, (B, 2C, h, w)."""
    return [torch.cat(both, dim=1) for both in zip(maps, others, strict=True)]
