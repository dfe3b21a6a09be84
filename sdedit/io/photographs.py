"""Photographs of a folder or a tar archive, read in the order of their names and kept in memory as bytes."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.io.images import open_image, working_size
from sdedit.io.photograph_files import Omitted, PhotographFile, photograph_files
from sdedit.io.tensors import to_float

Item = TypeVar("Item")
Pixels = np.ndarray  # (H, W, 3) uint8; (H, W, 6) for two that belong together


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
