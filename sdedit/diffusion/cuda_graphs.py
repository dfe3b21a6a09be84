"""Evaluations on a GPU as CUDA graphs: all kernels of one are launched at once.

Launched one by one from Python they take longer to launch than to run, unless images are large or many.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Denoise = Callable[[nn.Module, Tensor, Tensor], Tensor]  # network, x (B, C, H, W), sigma (B,) or (1,) -> D
_MOST_GRAPHS = 16  # shapes; in a folder of many the oldest are forgotten


class _Graph(NamedTuple):
    graph: torch.cuda.CUDAGraph
    x: Tensor
    sigma: Tensor
    d: Tensor
    weight: Tensor  # the network's: holds a reference so that the address cannot be reused


class CUDAGraphCache:
    """Evaluations D(x; sigma), captured at the first one of each shape of x and replayed at the others.

    Threads may share one, as long as they work on one stream, such as the default one.
    """

    def __init__(self) -> None:
        self._graphs: dict[tuple, _Graph | None] = {}
        self._pool: Any = None  # memory that all graphs share, since one runs at a time
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return CUDAGraphCache, ()  # a copy of a model, or one sent to another process, captures its own

    def __call__(self, denoise: Denoise, network: nn.Module, weight: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """denoise(network, x, sigma) on a GPU, without gradients.

        Args:
            denoise: what is evaluated.
            network: its first argument.
            weight: one of the network's, of the type that its body runs in: a graph belongs to its address and type.
            x: (B, C, H, W).
            sigma: (B,) or (1,).
        """
        if torch.cuda.is_current_stream_capturing():
            return denoise(network, x, sigma)
        autocast = torch.is_autocast_enabled("cuda")
        key = (denoise, weight.data_ptr(), weight.dtype, x.shape, x.dtype, sigma.shape, autocast)
        with self._lock:
            found = self._graphs.get(key)
            if found is not None:
                found.x.copy_(x)
                found.sigma.copy_(sigma)
                found.graph.replay()
                return found.d.clone()
            d = self._one_by_one(denoise, network, x, sigma)
            if key not in self._graphs:
                # Only now, when all kernels have been compiled and loaded.
                if len(self._graphs) == _MOST_GRAPHS:
                    del self._graphs[next(iter(self._graphs))]
                self._graphs[key] = self._capture(denoise, network, weight, x, sigma)
            return d

    def _one_by_one(self, denoise: Denoise, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        try:
            return denoise(network, x, sigma)
        except torch.OutOfMemoryError:
            if not any(self._graphs.values()):
                raise
        self._release()
        return denoise(network, x, sigma)

    def _capture(self, denoise: Denoise, network: nn.Module, weight: Tensor, x: Tensor, sigma: Tensor) -> _Graph | None:
        """The graph of an evaluation; None if there is not the memory for it."""
        graph = torch.cuda.CUDAGraph()
        # Not tensors of inference mode, which could not be written to outside it.
        with torch.cuda.device(x.device), torch.inference_mode(False), torch.no_grad():
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            try:
                x, sigma = x.clone(), sigma.clone()
                with torch.cuda.graph(graph, self._pool, capture_error_mode="thread_local"):
                    d = denoise(network, x, sigma)
                return _Graph(graph, x, sigma, d, weight.detach())
            except torch.OutOfMemoryError:
                pass
        del graph  # and with it what it holds
        self._release()
        return None

    def _release(self) -> None:
        """Give the memory of all graphs back, and remember which shapes were too large for one."""
        self._graphs = {key: graph for key, graph in self._graphs.items() if graph is None}
        self._pool = None
        torch.cuda.empty_cache()
