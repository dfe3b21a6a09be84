"""Photographs: a folder or tar of them, read in order of their names and kept in memory as bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def load_photographs(path: Path, shortest: int | None = None) -> tuple[list[Picture], list[str]]:
    """All images in a folder (and its subfolders) or tar archive, in the order of their names.

    Args:
        path: the folder or archive; archives are read in place, never unpacked.
        shortest: images are shrunk to this many pixels on their shorter side, and smaller ones enlarged to it; None
            leaves them as they are.

    Returns:
        The images, (H, W, 3) uint8, and the names of the files that could not be read.

    Raises:
        SdeditError: if there is no such folder or archive, or no readable image in it.
    """
    named, bad = _load_named(path, shortest)
    return [image for _, image in named], bad


def load_pairs(photographs: Path, paintings: Path) -> tuple[list[Picture], list[str]]:
    """Photographs with what was painted after them, which has the same name but for its ending.

    A painting may be smaller, as one is that was painted after strokes of a shrunk photograph: the photograph is then
    shrunk alike.

    Args:
        photographs, paintings: as in `load_photographs`.

    Returns:
        The pairs, (H, W, 6) uint8, photograph first, and the names of the paintings that could not be read or have no
        photograph of their shape.

    Raises:
        SdeditError: as `load_photographs`, and if there is no pair.
    """
    named, bad = _load_named(paintings, None)
    by_stem = {Path(name).stem: image for name, image in _load_named(photographs, None)[0]}
    pairs = []
    for name, painting in named:
        photograph = by_stem.get(Path(name).stem)
        if photograph is not None and min(painting.shape[:2]) < min(photograph.shape[:2]):
            photograph = resized(photograph, min(painting.shape[:2]))
        if photograph is None or photograph.shape != painting.shape:
            bad.append(name)
        else:
            pairs.append(np.concatenate([photograph, painting], axis=2))
    if not pairs:
        raise SdeditError(f"no picture in {paintings} has the name and shape of a photograph in {photographs}")
    return pairs, bad


def resized(image: Picture, shortest: int) -> Picture:
    """A image, or two in one, with this many pixels on its shorter side; itself if it has them."""
    height, width = image.shape[:2]
    scale = shortest / min(height, width)
    if scale == 1:
        return image
    size = max(shortest, round(width * scale)), max(shortest, round(height * scale))
    parts = [image[:, :, first : first + 3] for first in range(0, image.shape[2], 3)]
    return np.concatenate([Image.fromarray(part).resize(size, Image.Resampling.LANCZOS) for part in parts], axis=2)


def _load_named(path: Path, shortest: int | None) -> tuple[list[tuple[str, Picture]], list[str]]:
    def read(item: tuple[str, BinaryIO]) -> tuple[str, Picture | None]:
        name, file = item
        try:
            image = np.asarray(open_image(file, name))
        except SdeditError:
            return name, None
        return name, image if shortest is None else resized(image, shortest)

    with ThreadPoolExecutor() as threads:  # files are decoded without Python's lock
        results = list(threads.map(read, photograph_files(path)))
    named = [(name, image) for name, image in results if image is not None]
    if not named:
        raise SdeditError(f"there is no readable picture in {path}")
    return named, [name for name, image in results if image is None]


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
