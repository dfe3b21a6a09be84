"""What the tests of folders share: many small guides, and a comparison of whole folders."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from conftest import SDEDIT, blocks_picture

SHAPES = [(24, 20), (20, 24), (24, 24), (40, 20)]


def make_guides(folder: Path, count: int) -> Path:
    """Guides of four shapes, in three folders."""
    for number in range(count):
        place = folder / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        blocks_picture(*SHAPES[number % 7 % 4]).save(place / f"{number:03}.png")
    return folder


def pictures(folder: Path) -> dict[str, bytes]:
    """Every file in a folder but the ledger, temporary files too."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "sdedit.jsonl"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def start(*words: object, **options: object) -> subprocess.Popen:
    """The command `sdedit paint` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [SDEDIT, "paint", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, **options)  # type: ignore[call-overload]


def wait_for_growth(ledger: Path, process: subprocess.Popen, size: int) -> bool:
    """Wait until a ledger is longer than `size` bytes; False if the process ended before."""
    while process.poll() is None:
        if ledger.exists() and ledger.stat().st_size > size:
            return True
        time.sleep(0.005)
    return False
