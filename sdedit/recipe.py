"""The recipe of a picture: everything needed to make it again, kept in a text chunk of its PNG file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from sdedit.errors import SdeditError

_KEY = "sdedit"


@dataclass(frozen=True)
class Recipe:
    """How a picture was painted; sigma in units of pictures in [0, 1], sizes in pixels."""

    version: str
    model: str
    checksum: str  # SHA-256 of the checkpoint file
    guide: str  # name of the guide's file, without its folder
    width: int
    height: int
    t0: float
    sigma: float
    steps: int
    sampler: str
    repeats: int
    seed: int
    precision: str
    sigma_max: float
    raw_weights: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def save_picture(picture: Image.Image, file: BinaryIO, suffix: str, recipe: Recipe) -> None:
    """Write a picture in the format of a file name's suffix; PNG files carry the recipe."""
    picture_format = Image.registered_extensions()[suffix]
    if picture_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt(_KEY, json.dumps(recipe.to_dict()))
        picture.save(file, format=picture_format, pnginfo=text)
    else:
        picture.save(file, format=picture_format, quality=95)


def read_recipe(path: Path) -> dict[str, Any] | None:
    """The recipe in a PNG file, or None if the file is no PNG.

    Raises:
        SdeditError: if the file is a PNG without a recipe, or with one that cannot be read.
    """
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            assert isinstance(picture, PngImagePlugin.PngImageFile)
            text = picture.text.get(_KEY)
    except UnidentifiedImageError:
        return None
    except (OSError, SyntaxError, ValueError) as error:
        raise SdeditError(f"{path} is damaged or not a whole picture: {error}") from error
    if text is None:
        raise SdeditError(f"{path} carries no recipe; only PNG files written by sdedit do")
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SdeditError(f"the recipe in {path} cannot be read: {error}") from error
    if not isinstance(recipe, dict):
        raise SdeditError(f"the recipe in {path} cannot be read: it is not a table")
    return recipe
