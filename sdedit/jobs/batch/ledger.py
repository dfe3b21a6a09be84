"""The ledger of a folder of images, `sdedit.jsonl`: one line of JSON for each image painted or given up.

Lines have the keys input, output (relative to the folder, with "/"), recipe, seconds and error. Of several lines for
one output the last counts. The line {"seed": S} says which seed the folder's images derive theirs from where none
was asked for. Every process appends whole lines, so that any number of them can share a folder; a line torn by a full
disk is skipped by readers. The images themselves say what is done: the ledger can be rebuilt from them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

from sdedit.errors import SdeditError
from sdedit.io.files import is_folder, reason
from sdedit.io.recipe import read_recipe
from sdedit.io.writing import write_atomically
from sdedit.jobs.options import FORMATS, draw_seed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LEDGER_NAME = "sdedit.jsonl"


class Ledger:
    """The ledger of a folder; one that is `nameless` records no image, neither guide nor model."""

    def __init__(self, folder: Path, nameless: bool = False) -> None:
        self.folder = folder
        self.nameless = nameless
        self.path = folder / LEDGER_NAME
        self._offset = 0

    def append(self, line: dict[str, Any]) -> None:
        """Add a line with one write, which no other process can come between.

        Raises:
            SdeditError: if the folder cannot be written or the disk is full.
        """
        data = json.dumps(line).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                if fcntl is not None:
                    with suppress(OSError):  # some network disks have no locks; appending is whole there mostly
                        fcntl.lockf(descriptor, fcntl.LOCK_EX)
                size = os.fstat(descriptor).st_size
                os.lseek(descriptor, max(size - 1, 0), os.SEEK_SET)
                if os.read(descriptor, 1) not in (b"", b"\n"):
                    data = b"\n" + data  # the last line is torn
                if os.write(descriptor, data) != len(data):
                    raise OSError(None, "no space left on device")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SdeditError(f"cannot write {self.path}: {reason(error)}") from error

    def add(
        self, source: str, output: Path, recipe: dict[str, Any] | None, seconds: float | None, error: str | None
    ) -> None:
        """Record an image.

        Raises:
            SdeditError: as `append`.
        """
        if self.nameless:
            return
        name = output.relative_to(self.folder).as_posix()
        self.append({"input": source, "output": name, "recipe": recipe, "seconds": seconds, "error": error})

    def new_lines(self) -> Iterator[dict[str, Any]]:
        """The whole lines that came since the last call of this method, by any process; all of them at the first.

        Raises:
            SdeditError: if the ledger is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    with suppress(ValueError, RecursionError):
                        content = json.loads(line)
                        if isinstance(content, dict):
                            yield content
        except FileNotFoundError:
            return
        except OSError as error:
            raise SdeditError(f"cannot read {self.path}: {reason(error)}") from error

    def claim_seed(self) -> int:
        """The seed of the folder where none was asked for: drawn once, and then the same for every process and run.

        Each process without one offers its own; the line that came first counts.
        """
        offered = False
        while True:
            for line in Ledger(self.folder).new_lines():
                seed = line.get("seed")
                if isinstance(seed, int):
                    return seed
            if offered:
                raise SdeditError(f"cannot read back {self.path}; choose a seed with --seed")
            self.append({"seed": draw_seed()})
            offered = True


def rebuild_ledger(folder: Path) -> int:
    """Write a folder's ledger anew from the recipes in its images, and say how many there are.

    What no image holds (whole path of the guide, seconds, errors) is taken from the old ledger where it has it.

    Raises:
        SdeditError: if the folder cannot be read or written.
    """
    if not is_folder(folder):
        raise SdeditError(f"there is no folder {folder}")
    ledger = Ledger(folder)
    seed: int | None = None
    known: dict[str, dict[str, Any]] = {}
    for line in ledger.new_lines():
        if isinstance(line.get("output"), str):
            known[line["output"]] = line
        elif seed is None:
            seed = line.get("seed")
    lines = []
    for path in sorted(path for suffix in FORMATS for path in folder.rglob(f"*.{suffix}")):
        try:
            recipe = None if path.name.startswith(".") else read_recipe(path)
        except SdeditError:  # not one of ours
            continue
        if recipe is None:
            continue
        output = path.relative_to(folder).as_posix()
        old = known.pop(output, {})
        source = PurePath(output).with_name(str(recipe.get("guide"))).as_posix()
        line = {"input": source, "output": output, "recipe": recipe, "seconds": None, "error": None}
        if old.get("recipe") == recipe:
            line |= {"input": old.get("input", source), "seconds": old.get("seconds")}
        if seed is None and isinstance(recipe.get("folder_seed"), int):
            seed = recipe["folder_seed"]
        lines.append(line)
    failed = [line for line in known.values() if line.get("error")]
    header = [] if seed is None else [{"seed": seed}]
    data = "".join(json.dumps(line) + "\n" for line in [*header, *lines, *failed]).encode()
    write_atomically(ledger.path, lambda file: file.write(data))
    return len(lines)
