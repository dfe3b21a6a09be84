"""How far a folder is, whoever paints it: one bar, fed by this process and by what the others write to the ledger."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType

from sdedit.jobs.batch.ledger import Ledger
from sdedit.jobs.console import Console
from sdedit.jobs.tasks import PaintedFile

_POLL = 1.0  # seconds between looks at the ledger


class Progress:
    """A bar of the images of a job.

    Args:
        total: images in all.
        ledger: where other processes record their images; None if there are none.
        console: draws the bar.
    """

    def __init__(self, total: int, ledger: Ledger | None, console: Console) -> None:
        self._console = console
        self._ledger = ledger
        self._steps = self._step = 0
        self._settled: set[str] = set()
        self._looked = time.monotonic()
        self._stack = ExitStack()
        self._bar = self._stack.enter_context(console.bar(total, "image"))

    def done_before(self, outputs: set[str]) -> None:
        """Count images that the ledger knew when the work began."""
        for output in outputs:
            self._add(output)

    def on_step(self, steps: int) -> None:
        """A network evaluation is done, of so many for its batch."""
        self._step = 1 if self._step >= self._steps else self._step + 1
        self._steps = steps
        if not self._bar.disable:
            self._look()
            self._bar.set_postfix_str(f"step {self._step}/{self._steps}")

    def on_result(self, result: PaintedFile) -> None:
        self._add(result.output)
        if result.status == "failed":
            self._console.log(f"left out: {result.error}")

    def _look(self) -> None:
        """Count what others have settled."""
        if self._ledger is None or time.monotonic() - self._looked < _POLL:
            return
        self._looked = time.monotonic()
        for line in self._ledger.new_lines():
            if isinstance(line.get("output"), str):
                self._add(str(self._ledger.folder / line["output"]))

    def _add(self, output: str) -> None:
        if output not in self._settled:
            self._settled.add(output)
            self._bar.update()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
