"""Training in several processes, each with its share of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import torch
from torch import Tensor, distributed

from sdedit.errors import SdeditError

_PATIENCE = timedelta(hours=6)  # for the first process, which alone measures and calibrates


class Processes:
    """This process among those of a run, as torchrun starts them: number `index` of `count`, from 0.

    All draw the same random numbers and take their part of what these make; the mean of their gradients is then that of
    the whole batch, and their weights stay the same without ever being sent.
    """

    def __init__(self, index: int = 0, count: int = 1) -> None:
        """Join the others; returns when all are there.

        Raises:
            SdeditError: if they were not started by torchrun, or do not answer.
        """
        self.index = index
        self.count = count
        if count > 1:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            try:
                distributed.init_process_group(backend, rank=index, world_size=count, timeout=_PATIENCE)
            except (ValueError, RuntimeError) as error:
                raise SdeditError(
                    f"the {count} processes of the run do not find each other; start them with torchrun"
                ) from error

    @property
    def is_first(self) -> bool:
        """Whether this one says and writes what there is to say and write."""
        return self.index == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch (B, …), B a multiple of `count`."""
        size = len(batch) // self.count
        return batch[self.index * size : (self.index + 1) * size]

    def average(self, gradient: Tensor) -> None:
        """Replace a tensor by its mean over all processes."""
        if self.count > 1:
            distributed.all_reduce(gradient)
            gradient.div_(self.count)

    def agree(self, numbers: Sequence[float]) -> list[float]:
        """The largest of each number over all processes."""
        if self.count == 1:
            return list(numbers)
        agreed = torch.tensor(numbers, dtype=torch.float64)
        distributed.all_reduce(agreed, distributed.ReduceOp.MAX)
        return agreed.tolist()

    def leave(self) -> None:
        """End together with the others."""
        if self.count > 1:
            self.agree([0.0])
            distributed.destroy_process_group()
