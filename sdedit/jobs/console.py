"""What a job says while it works: lines and one bar on standard error, fewer of them or none when asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def counted(count: int, noun: str, rest: str = "") -> str:
    """A number with its noun: "1 guide", "3 guides", "3 images to edit"."""
    return f"{count} {noun}{'' if count == 1 else 's'}{rest}"


class Console:
    """Lines and a progress bar that do not break each other.

    Attributes:
        lines: whether `log` says anything.
        failures: whether `warn` does.
        bars: whether bars are drawn, on a terminal.
    """

    def __init__(self, lines: bool = True, failures: bool = True, bars: bool = True) -> None:
        self.lines, self.failures, self.bars = lines, failures, bars
        self._bar: tqdm | None = None

    def log(self, line: str) -> None:
        """Say what is done."""
        if self.lines:
            self._write(line)

    def warn(self, line: str) -> None:
        """Say what failed, which --quiet does not silence."""
        if self.failures:
            self._write(line)

    @contextmanager
    def bar(self, total: int, unit: str) -> Iterator[tqdm]:
        """A bar on standard error while the block runs, if that is a terminal."""
        from tqdm import tqdm

        with tqdm(
            total=total, unit=unit, leave=False, disable=None if self.bars and sys.stderr is not None else True
        ) as bar:
            self._bar = bar
            try:
                yield bar
            finally:
                self._bar = None

    def _write(self, line: str) -> None:
        with suppress(OSError):  # of a full disk behind standard error: the work goes on
            if self._bar is not None and not self._bar.disable:
                self._bar.write(line, file=sys.stderr)
            elif sys.stderr is not None:
                print(line, file=sys.stderr, flush=True)


LOUD = Console()
QUIET = Console(lines=False, bars=False)
SILENT = Console(lines=False, failures=False, bars=False)
