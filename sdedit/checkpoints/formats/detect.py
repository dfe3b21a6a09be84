"""What kind of checkpoint a file is, by its content; what is no checkpoint is named as what it is."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

from sdedit.errors import SdeditError
from sdedit.io.files import reason

Kind = Literal["folder", "safetensors", "torch zip", "torch legacy", "pickle"]

MOST_STRUCTURE = 8 << 20  # bytes of a pickle besides its numbers; the published ones have about one megabyte
_LEGACY_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}
_AGAIN = "download the file itself again"


def detect(path: Path) -> Kind:
    """The kind of checkpoint that a file or folder is.

    Raises:
        SdeditError: if it is none, in a sentence that says what it is instead.
    """
    try:
        if path.is_dir():
            return "folder"
        with path.open("rb") as file:
            head = file.read(1024)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise SdeditError(f"there is no file {path}") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    if size < 16:
        raise SdeditError(f"{path} is empty or nearly so; {_AGAIN}")
    if head.startswith(b"PK\x03\x04"):
        _check_zip(path, size)
        return "torch zip"
    if head.startswith(_LEGACY_TORCH):
        return "torch legacy"
    if head[0] == 0x80 and 2 <= head[1] <= 5:
        return "pickle"
    header = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{":
        if header > size - 8:
            raise SdeditError(f"{path} is a safetensors file that is damaged or cut short; {_AGAIN}")
        return "safetensors"
    raise SdeditError(f"{path} is {_what(head)}")


def _what(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer, not the checkpoint it points to; run git lfs pull, or " + _AGAIN
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")):
        return "a web page, perhaps an error or a confirmation page saved under this name; " + _AGAIN
    # A msgpack map whose first key is a string: how flax writes its checkpoints.
    short_map, long_map = 0x81 <= head[0] <= 0x8F, head[0] in (0xDE, 0xDF)
    key = head[{0xDE: 3, 0xDF: 5}.get(head[0], 1)]
    if (short_map or long_map) and (0xA0 <= key <= 0xBF or key in (0xD9, 0xDA)):
        return (
            "a checkpoint of the JAX twin of score_sde_pytorch (flax), which sdedit does not read; "
            "use the PyTorch checkpoint, whose name ends in .pth"
        )
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            return f"a {name} archive; unpack it and name the checkpoint inside"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it and name the checkpoint inside"
    return "no checkpoint that sdedit knows; sdedit models --help says what it reads"


def _check_zip(path: Path, size: int) -> None:
    """Refuse a zip that torch must not be shown: nothing packed, nothing outside, no more inside than the file holds.

    Raises:
        SdeditError: saying which it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise SdeditError(f"{path} is damaged or cut short; {_AGAIN}") from error
    for entry in entries:
        name = entry.filename
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name or ":" in name:
            raise SdeditError(f"{path} holds an entry named {name[:80]!r}, outside the archive; it may be hostile")
    # torch writes its archives unpacked, so that they can be mapped.
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        if any(entry.file_size > 100 * max(entry.compress_size, 1) for entry in entries):
            raise SdeditError(f"{path} is a zip bomb: it unpacks to far more than it holds; delete it")
        raise SdeditError(f"{path} is a packed zip archive, not a checkpoint; unpack it and name the checkpoint inside")
    if sum(entry.file_size for entry in entries) > size:
        raise SdeditError(f"{path} is a zip bomb: its entries share their bytes; delete it")
    structure = [entry.file_size for entry in entries if PurePosixPath(entry.filename).name == "data.pkl"]
    if len(structure) != 1:
        raise SdeditError(f"{path} is a zip archive, not a checkpoint; unpack it and name the checkpoint inside")
    if structure[0] > MOST_STRUCTURE:
        raise SdeditError(f"{path} has more structure than any checkpoint; it may be hostile")
