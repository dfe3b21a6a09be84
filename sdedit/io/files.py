"""Files, standard input and output: looked for, read whole, and written so that a reader sees the old or the new."""

from __future__ import annotations

import codecs
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

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
IMAGE_SUFFIXES = frozenset({".png", *JPEG_SUFFIXES, ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"})
PIPE = "-"
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


def reason(error: OSError) -> str:
    """The operating system's words for an error, in lower case and without its number."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def ends_the_work(error: Exception) -> bool:
    """Whether an error of writing, or what caused it, says that the next file would not fit on the disk either."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _DISK_IS_FULL


def exists(path: Path) -> bool:
    """Whether there is anything at a path, a broken link aside.

    Raises:
        SdeditError: if that cannot be told: a folder above is closed to us, or the name is longer than any can be.
    """
    return _look(path, path.exists)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; errors as of `exists`."""
    return _look(path, path.is_dir)


def is_file(path: Path) -> bool:
    """Whether a path is a file, no pipe and no device; errors as of `exists`."""
    return _look(path, path.is_file)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        SdeditError: if that cannot be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SdeditError(f"cannot make the folder {path}: {reason(error)}") from error


def is_empty(path: Path) -> bool:
    """Whether a file that is there has no content; errors as of `exists`."""
    return _look(path, lambda: path.stat().st_size == 0)


def _look(path: Path, question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError as error:
        raise SdeditError(f"cannot look at {path}: {reason(error)}") from error
    except ValueError as error:
        raise SdeditError(f"{str(path)!r} is no name that a file can have") from error


def _umask() -> int:
    with _UMASK_LOCK:  # it can only be read by setting it, for all threads at once
        umask = os.umask(0o077)
        os.umask(umask)
    return umask


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


def open_input(name: str) -> tuple[BinaryIO, str]:
    """A file's content, and what messages call it; "-" is standard input.

    Raises:
        SdeditError: if there is no such file, or it cannot be read.
    """
    if name == PIPE:
        return io.BytesIO(read_stdin()), "standard input"
    try:
        return io.BytesIO(Path(name).read_bytes()), name
    except FileNotFoundError as error:
        raise SdeditError(f"there is no file {name}") from error
    except OSError as error:
        raise SdeditError(f"cannot read {name}: {reason(error)}") from error


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


def decode_text(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 as Windows writes it with a byte order mark; no mark is left in it.

    Bytes that are not UTF-8 are kept as in names of files (surrogateescape).
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "surrogateescape")


def at_home(path: str, file: str) -> str:
    """A path with the home folder for its "~", which no shell puts there in a file; others as they are.

    Raises:
        SdeditError: if nothing says where home is; `file` is where the path stands.
    """
    if path != "~" and not path.startswith("~/"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise SdeditError(f"{file} has {path}, but nothing says where home is; write the whole path") from error


def read_stdin(what: str = "a picture") -> bytes:
    """All of standard input; on a terminal it is said what is waited for.

    Raises:
        SdeditError: if it is closed or cannot be read.
    """
    if sys.stdin is None:
        raise SdeditError("standard input is closed; name a file instead of -")
    try:
        if sys.stdin.isatty() and sys.stderr is not None:
            print(f"waiting for {what} on standard input; Ctrl-C ends this", file=sys.stderr, flush=True)
        return sys.stdin.buffer.read()
    except OSError as error:
        raise SdeditError(f"cannot read standard input: {reason(error)}") from error


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
