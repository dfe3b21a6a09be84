"""Small operations side by side on a GPU, which one after another would leave most of it idle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

_STREAMS = 8


class SideBySide:
    """Streams on which works run at once; on other devices they run in turn.

    In a CUDA graph that is captured meanwhile they become branches of it.
    """

    def __init__(self, device: torch.device) -> None:
        self._streams = [torch.cuda.Stream(device) for _ in range(_STREAMS)] if device.type == "cuda" else []

    def __call__(self, works: Sequence[Callable[[], None]]) -> None:
        """Run works that do not touch what another one writes; what follows on the current stream waits for all."""
        if not self._streams:
            for work in works:
                work()
            return
        current = torch.cuda.current_stream(self._streams[0].device)
        used = self._streams[: len(works)]
        for stream in used:
            stream.wait_stream(current)
        for number, work in enumerate(works):
            with torch.cuda.stream(used[number % len(used)]):
                work()
        for stream in used:
            current.wait_stream(stream)
