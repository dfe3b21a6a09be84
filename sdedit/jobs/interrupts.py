"""SIGTERM like Ctrl-C: an exception in the main thread, so that everything is left in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sdedit.errors import InterruptedWorkError


class _Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


@contextmanager
def ends_in_order(remedy: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM within the block into an `InterruptedWorkError` that says how to go on.

    A second signal ends the process at once. Does nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise _Terminated if number == signal.SIGTERM else KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop), signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Terminated:
        raise InterruptedWorkError(f"terminated; {remedy}", 128 + signal.SIGTERM) from None
    except KeyboardInterrupt:
        raise InterruptedWorkError(f"interrupted; {remedy}", 128 + signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
