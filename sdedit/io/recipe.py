"""The recipe of an image: everything needed to make it again, kept in a text chunk of its PNG file."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from sdedit.errors import SdeditError
from sdedit.io.files import reason

_KEY = "sdedit"
_PNG_END = b"IEND\xaeB`\x82"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "int | None": (int, type(None)),
}


@cache
def package_version() -> str:
    """The version of sdedit that is installed."""
    return version("sdedit")


@dataclass(frozen=True)
class Recipe:
    """How an image was painted; sigma in units of images in [0, 1], sizes in pixels."""

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
    seed: int  # of this image's noise
    precision: str
    sigma_max: float
    raw_weights: bool
    grid: str = "uniform"
    passes: int = 1
    background: str = "white"
    guide_checksum: str = ""  # SHA-256 of the guide's file
    model_source: str = ""  # what the model was asked for by: a name, a file, a place on the hub
    device: str = "cpu"  # its type, without a number
    batch: int = 1  # images that went through the network together; it decides the last bits of rounding
    folder_seed: int | None = None  # the seed of a whole folder that `seed` was derived from

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe in a mapping as `read_recipe` gives it; fields unknown to this version are left out.

        Raises:
            ValueError: if a field is missing or has a value of another kind.
        """
        known: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in values:
                if field.default is MISSING:
                    raise ValueError(f"it has no {field.name}")
                continue
            value = values[field.name]
            kinds = _TYPES[str(field.type)]
            if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
                raise ValueError(f"its {field.name} is {value!r}")
            known[field.name] = value
        return cls(**known)


@dataclass(frozen=True, kw_only=True)
class RetouchRecipe(Recipe):
    """How an image was edited or composited; `guide` is the image, width and height those of the region painted."""

    task: str  # "edit" or "composite"
    layer: str  # name of the file of strokes, or of the patch
    mask: str  # name of the mask's file; empty if it was found
    invert_mask: bool
    region: tuple[int, int, int, int]  # left, top, right, bottom in the image, pixels
    context: float
    grow: float | None
    feather: float | None
    at: tuple[int, int] | None = None
    scale: float | None = None


def save_image(image: Image.Image, file: BinaryIO, suffix: str, recipe: Recipe, **metadata: Any) -> None:
    """Write an image in the format of a file name's suffix; PNG files carry the recipe.

    `metadata` are what Pillow's `save` takes: icc_profile, exif.
    """
    image_format = Image.registered_extensions()[suffix]
    if image_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt(_KEY, json.dumps(recipe.to_dict()))
        image.save(file, format=image_format, pnginfo=text, **metadata)
    else:
        image.save(file, format=image_format, **{"quality": 95, **metadata})


def read_recipe(path: Path) -> dict[str, Any] | None:
    """The recipe in a PNG file, or None if the file is no PNG.

    Raises:
        SdeditError: if the file is a PNG without a recipe, or with one that cannot be read.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            assert isinstance(image, PngImagePlugin.PngImageFile)
            # The chunks before the pixels, where it is written; `text` would decode the whole image.
            text = image.info.get(_KEY)
    except UnidentifiedImageError:
        return None
    except (OSError, SyntaxError, ValueError) as error:
        raise SdeditError(f"{path} is damaged or not a whole picture: {error}") from error
    if text is None:
        raise SdeditError(f"{path} carries no recipe; only PNG files written by sdedit do")
    try:
        recipe = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise SdeditError(f"the recipe in {path} cannot be read: {error}") from error
    if not isinstance(recipe, dict):
        raise SdeditError(f"the recipe in {path} cannot be read: it is not a table")
    return recipe


def is_whole_png(path: Path) -> bool:
    """Whether a PNG file has its end.

    Raises:
        SdeditError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(-min(len(_PNG_END), path.stat().st_size), 2)
            return file.read() == _PNG_END
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
