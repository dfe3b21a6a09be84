"""What the calls of a studio share: its models, its network, its pictures, and threads for what takes time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from sdedit.studio.limits import Limits, RefusedError
from sdedit.studio.models import NamedModel
from sdedit.studio.painter import Painter
from sdedit.studio.pictures import Pictures
from sdedit.studio.previews import Pace
from sdedit.studio.uploads import Uploads

Result = TypeVar("Result")


class Workshop:
    """The parts of a studio.

    Attributes:
        limits: of requests.
        models: settled once they are there; the first is the one used where none is asked for.
        painter: whose `run` has to be called in a thread that may be busy.
        pace: how long images have taken.
        pictures: kept for edits.
        uploads: reads bodies.
        encoder: makes files of images.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.models: Future[list[NamedModel]] = Future()
        self.painter = Painter()
        self.pace = Pace()
        self.pictures = Pictures(limits.kept)
        self.uploads = Uploads(limits)
        self.encoder = ThreadPoolExecutor(1, "sdedit-encode")
        self._decoder = ThreadPoolExecutor(1, "sdedit-decode")  # one at a time: each may take much memory

    async def ready(self) -> list[NamedModel]:
        """The models, once they are there; raises RefusedError if the studio ends before."""
        return await asyncio.shield(asyncio.wrap_future(self.models))

    async def decoded(self, read: Callable[[], Result]) -> Result:
        """What a function makes of an image file, in the thread for that."""
        return await asyncio.get_running_loop().run_in_executor(self._decoder, read)

    def stop(self) -> None:
        """Tell who waits that it is over, and let `painter.run` return."""
        self.painter.stop()
        with suppress(InvalidStateError):
            self.models.set_exception(RefusedError("the studio has been stopped", 503))

    def close(self) -> None:
        """Let the threads go, once nobody asks any more."""
        for executor in (self._decoder, self.encoder):
            executor.shutdown(wait=False, cancel_futures=True)
