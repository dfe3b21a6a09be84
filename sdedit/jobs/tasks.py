"""One image of a job: what is to be made, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sdedit.errors import SomeFailedError

_MOST_LISTED = 50


@dataclass(frozen=True)
class Task:
    """One image to make of a guide.

    Attributes:
        path: file of the guide, "-" for standard input.
        output: file to write; None for standard output.
        seed: of its noise.
        folder_seed: what the seed was derived from, in a folder.
        relative: the guide's path within its folder, by which its layers are found.
    """

    path: str
    output: Path | None
    seed: int
    folder_seed: int | None = None
    relative: str = ""


@dataclass(frozen=True)
class PaintedFile:
    """The result of one image of a job.

    Attributes:
        input: file of the guide, "-" for standard input.
        output: file of the image, "-" for standard output.
        status: "painted"; "skipped", where it was done before or is kept; or "failed".
        recipe: how it was painted, as `Recipe.to_dict` gives it; None where it failed.
        seconds: its share of its batch's time in the network, where it was painted now.
        error: a sentence that says why it failed.
        reason: of a skipped one that is not what was asked for, how it was made instead; None of one that was done.
    """

    input: str
    output: str
    status: Literal["painted", "skipped", "failed"]
    recipe: dict[str, Any] | None = None
    seconds: float | None = None
    error: str | None = None
    reason: str | None = None

    @classmethod
    def failure(cls, task: Task, error: str) -> PaintedFile:
        """That of a task which failed; `error` says why."""
        return cls(task.path, str(task.output or "-"), "failed", error=" ".join(error.split()))

    def to_json(self) -> str:
        """One line: the fields, with those of the recipe among them."""
        facts = {"input": self.input, "output": self.output, "status": self.status, "seconds": self.seconds}
        return json.dumps({**facts, "error": self.error, "reason": self.reason, **(self.recipe or {})})


def listed(sentences: Sequence[str], count: int) -> list[str]:
    """The first sentences of `count`, at most 50, and how many more there are."""
    shown = sentences[:_MOST_LISTED]
    return [*shown, *([f"and {count - len(shown)} more"] if count > len(shown) else [])]


class Tally:
    """Counts what became of the images of a job, and tells it at the end."""

    def __init__(self, verb: str = "painted") -> None:
        self._verb = verb
        self._counts = {"painted": 0, "skipped": 0, "kept": 0, "failed": 0}
        self._failures: list[str] = []
        self._reason: str | None = None  # of the first that is kept

    def add(self, result: PaintedFile) -> None:
        self._counts["kept" if result.reason else result.status] += 1
        self._reason = self._reason or result.reason
        if result.status == "failed" and len(self._failures) < _MOST_LISTED:
            self._failures.append(str(result.error))

    @property
    def counts(self) -> dict[str, int]:
        """How many images came to which end: painted, skipped, kept, failed."""
        return dict(self._counts)

    def take_whole(self, counts: dict[str, int]) -> None:
        """Tell from now on of the images of all processes of a job."""
        self._counts = dict(counts)

    def summary(self) -> str:
        counts = self._counts
        kept = f"{counts['kept']} kept, " if counts["kept"] else ""
        return f"{counts['painted']} {self._verb}, {counts['skipped']} done before, {kept}{counts['failed']} failed"

    def failures(self) -> list[str]:
        """Why images failed, a line each, at most 50 of them."""
        return listed(self._failures, self._counts["failed"])

    def raise_for_failures(self, ledger: Path | None) -> None:
        """Raise if some images are not what was asked for; `ledger` is the file that lists them, too.

        Raises:
            SomeFailedError: if so; it says where failures are listed, and how kept images can be replaced.
        """
        total, failed, kept = sum(self._counts.values()), self._counts["failed"], self._counts["kept"]
        sentences = []
        if failed:
            place = "" if ledger is None else f" and in {ledger}"
            what = "it is" if failed == 1 else "they are"
            sentences.append(f"{failed} of {total} could not be {self._verb}; {what} listed above{place}")
        if kept:
            reason = self._reason or "it was made otherwise"
            words = "is kept," if kept == 1 else "are kept, the first"
            sentences.append(
                f"{kept} of {total} {words} since {reason}; add --overwrite to replace what is there, or name "
                "another folder"
            )
        if sentences:
            raise SomeFailedError("; ".join(sentences))
