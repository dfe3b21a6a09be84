"""Another program in a process of its own, timed by turns with this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Peer:
    """A process that has said what it is, a table of JSON, and is timed once for each line it is written.

    Attributes:
        facts: what it said.
    """

    def __init__(self, process: subprocess.Popen[str], facts: dict[str, Any]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests, self._answers = process.stdin, process.stdout
        self.facts = facts

    def run(self) -> float:
        """Have it work, and return the seconds that it took."""
        self._requests.write("\n")
        self._requests.flush()
        return float(self._answers.readline())


@contextmanager
def peer(module: str, *arguments: object) -> Iterator[Peer | None]:
    """Run `python -m MODULE ARGUMENTS` while the block lasts; None if it ends before it says anything."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            yield Peer(process, json.loads(line)) if line else None
        finally:
            process.kill()
