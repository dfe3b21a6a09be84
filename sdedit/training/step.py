"""One batch: drawn, learnt from and forgotten, on the device alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sdedit.diffusion.device import fastest_convolutions
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.errors import SdeditError, is_out_of_memory
from sdedit.training.batches import BatchKind
from sdedit.training.optimiser import Optimiser
from sdedit.training.processes import Processes
from sdedit.training.teachers import Contrast, Guidance


class TrainingStep:
    """Denoising score matching (Vincent 2011) with the weighting of EDM (Karras et al. 2022), batch by batch.

    On a GPU each kind of batch is a CUDA graph, from its random numbers to its gradient, and the update another; in
    between several processes exchange gradients. Nothing waits for the host: losses are summed on the device.
    """

    captured: ClassVar[bool] = True  # whether it can be

    def __init__(
        self,
        network: nn.Module,
        preconditioning: EDMPreconditioning,
        kinds: Sequence[BatchKind],
        optimiser: Optimiser,
        generator: torch.Generator,
        processes: Processes,
        teacher: Guidance | Contrast | None = None,
        loss_weight: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """
        Args:
            generator: the device's default one, if it is a GPU: graphs replay no other.
            loss_weight: of the squared error at noise levels (B,); None is that of the preconditioning.
        """
        self.kinds = kinds
        self.optimiser = optimiser
        self.generator = generator
        self._network = network
        self._preconditioning = preconditioning
        self._loss_weight = loss_weight or preconditioning.loss_weight
        self._processes = processes
        self._teacher = teacher
        self._device = optimiser.parameters.values.device
        self._losses = torch.zeros((), device=self._device)
        self._graphs: list[torch.cuda.CUDAGraph] = []  # of each kind's gradient, and of the update

    def __call__(self, kind: int, batches_done: int, budget_used: float) -> None:
        """Train on one batch of a kind; see `Optimiser.plan`."""
        self.optimiser.plan(batches_done, budget_used)
        if self._graphs:
            self._graphs[kind].replay()
        else:
            self._differentiate(self.kinds[kind])
        self._processes.average(self.optimiser.parameters.gradient)
        if self._graphs:
            self._graphs[-1].replay()
        else:
            self.optimiser.step()

    def state(self) -> dict[str, Any]:
        """What a run must remember of it, besides the optimiser's and the generator's."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take what `state` gave."""

    def take_losses(self) -> float:
        """The sum of the losses of all batches since the last call; returns when they are done."""
        losses = float(self._losses)
        self._losses.zero_()
        return losses

    def prepare(self, log: Callable[[str], object]) -> None:
        """Capture the graphs, on a GPU; the run is as if nothing had been done.

        Args:
            log: takes a line where there can be no graphs.

        Raises:
            SdeditError: if a batch does not fit into the GPU's memory.
        """
        if self._device.type != "cuda":
            return
        if not self.captured:
            log("batches with an adversary are launched kernel by kernel")
            return
        tensors = [*self.optimiser.tensors().values(), self.optimiser.parameters.gradient, self._losses]
        before = [tensor.clone() for tensor in tensors]
        state = self.generator.get_state()
        works: list[Callable[[], None]] = [
            *(partial(self._differentiate, kind) for kind in self.kinds),
            self.optimiser.step,
        ]
        self.optimiser.plan(0, 0.0)
        try:
            with fastest_convolutions():
                for work in works:  # once as it is, so that all kernels are made and chosen
                    work()
            torch.cuda.synchronize(self._device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise SdeditError(
                "a batch does not fit into the GPU's memory; make the recipe's batches smaller"
            ) from error
        try:
            with fastest_convolutions():
                self._graphs = _capture(works)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            log(f"the batches cannot be captured as CUDA graphs and are launched kernel by kernel ({reason})")
            self.generator = torch.Generator(self._device)  # the default one may be left in the middle of a capture
        self.generator.set_state(state)
        for tensor, saved in zip(tensors, before, strict=True):
            tensor.copy_(saved)
        self.optimiser.parameters.refresh()

    def _differentiate(self, kind: BatchKind) -> None:
        x, y, sigma = kind.draw(self.generator, self._processes)
        target = y if self._teacher is None else self._teacher.target(x, y, sigma)
        with torch.enable_grad():
            d = self._preconditioning.denoise(self._network, x, sigma)
            squared = (d - target).square().mean(dim=(1, 2, 3))
            loss = (self._loss_weight(sigma) * squared).mean()
            self.optimiser.parameters.differentiate(loss)
        self._losses += loss.detach()


def _capture(works: Sequence[Callable[[], None]]) -> list[torch.cuda.CUDAGraph]:
    """A graph of each, in memory that all share, since one runs at a time and leaves nothing in it."""
    graphs = []
    pool = torch.cuda.graph_pool_handle()
    for work in works:
        graph = torch.cuda.CUDAGraph()
        # Other threads may write files meanwhile.
        with torch.cuda.graph(graph, pool, capture_error_mode="thread_local"):
            work()
        graphs.append(graph)
    return graphs
