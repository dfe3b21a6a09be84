"""One image of a job: the task, and its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sdedit.errors import SomeFailedError

_MOST_LISTED = 50


@dataclass(frozen=True)
class Task:
    """One image to paint; `output` None stands for standard output."""

    path: str
    output: Path | None
    seed: int
    folder_seed: int | None = None


@dataclass(frozen=True)
class PaintedFile:
    """The result of one image of a job.

    Attributes:
        input: file of the guide, "-" for standard input.
        output: file of the image, "-" for standard output.
        status: "painted"; "skipped", where it was done before; or "failed".
        recipe: how it was painted, as `Recipe.to_dict` gives it; None where it failed.
        seconds: its share of its batch's time in the network, where it was painted now.
        error: a sentence that says why it failed.
    """

    input: str
    output: str
    status: Literal["painted", "skipped", "failed"]
    recipe: dict[str, Any] | None = None
    seconds: float | None = None
    error: str | None = None

    @classmethod
    def failure(cls, task: Task, error: str) -> PaintedFile:
        return cls(task.path, str(task.output or "-"), "failed", error=" ".join(error.split()))

    def to_json(self) -> str:
        """One line: the fields, with those of the recipe among them."""
        facts = {"input": self.input, "output": self.output, "status": self.status, "seconds": self.seconds}
        return json.dumps({**facts, "error": self.error, **(self.recipe or {})})


class Tally:
    """Counts what became of the images of a job, and tells it at the end."""

    def __init__(self) -> None:
        self._counts = {"painted": 0, "skipped": 0, "failed": 0}
        self._failures: list[str] = []

    def add(self, result: PaintedFile) -> None:
        self._counts[result.status] += 1
        if result.status == "failed" and len(self._failures) < _MOST_LISTED:
            self._failures.append(str(result.error))

    def summary(self) -> str:
        counts = self._counts
        return f"{counts['painted']} painted, {counts['skipped']} done before, {counts['failed']} failed"

    def raise_for_failures(self, output: Path, say: Callable[[str], object]) -> None:
        """List the failures, if there are any, and raise.

        Raises:
            SomeFailedError: if there are.
        """
        failed = self._counts["failed"]
        if not failed:
            return
        for line in self._failures:
            say(f"  {line}")
        if failed > len(self._failures):
            say(f"  and {failed - len(self._failures)} more")
        raise SomeFailedError(
            f"{failed} of {sum(self._counts.values())} could not be painted; they are listed above and in "
            f"{output / 'sdedit.jsonl'}"
        )


@dataclass(frozen=True)
class RetouchedFile:
    """One image that was painted and written, and how."""

    output: str
    recipe: dict[str, Any]

    def to_json(self) -> str:
        return json.dumps({"output": self.output, **self.recipe})
