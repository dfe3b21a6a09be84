"""Files and standard output, written so that a reader sees the old file or the new, and never a part."""

from __future__ import annotations

import csv
import errno
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from sdedit.errors import SdeditError
from sdedit.io.files import reason

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"
_NAME_KEPT = 40  # characters of a file's name in that of its temporary file, which may have at most 255 bytes
_ABANDONED_AFTER = 3600  # seconds; only where files cannot be locked
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_UMASK_LOCK = threading.Lock()


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Give `write` a temporary file beside `path`, then rename it into place once it is safely on disk.

    The temporary file is locked while its process lives, so that `remove_abandoned_parts` knows it from one whose
    process was killed.

    Raises:
        SdeditError: if the folder is missing, cannot be written, or the disk is full; no part is left behind.
    """
    try:
        if path.is_symlink():
            path = Path(os.path.realpath(path))  # what the link points to is written, and the link stays
        descriptor, temporary, lock = _locked_part(path)
    except OSError as error:
        raise SdeditError(f"cannot write in {path.parent}: {reason(error)}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; give this one what an ordinary new file gets.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SdeditError(f"cannot write {path}: {reason(error)}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def write_output(output: Path | None, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all; None is standard output.

    Raises:
        SdeditError: if it cannot be written.
    """
    if output is not None:
        write_atomically(output, write)
        return
    data = io.BytesIO()
    write(data)
    write_stdout(data.getvalue())


def write_stdout(data: bytes) -> None:
    """Write to standard output.

    Raises:
        SdeditError: if it is closed, or the disk behind it is full.
        BrokenPipeError: if its reader went away.
    """
    if sys.stdout is None:
        raise SdeditError("standard output is closed; name a file with --output")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SdeditError(f"cannot write to standard output: {reason(error)}") from error


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV, numbers with six digits.

    Raises:
        SdeditError: if the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        SdeditError: if that cannot be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SdeditError(f"cannot make the folder {path}: {reason(error)}") from error


def remove_abandoned_parts(folder: Path) -> int:
    """Remove the temporary files that killed processes left in a folder and those below it; says how many.

    Files that a living process is writing stay, on this machine and on others that share the disk. Where files
    cannot be locked, those younger than an hour stay.
    """
    removed = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(_SUFFIX):
                with suppress(OSError):
                    removed += _remove_if_abandoned(os.path.join(place, name))  # noqa: PTH118
    return removed


def ends_the_work(error: Exception) -> bool:
    """Whether an error of writing, or what caused it, says that the next file would not fit on the disk either."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _DISK_IS_FULL


def _locked_part(path: Path) -> tuple[int, Path, int | None]:
    """A new temporary file beside `path`: its descriptor, its name, and a second descriptor that holds its lock."""
    prefix = f".{path.name[:_NAME_KEPT]}."
    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=path.parent)
        lock = os.dup(descriptor)
        if not _lock(lock):
            os.close(lock)
            return descriptor, Path(name), None
        if Path(name).exists():
            return descriptor, Path(name), lock
        # Another process took it for abandoned before it was locked.
        os.close(descriptor)
        os.close(lock)


def _lock(descriptor: int, wait: bool = True) -> bool:
    """Lock an open file; False if this file system or machine has no locks, or another process holds it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if not wait and isinstance(error, BlockingIOError):
            raise
        return False
    return True


def _remove_if_abandoned(name: str) -> bool:
    descriptor = os.open(name, os.O_RDWR)
    try:
        old = time.time() - os.fstat(descriptor).st_mtime > _ABANDONED_AFTER
        abandoned = _lock(descriptor, wait=False) or old
        if abandoned:
            Path(name).unlink()
        return abandoned
    finally:
        os.close(descriptor)


def _umask() -> int:
    with _UMASK_LOCK:  # it can only be read by setting it, for all threads at once
        umask = os.umask(0o077)
        os.umask(umask)
    return umask
