"""Standard streams that are closed, or whose reader or disk gives out."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def open_standard_streams() -> None:
    """Put the null device where standard input, output or error are closed.

    Otherwise the next file that is opened takes the number of the closed one, and what a library prints goes into it.
    Nothing is said then where standard error was; `sys.stdin` and `sys.stdout` stay None, by which it is known that
    there is nothing to read, and nobody to read.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def settle_stdout() -> int:
    """Write what waits for standard output; 1 if that fails, which Python would complain of once more at exit."""
    if sys.stdout is None:
        return 0
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
