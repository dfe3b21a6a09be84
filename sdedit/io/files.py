"""Files and standard input, looked for and read whole. `sdedit.io.writing` writes."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sdedit.errors import SdeditError

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
IMAGE_SUFFIXES = frozenset({".png", *JPEG_SUFFIXES, ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"})
PIPE = "-"


def reason(error: OSError) -> str:
    """The operating system's words for an error, in lower case and without its number."""
    return (error.strerror or str(error) or type(error).__name__).lower()


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


def read_stdin(what: str = "an image") -> bytes:
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
