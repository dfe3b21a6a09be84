"""The command, in this process and in processes of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from sdedit.cli import main

Command = Callable[..., subprocess.CompletedProcess]
SDEDIT = str(Path(sys.executable).parent / "sdedit")


def run_here(
    words: Sequence[str],
    folder: Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    anew: Sequence[str] = (),
) -> subprocess.CompletedProcess:
    """Run the command in this process, which has torch loaded already: its entry point, words, streams and exit code.

    What a process of its own would show besides is how the modules are imported, and what becomes of real files behind
    the streams; of signals too. Tests of those take one.

    Args:
        words: what follows `sdedit`.
        folder: to run it in.
        stdin: what is on standard input.
        environment: variables beside those there are.
        anew: packages that read the environment when they are imported, and so are imported again.
    """
    streams = {name: io.TextIOWrapper(io.BytesIO(), write_through=True) for name in ("stdout", "stderr")}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["sdedit", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        patch.setenv("GOMP_SPINCOUNT", "1000")  # which the command would leave in this process
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        _show_warnings_as_python_does()
        with _forgotten(anew):
            code = _exit_code()
    output, error = (stream.buffer.getvalue() for stream in streams.values())  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(["sdedit", *words], code, output, error)


@contextmanager
def _forgotten(packages: Sequence[str]) -> Iterator[None]:
    """Within the block these packages have not been imported yet; after it they are as they were."""

    def take_out() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in packages}

    before = take_out()
    try:
        yield
    finally:
        take_out()
        sys.modules.update(before)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _show_warnings_as_python_does() -> None:
    """On standard error, where a test of what is said sees them; pytest would collect them."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))

    warnings.showwarning = show  # type: ignore[assignment]
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


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
