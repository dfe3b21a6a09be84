"""Optimisers, learning-rate plan and averaged weights of a training run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sdedit.training.config import OptimiserConfig

_SMALLEST_MATRIX = 32


class Optimiser:
    """Muon on the larger convolutions, AdamW on all else, behind one step.

    Muon (Jordan et al. 2024) orthogonalises the momentum of a matrix; a convolution (O, I, k, k) counts as the matrix
    (O, k k I). torch's Muon takes matrices only, so it is given views that share the convolutions' memory; for that
    the network must be in channels_last.
    """

    def __init__(self, network: nn.Module, config: OptimiserConfig) -> None:
        self.config = config
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self._convolutions = [p for p in self.parameters if p.dim() == 4 and min(p.shape[:2]) >= _SMALLEST_MATRIX]
        chosen = {id(p) for p in self._convolutions}
        others = [p for p in self.parameters if id(p) not in chosen]
        self._matrices = [nn.Parameter(_as_matrix(p.detach())) for p in self._convolutions]
        for matrix, convolution in zip(self._matrices, self._convolutions, strict=True):
            if matrix.data_ptr() != convolution.data_ptr():
                raise ValueError("the network must be in torch.channels_last")
        self._parts: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.AdamW(others, config.adam, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        }
        if self._matrices:
            self._parts["muon"] = torch.optim.Muon(
                self._matrices, config.muon, momentum=0.95, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            )

    def step(self, batches_done: int, budget_used: float) -> None:
        """Apply the gradients once.

        Args:
            batches_done: batches before this one, for the warm-up.
            budget_used: share of the training budget used, in [0, 1], for the decay.
        """
        config = self.config
        warm = min(1.0, (batches_done + 1) / max(config.warmup, 1))
        cool = min(1.0, (1 - budget_used) / (1 - config.decay_from))
        nn.utils.clip_grad_norm_(self.parameters, config.clip)
        for matrix, convolution in zip(self._matrices, self._convolutions, strict=True):
            matrix.grad = None if convolution.grad is None else _as_matrix(convolution.grad)
        for name, part in self._parts.items():
            for group in part.param_groups:
                group["lr"] = getattr(config, name) * warm * cool
            part.step()
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, object]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def _as_matrix(weight: Tensor) -> Tensor:
    # A convolution kept in channels_last is contiguous in this order, so for the weights themselves this is a view.
    return weight.permute(0, 2, 3, 1).flatten(1)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, batches_done: int) -> None:
    """Move the averaged weights towards the network's; early on faster, so that the start is soon forgotten."""
    decay = min(decay, (1 + batches_done) / (10 + batches_done))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
