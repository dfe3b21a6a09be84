"""Guides: what the network is given for one image, read from a file."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.files import read_stdin, reason
from sdedit.io.images import Size, SlimError, claimed_pixels, fit_guide, open_image, working_size
from sdedit.io.recipe import LayerRecipe

_LARGE = 32 << 20  # bytes of file and pixels of image, from which guides are read one at a time
_LARGE_TURN = threading.Lock()

Finish = Callable[[Image.Image, str], tuple[Image.Image, dict[str, Any]]]  # painted, suffix -> image, its metadata


@dataclass(frozen=True)
class Guide:
    """What the network is given for one image: a guide as read, or at the size it is painted at.

    Attributes:
        image: RGB.
        path: of its file, or of the image that is edited.
        checksum: SHA-256 of that file.
        mask: (H, W) float32 in [0, 1], where it may change; None for all of it.
        layers: what was laid over it, of an edit or a composite.
        finish: makes the image to write of what was painted; None if that is it.
        notes: what a user should know of it.
        original: width and height before it was brought to its size; None if that did not change.
    """

    image: Image.Image
    path: str
    checksum: str
    mask: np.ndarray | None = None
    layers: LayerRecipe | None = None
    finish: Finish | None = None
    notes: tuple[str, ...] = ()
    original: tuple[int, int] | None = None

    def at(self, size: Size) -> Guide:
        """The guide at the size it is painted at.

        Raises:
            SdeditError: if it cannot be painted at that size.
        """
        try:
            fitted = fit_guide(self.image, working_size(self.image.size, size))
        except SlimError as error:
            raise SdeditError(f"{self.path}: {error}, or say both sides with --size WIDTHxHEIGHT") from error
        except ValueError as error:
            raise SdeditError(f"{self.path}: {error}") from error
        return replace(self, image=fitted, original=None if fitted.size == self.image.size else self.image.size)


def read_guide(path: str, background: str, size: Size | None = None) -> Guide:
    """Read a guide file, "-" for standard input, and fit it to a size, if one is given.

    Raises:
        SdeditError: if it is no whole image, or cannot be painted at that size.
    """
    name = "standard input" if path == "-" else path
    try:
        large = path != "-" and os.stat(path).st_size > _LARGE  # noqa: PTH116
        data = read_stdin() if path == "-" else Path(path).read_bytes()
        with _LARGE_TURN if large or claimed_pixels(data) > _LARGE else nullcontext():
            guide = open_guide(data, path, name, background)
            return guide if size is None else guide.at(size)
    except FileNotFoundError as error:
        raise SdeditError(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise SdeditError(f"{path} is a folder") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except MemoryError as error:
        raise SdeditError(f"{name} does not fit into memory; shrink it first") from error


def open_guide(data: bytes, path: str, name: str, background: str) -> Guide:
    """The guide in the bytes of an image file.

    Args:
        data: the file's content.
        path: of the file.
        name: what messages call it.
        background: colour under its transparent parts.

    Raises:
        SdeditError: if it is no whole image.
    """
    image = open_image(io.BytesIO(data), name, background)
    return Guide(image, path, hashlib.sha256(data).hexdigest())
