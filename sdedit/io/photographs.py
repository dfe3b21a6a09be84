"""Photographs: a folder or tar of them, read in order of their names and kept in memory as bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.io.files import IMAGE_SUFFIXES, is_file, is_folder, reason
from sdedit.io.images import open_image
from sdedit.io.tensors import to_float

Item = TypeVar("Item")
Picture = np.ndarray  # (H, W, 3) uint8; (H, W, 6) for two that belong together


def load_photographs(path: Path, shortest: int) -> tuple[list[Picture], list[str]]:
    """All images in a folder (and its subfolders) or tar archive, in the order of their names.

    Args:
        path: the folder or archive; archives are read in place, never unpacked.
        shortest: images are shrunk to this many pixels on their shorter side; smaller ones are enlarged to it.

    Returns:
        The images, (H, W, 3) uint8, and the names of the files that could not be read.

    Raises:
        SdeditError: if there is no such folder or archive, or no readable image in it.
    """
    named, bad = _load_named(path, shortest)
    return [image for _, image in named], bad


def load_pairs(photographs: Path, paintings: Path, shortest: int) -> tuple[list[Picture], list[str]]:
    """Photographs with what was painted after them, which has the same name but for its ending.

    Args:
        photographs, paintings, shortest: as in `load_photographs`.

    Returns:
        The pairs, (H, W, 6) uint8, photograph first, and the names of the paintings that could not be read or have no
        photograph of their shape.

    Raises:
        SdeditError: as `load_photographs`, and if there is no pair.
    """
    named, bad = _load_named(paintings, shortest)
    by_stem = {Path(name).stem: image for name, image in _load_named(photographs, shortest)[0]}
    pairs = []
    for name, painting in named:
        photograph = by_stem.get(Path(name).stem)
        if photograph is None or photograph.shape != painting.shape:
            bad.append(name)
        else:
            pairs.append(np.concatenate([photograph, painting], axis=2))
    if not pairs:
        raise SdeditError(f"no picture in {paintings} has the name and shape of a photograph in {photographs}")
    return pairs, bad


def _load_named(path: Path, shortest: int) -> tuple[list[tuple[str, Picture]], list[str]]:
    named, bad = [], []
    for name, file in photograph_files(path):
        try:
            image = open_image(file, name)
        except SdeditError:
            bad.append(name)
            continue
        scale = shortest / min(image.size)
        if scale != 1:
            size = tuple(max(shortest, round(side * scale)) for side in image.size)
            image = image.resize(size, Image.Resampling.LANCZOS)  # type: ignore[arg-type]
        named.append((name, np.asarray(image)))
    if not named:
        raise SdeditError(f"there is no readable picture in {path}")
    return named, bad


def photograph_files(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of the image files in a folder (and its subfolders) or tar archive, in order of name.

    Hidden files and folders are left out, such as the "._" twins that a Mac leaves on other disks and in archives.

    Raises:
        SdeditError: if it is neither.
    """
    if is_folder(path):
        for file in sorted(path.rglob("*")):
            if _is_photograph(file.relative_to(path)) and is_file(file):
                try:
                    content = io.BytesIO(file.read_bytes())
                except OSError:
                    content = io.BytesIO()  # no picture, which whoever opens it says
                yield str(file), content
        return
    try:
        with tarfile.open(path) as archive:
            members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda member: member.name)
            for member in members:
                if _is_photograph(PurePosixPath(member.name)):
                    file_in_tar = archive.extractfile(member)
                    assert file_in_tar is not None
                    yield member.name, io.BytesIO(file_in_tar.read())
    except tarfile.TarError as error:
        if is_zip(path):
            raise SdeditError(f"{path} is a zip archive; unpack it and name the folder, or pack it with tar") from error
        raise SdeditError(f"{path} is neither a folder nor a complete tar archive: {error}") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error


def is_zip(path: Path) -> bool:
    """Whether a file begins as zip archives do; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def _is_photograph(path: PurePath) -> bool:
    """By its name within its folder or archive."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not any(part.startswith(".") for part in path.parts)


def centre_squares(images: list[Picture], side: int) -> Tensor:
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


def load_squares(path: Path, side: int, limit: int | None = None) -> tuple[Tensor, list[str]]:
    """`centre_squares` of the images in a folder or tar archive, at most `limit` of them, evenly spread over all.

    Returns:
        (N, 3, side, side) float32 in [0, 1], and the names of the files that could not be read.

    Raises:
        SdeditError: as `load_photographs`.
    """
    images, bad = load_photographs(path, side)
    return centre_squares(spread(images, limit or len(images)), side), bad
