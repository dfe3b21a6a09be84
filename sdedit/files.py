"""Writing files so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sdedit.errors import SdeditError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Give `write` a temporary file beside `path`, then rename it into place once it is safely on disk.

    Raises:
        SdeditError: if the folder is missing, cannot be written, or the disk is full; no part is left behind.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise SdeditError(f"cannot write in {path.parent}: {reason(error)}") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; give this one what an ordinary new file gets.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SdeditError(f"cannot write {path}: {reason(error)}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def reason(error: OSError) -> str:
    """The operating system's words for an error, in lower case and without its number."""
    return (error.strerror or str(error) or type(error).__name__).lower()
