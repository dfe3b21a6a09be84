"""The image files of a folder or a tar archive, in the order of their names, and what was not taken of them."""

from __future__ import annotations

import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sdedit.errors import SdeditError
from sdedit.io.files import is_folder, open_input, reason
from sdedit.io.walk import is_left_out, is_wanted, kept_path, told_left_out, told_unreadable, walk_images


class PhotographFile(NamedTuple):
    """An image file of a folder or archive: what messages call it, its path within, and its content."""

    name: str
    relative: str
    content: BinaryIO


@dataclass
class Omitted:
    """What was not taken of folders and archives.

    Attributes:
        failed: a sentence for each image or folder that cannot be used.
        told: sentences on what is of another kind.
    """

    failed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def add(self, other: Omitted) -> None:
        self.failed += other.failed
        self.told += other.told


def photograph_files(path: Path, omitted: Omitted | None = None) -> Iterator[PhotographFile]:
    """The image files in a folder (and its subfolders) or tar archive, in order of name.

    Of an archive the folder that holds everything is left out of their paths. Which files are taken is said in
    `sdedit.io.walk`.

    Args:
        path: the folder or archive.
        omitted: takes what is not an image that is read.

    Raises:
        SdeditError: if it is neither.
    """
    omitted = Omitted() if omitted is None else omitted
    yield from _in_folder(path, omitted) if is_folder(path) else _in_archive(path, omitted)


def _in_folder(path: Path, omitted: Omitted) -> Iterator[PhotographFile]:
    found = walk_images(str(path))
    omitted.failed += [told_unreadable(folder, why) for folder, why in found.unreadable]
    if found.left_out:
        omitted.told.append(told_left_out(found.left_out))
    for relative, file in found.files:
        try:
            content = open_input(file)[0]
        except SdeditError as error:
            omitted.failed.append(str(error))
            continue
        yield PhotographFile(file, relative, content)


def _in_archive(path: Path, omitted: Omitted) -> Iterator[PhotographFile]:
    with _opened_archive(path) as archive:
        for member, relative in _members(path, archive, omitted):
            content = archive.extractfile(member)
            assert content is not None
            yield PhotographFile(member.name, relative, io.BytesIO(content.read()))


def archived_paths(path: Path, omitted: Omitted) -> dict[str, str]:
    """Of the image files in a tar archive the path within it, by their names; as `photograph_files`, but not read."""
    with _opened_archive(path) as archive:
        return {member.name: relative for member, relative in _members(path, archive, omitted)}


@contextmanager
def _opened_archive(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error) as error:
        if is_zip(path):
            raise SdeditError(f"{path} is a zip archive; unpack it and name the folder, or pack it with tar") from error
        raise SdeditError(f"{path} is neither a folder nor a complete tar archive: {error}") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error


def _members(path: Path, archive: tarfile.TarFile, omitted: Omitted) -> list[tuple[tarfile.TarInfo, str]]:
    """The image files of an archive by name, and their paths without the folder that holds them all."""
    members = sorted((member for member in archive.getmembers() if member.isfile()), key=lambda member: member.name)
    if left_out := [f"{member.name} in {path}" for member in members if is_left_out(member.name)]:
        omitted.told.append(told_left_out(left_out))
    wanted = {member: kept_path(member.name) for member in members if is_wanted(member.name)}
    shared = posixpath.commonpath([posixpath.dirname(kept) for kept in wanted.values()] or [""])
    return [(member, posixpath.relpath(kept, shared or ".")) for member, kept in wanted.items()]


def is_zip(path: Path) -> bool:
    """Whether a file begins as zip archives do; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False
