"""The installed command, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., subprocess.CompletedProcess]
SDEDIT = str(Path(sys.executable).parent / "sdedit")


def fails_in_one_sentence(result: subprocess.CompletedProcess, *words: str) -> None:
    """Assert that a run failed with a single line on standard error that has these words, and nothing else."""
    error = result.stderr.decode()
    assert result.returncode not in (0, None), error
    assert result.stdout == b""
    assert error.count("\n") == 1, error
    assert error.startswith("sdedit: "), error
    assert "Traceback" not in error
    for word in words:
        assert word in error, error


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
