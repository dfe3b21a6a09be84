"""SIGTERM like Ctrl-C: interrupted by a signal after a clean shutdown, through an exception in the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sdedit.errors import InterruptedWorkError


@contextmanager
def ends_in_order(remedy: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM within the block into an `InterruptedWorkError` that says how to go on.

    A second signal ends the process at once. Does nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received: list[int] = []  # not told by the exception: a library that waits may raise its own

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop), signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        number = received[0] if received else signal.SIGINT
        word = "terminated" if number == signal.SIGTERM else "interrupted"
        raise InterruptedWorkError(f"{word}; {remedy}", 128 + number) from None
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
