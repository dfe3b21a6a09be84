"""A batch of a finisher's training: what it makes of noised images in one evaluation is to pass for photographs.

A step of a denoising diffusion GAN (Xiao et al. 2022, arXiv 2112.07804), the last one, with the features that an
adversary knows of EfficientNet-Lite1. Most inputs are states that sampling from guides comes through; their layout is
kept, and the rest is the adversary's and the features' averages to judge. The others are photographs with noise, which
the answers are also to resemble, so that what is kept under a mask is treated as what it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.device import has_fast_bf16
from sdedit.training.adversary import Adversary
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


class FinishingStep(TrainingStep):
    """As `TrainingStep`; the other windows of a batch's photographs are what answers are told apart from."""

    def __init__(self, *args: Any, adversary: AdversaryConfig, states: SampledStates, own: torch.Generator) -> None:
        """own: draws what each process draws for itself."""
        super().__init__(*args)
        self._options = adversary
        self._states = states
        self._own = own
        with torch.no_grad():
            kind, generator = self.kinds[0], torch.Generator(self._device).manual_seed(0)
            times = -(-_EXAMPLES // kind.images)
            examples = torch.cat([kind.draw(generator, Processes())[1] for _ in range(times)])[:_EXAMPLES]
            self._judge = Adversary(examples, adversary.learning_rate, self._processes)
            maps = [self._look(batch)[0] for batch in examples.split(8)]
            self._moments = FeatureMoments([torch.cat(alike) for alike in zip(*maps, strict=True)])

    def state(self) -> dict[str, Any]:
        return {**self._judge.state(), "moments": self._moments.state(), "own": self._own.get_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        self._judge.load_state(state)
        self._moments.load_state(state["moments"])
        # The first process has written its own alone; no two may draw the same.
        if self._processes.is_first:
            self._own.set_state(state["own"])
        else:
            self._own.manual_seed(int(state["own"].sum()) + self._processes.index)

    def prepare(self, log: Any) -> None:
        if self._device.type == "cuda":
            log("batches with an adversary are launched kernel by kernel")

    def _differentiate(self, kind: BatchKind) -> None:
        noised, photographs, sigma = kind.draw(self.generator, self._processes)
        sigma = sigma.clamp(max=_HIGHEST * self._states.sigma)
        sampled = len(sigma) - round(_PHOTOGRAPHS * len(sigma))
        states = self._states.draw(sigma[:sampled], kind.side, self._own)
        x = torch.cat([states, noised[sampled:]])
        with torch.enable_grad():
            d = self._preconditioning.denoise(self._network, x, sigma)
            maps, real = self._look(d, photographs)
            loss = self._options.weight * (
                self._moments.distance([m[:sampled] for m in maps]) - self._judge.realism(maps)
            )
            loss = loss + _LAYOUT * F.avg_pool2d(d[:sampled] - states, _POOL).square().mean()
            if sampled < len(sigma):
                near = _ABSOLUTE * (d - photographs)[sampled:].abs().mean()
                like = self._judge.distance([m[sampled:] for m in maps], [m[sampled:] for m in real])
                loss = loss + _PHOTOGRAPHS * (near + self._options.perceptual * like)
            self.optimiser.parameters.differentiate(loss)
        self._losses += self._judge.learn(maps, real)
        self._moments.learn(real)

    def _look(self, *images: Tensor) -> list[list[Tensor]]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=has_fast_bf16(self._device)):
            looked = self._judge.look(*images, generator=self._own)
        return [[m.float() for m in maps] for maps in looked]
