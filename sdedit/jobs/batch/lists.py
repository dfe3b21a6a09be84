"""Lists of guides: the paths in a text file, as people, `find` and PowerShell write them."""

from __future__ import annotations

import codecs
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.io.files import PIPE, at_home, decode_text, read_stdin, reason


def read_list(name: str | None) -> list[str]:
    """Paths from a list file, "-" for standard input; none without one.

    Raises:
        SdeditError: if it cannot be read.
    """
    if name is None:
        return []
    if name == PIPE:
        return parse_list(read_stdin("a list"), "standard input")
    try:
        return parse_list(Path(name).read_bytes(), name)
    except OSError as error:
        raise SdeditError(f"cannot read the list {name}: {reason(error)}") from error


def parse_list(data: bytes, name: str = "the list") -> list[str]:
    """Paths from a list: one per line, or separated by zero bytes as `find -print0` writes them.

    The text is UTF-8, with or without a byte order mark, or UTF-16 as PowerShell writes it. "~/" is the home folder.

    Raises:
        SdeditError: if it is no text, or nothing says where home is; `name` is what the sentence calls it.
    """
    if _is_unmarked_utf16(data):
        data = codecs.BOM_UTF16_LE + data
    text = decode_text(data)
    if any(character < " " and character not in "\t\n\r\0" for character in text):
        raise SdeditError(f"{name} is no list but binary data; a list is a text file with one path a line")
    parts = text.split("\0") if "\0" in text else text.splitlines()
    return [at_home(part, name) for part in parts if part.strip()]


def _is_unmarked_utf16(data: bytes) -> bool:
    """Whether every second byte is zero, between the lines too, as in no list of `find -print0`."""
    return len(data) % 2 == 0 and b"\n\0" in data and not any(data[1::2])
