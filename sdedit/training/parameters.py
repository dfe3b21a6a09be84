"""The parameters of a network in one flat tensor, so that what is done to all of them is one operation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn

_SMALLEST_MATRIX = 32  # channels in and out from which on a convolution counts as a matrix
_ALIGNMENT = (
    8  # parameters start at multiples of so many numbers: 16 bytes of bfloat16, which tensor cores read at once
)


@dataclass(frozen=True)
class Matrices:
    """`count` convolutions (O, I, k, k) of one shape, read as matrices (O, k k I): numbers `start` to `stop`."""

    start: int
    count: int
    rows: int
    columns: int

    @property
    def stop(self) -> int:
        return self.start + self.count * self.rows * self.columns

    def of(self, flat: Tensor) -> Tensor:
        """Their part of a flat tensor (N,) or of one that begins like it: a view (count, rows, columns)."""
        return flat[self.start : self.stop].view(self.count, self.rows, self.columns)


class FlatParameters:
    """Float32 master weights and their gradient, and the network that computes with them.

    In `values` lie, in this order: the convolutions of at least 32 x 32 channels, those of one shape together; the
    other convolutions; everything else. Convolutions lie in channels_last. The network's convolutions are a copy of
    theirs in `dtype`, made anew by `refresh`; its other parameters, which are few, are the masters themselves.

    Attributes:
        values: (N,) float32, the weights that are updated.
        gradient: (N,) float32, that of the last loss.
        matrices: the convolutions that are updated as matrices.
        rest: where in `values` everything else lies.
        layout: the shape of every parameter, by name, in order.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        """Take the parameters of a network, which from now on are views; they must be float32 and on one device."""
        named = sorted(network.named_parameters(), key=lambda item: _rank(item[1]))
        self.layout = {name: tuple(parameter.shape) for name, parameter in named}
        self._places: dict[str, int] = {}
        self.matrices: list[Matrices] = []
        end, narrow_end = 0, 0
        for rank, group in groupby(named, key=lambda item: _rank(item[1])):
            members = list(group)
            if rank[0] == 0:
                rows, size = len(members[0][1]), members[0][1].numel()
                self.matrices.append(Matrices(end, len(members), rows, size // rows))
            for name, parameter in members:
                self._places[name] = end
                end += parameter.numel() if rank[0] == 0 else _aligned(parameter.numel())
            end = _aligned(end)
            if rank[0] < 2:
                narrow_end = end
        first = named[0][1]
        self.rest = slice(_aligned(self.matrices[-1].stop) if self.matrices else 0, end)
        self.values = torch.zeros(end, device=first.device)
        self.gradient = torch.zeros_like(self.values)
        with torch.no_grad():
            for name, parameter in named:
                self._view(self.values, name).copy_(parameter)
        self._wide = self.values[:narrow_end]
        self._narrow = self._wide if dtype == torch.float32 else self._wide.to(dtype)
        self._parameters = [parameter for _, parameter in named]
        for name, parameter in named:
            source = self._narrow if parameter.dim() == 4 else self.values
            parameter.data = self._view(source, name)
        self._gradients = [self._view(self.gradient, name) for name in self.layout]
        # Apart, since tensors are copied in one operation only if they are alike in type and layout.
        dimensions = [parameter.dim() for parameter in self._parameters]
        self._alike = [[i for i, found in enumerate(dimensions) if found == wanted] for wanted in set(dimensions)]

    def attach(self, network: nn.Module, flat: Tensor) -> None:
        """Make the parameters of a network of the same architecture views of flat (N,), float32."""
        for name, parameter in network.named_parameters():
            parameter.data = self._view(flat, name)

    def refresh(self) -> None:
        """Bring the network's copies up to date with the masters."""
        if self._narrow is not self._wide:
            self._narrow.copy_(self._wide)

    def differentiate(self, loss: Tensor) -> None:
        """Write the gradient of a loss into `gradient`."""
        # Not loss.backward(), which would keep gradients in other places from step to step.
        learnt = [parameter for parameter in self._parameters if parameter.requires_grad]
        found = iter(torch.autograd.grad(loss, learnt, materialize_grads=True))
        gradients = [next(found) if p.requires_grad else torch.zeros_like(p) for p in self._parameters]
        for alike in self._alike:
            torch._foreach_copy_([self._gradients[i] for i in alike], [gradients[i] for i in alike])

    def _view(self, flat: Tensor, name: str) -> Tensor:
        place, shape = self._places[name], self.layout[name]
        numbers = flat[place : place + torch.Size(shape).numel()]
        if len(shape) != 4:
            return numbers.view(shape)
        out, into, height, width = shape
        return numbers.view(out, height, width, into).permute(0, 3, 1, 2)


def _rank(parameter: Tensor) -> tuple[int, tuple[int, ...]]:
    """By which parameters are ordered: matrices by shape, other convolutions, others."""
    if parameter.dim() != 4:
        return 2, ()
    if min(parameter.shape[:2]) < _SMALLEST_MATRIX:
        return 1, ()
    return 0, (len(parameter), parameter[0].numel())


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT
