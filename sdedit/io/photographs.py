"""Photographs: a folder or tar of them, read in order of their names and kept in memory as bytes."""

from __future__ import annotations

import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.io.files import is_folder, open_input, reason
from sdedit.io.images import open_image, working_size
from sdedit.io.tensors import to_float
from sdedit.io.walk import is_left_out, is_wanted, kept_path, told_left_out, told_unreadable, walk_images

Item = TypeVar("Item")
Pixels = np.ndarray  # (H, W, 3) uint8; (H, W, 6) for two that belong together


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


def load_photographs(path: Path, shortest: int | None = None) -> tuple[list[Pixels], Omitted]:
    """All images in a folder (and its subfolders) or tar archive, in the order of their names.

    Args:
        path: the folder or archive; archives are read in place, never unpacked.
        shortest: images are shrunk to this many pixels on their shorter side, and smaller ones enlarged to it; None
            leaves them as they are.

    Returns:
        The images, (H, W, 3) uint8, and what was not taken.

    Raises:
        SdeditError: if there is no such folder or archive, or no readable image in it.
    """
    named, omitted = _load_named(path, shortest)
    return [image for _, image in named], omitted


def load_pairs(photographs: Path, paintings: Path) -> tuple[list[Pixels], Omitted]:
    """Photographs with what was painted after them, which has the same path but for its ending.

    A painting may be smaller, as one is that was painted after strokes of a shrunk photograph: the photograph is then
    shrunk alike.

    Args:
        photographs, paintings: as in `load_photographs`.

    Returns:
        The pairs, (H, W, 6) uint8, photograph first, and what could not be read or has no twin of its shape.

    Raises:
        SdeditError: as `load_photographs`, and if there is no pair.
    """
    named, omitted = _load_named(paintings, None)
    of_photographs, more = _load_named(photographs, None)
    omitted.add(more)
    by_path = dict(of_photographs)
    by_stem = {_stem(relative): image for relative, image in of_photographs}
    pairs = []
    for relative, painting in named:
        # Where a.png lies beside a.jpg, what is painted after the latter is a.jpg.png.
        photograph = by_path.get(_stem(relative), by_stem.get(_stem(relative)))
        if photograph is not None and min(painting.shape[:2]) < min(photograph.shape[:2]):
            photograph = resized(photograph, min(painting.shape[:2]))
        if photograph is None or photograph.shape != painting.shape:
            omitted.failed.append(f"{relative} in {paintings} has no photograph of its name and shape in {photographs}")
        else:
            pairs.append(np.concatenate([photograph, painting], axis=2))
    if not pairs:
        raise SdeditError(f"no image in {paintings} has the name and shape of a photograph in {photographs}")
    return pairs, omitted


def resized(image: Pixels, shortest: int) -> Pixels:
    """An image, or two in one, with this many pixels on its shorter side; itself if it has them."""
    height, width = image.shape[:2]
    scale = shortest / min(height, width)
    if scale == 1:
        return image
    size = max(shortest, round(width * scale)), max(shortest, round(height * scale))
    parts = [image[:, :, first : first + 3] for first in range(0, image.shape[2], 3)]
    return np.concatenate([Image.fromarray(part).resize(size, Image.Resampling.LANCZOS) for part in parts], axis=2)


def _stem(relative: str) -> str:
    return posixpath.splitext(relative)[0]


def _load_named(path: Path, shortest: int | None) -> tuple[list[tuple[str, Pixels]], Omitted]:
    """Images by their paths within a folder or archive."""
    omitted = Omitted()

    def read(file: PhotographFile) -> Pixels | SdeditError:
        try:
            image = open_image(file.content, file.name)
            if shortest is not None:
                working_size(image.size, shortest)
            pixels = np.asarray(image)
            return pixels if shortest is None else resized(pixels, shortest)
        except SdeditError as error:
            return error
        except ValueError as error:
            return SdeditError(f"{file.name}: {error}")

    named: list[tuple[str, Pixels]] = []
    with ThreadPoolExecutor() as threads:  # files are decoded without Python's lock
        files = photograph_files(path, omitted)
        for relative, result in threads.map(lambda file: (file.relative, read(file)), files):
            if isinstance(result, SdeditError):
                omitted.failed.append(" ".join(str(result).split()))
            else:
                named.append((relative, result))
    if not named:
        why = f": {omitted.failed[0]}" if omitted.failed else ""
        raise SdeditError(f"there is no readable image in {path}{why}")
    return named, omitted


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


def centre_squares(images: list[Pixels], side: int) -> Tensor:
    """The largest centred square of each image, shrunk to (N, 3, side, side) float32 in [0, 1]."""
    squares = []
    for image in images:
        short = min(image.shape[:2])
        top, left = (image.shape[0] - short) // 2, (image.shape[1] - short) // 2
        square = Image.fromarray(image[top : top + short, left : left + short])
        squares.append(np.asarray(square.resize((side, side), Image.Resampling.LANCZOS)))
    return to_float(np.stack(squares))


def spread(images: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` of the images, evenly spread over all: in the order of their names, neighbours are alike."""
    count = min(limit, len(images))
    return [images[index * len(images) // count] for index in range(count)]


def load_squares(path: Path, side: int, limit: int | None = None) -> tuple[Tensor, Omitted]:
    """`centre_squares` of the images in a folder or tar archive, at most `limit` of them, evenly spread over all.

    Returns:
        (N, 3, side, side) float32 in [0, 1], and what was not taken.

    Raises:
        SdeditError: as `load_photographs`.
    """
    images, omitted = load_photographs(path, side)
    return centre_squares(spread(images, limit or len(images)), side), omitted
