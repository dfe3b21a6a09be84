"""The update of a training run: clipped gradient, Muon and AdamW, and the averages of the weights."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from sdedit.training.config import OptimiserConfig
from sdedit.training.ema import weight_of_last
from sdedit.training.muon import muon_update
from sdedit.training.parameters import FlatParameters
from sdedit.training.side_by_side import SideBySide

_MUON_DECAY = 0.95  # of the momentum
_FIRST_DECAY, _SECOND_DECAY, _ADAM_EPS = 0.9, 0.99, 1e-8  # of AdamW's moments


class Optimiser:
    """Muon on the larger convolutions, AdamW on all else, and the averages, behind one step.

    What changes from step to step is kept in tensors on the device, which `plan` fills: a step has no numbers of its
    own and can be replayed as a CUDA graph. Weights do not decay.

    Attributes:
        averages: for each length in the recipe, the averaged weights (N,) float32, in the order of `parameters.values`.
    """

    def __init__(self, parameters: FlatParameters, config: OptimiserConfig, muon_dtype: torch.dtype) -> None:
        """muon_dtype: of the arithmetic that makes Muon's steps orthogonal."""
        self.parameters = parameters
        self.config = config
        self._muon_dtype = muon_dtype
        self._side_by_side = SideBySide(parameters.values.device)
        values = parameters.values
        self.averages = [values.clone() for _ in config.ema]
        matrices = parameters.matrices
        self._momentum = torch.zeros(matrices[-1].stop if matrices else 0, device=values.device)
        rest = values[parameters.rest]
        self._first, self._second = torch.zeros_like(rest), torch.zeros_like(rest)
        # Muon's rate, AdamW's, the root of its second moment's correction, the newest weights' share of each average.
        self._numbers = torch.zeros(3 + len(self.averages), device=values.device)

    def plan(self, batches_done: int, budget_used: float) -> None:
        """Set the numbers of the next step.

        Args:
            batches_done: batches before this one, for the warm-up and the averages.
            budget_used: share of the training budget used, in [0, 1], for the decay.
        """
        config, batches = self.config, batches_done + 1
        warm = min(1.0, batches / max(config.warmup, 1))
        cool = min(1.0, (1 - budget_used) / (1 - config.decay_from))
        numbers = [
            config.muon * warm * cool,
            config.adam * warm * cool / (1 - _FIRST_DECAY**batches),
            (1 - _SECOND_DECAY**batches) ** 0.5,
            *(weight_of_last(length, batches) for length in config.ema),
        ]
        for place, number in zip(self._numbers, numbers, strict=True):
            place.fill_(number)  # a kernel with the number in it: neither waits for the device nor disturbs it

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradient in `parameters` once, as planned."""
        muon_rate, adam_rate, correction, *shares = self._numbers
        values, gradient = self.parameters.values, self.parameters.gradient
        norm = torch.linalg.vector_norm(gradient)
        gradient.mul_((self.config.clip / (norm + 1e-6)).clamp(max=1))
        slopes = gradient[: len(self._momentum)]
        self._momentum.lerp_(slopes, 1 - _MUON_DECAY)
        ahead = slopes.lerp(self._momentum, _MUON_DECAY)
        self._side_by_side(
            [
                partial(muon_update, shape.of(ahead), shape.of(values), muon_rate, self._muon_dtype)
                for shape in self.parameters.matrices
            ]
        )
        rest = gradient[self.parameters.rest]
        self._first.lerp_(rest, 1 - _FIRST_DECAY)
        self._second.mul_(_SECOND_DECAY).addcmul_(rest, rest, value=1 - _SECOND_DECAY)
        scale = self._second.sqrt().div_(correction).add_(_ADAM_EPS)
        values[self.parameters.rest].sub_(self._first / scale * adam_rate)
        for average, share in zip(self.averages, shares, strict=True):
            average.lerp_(values, share)
        self.parameters.refresh()

    def tensors(self) -> dict[str, Tensor]:
        """All that a step changes and that a run must remember, by name."""
        averages = {f"average {length:g}": flat for length, flat in zip(self.config.ema, self.averages, strict=True)}
        return {
            "values": self.parameters.values,
            "momentum": self._momentum,
            "first": self._first,
            "second": self._second,
            **averages,
        }
