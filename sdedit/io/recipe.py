"""The recipe of an image: everything needed to make it again, kept in a text chunk of its PNG file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from sdedit.errors import SdeditError
from sdedit.io.files import reason
from sdedit.io.tables import from_table

_KEY = "sdedit"
_PNG_END = b"IEND\xaeB`\x82"
TASKS = ("paint", "edit", "composite")


@cache
def package_version() -> str:
    """The version of sdedit that is installed."""
    return version("sdedit")


@dataclass(frozen=True)
class LayerRecipe:
    """What was laid over an image, and how it was worked in; of an edit or a composite.

    Attributes:
        layer: name of the file of strokes, or of the patch, without its folder.
        layer_checksum: SHA-256 of that file.
        mask: name of the mask's file; empty if it was found.
        mask_checksum: SHA-256 of that file.
        invert_mask: whether black may change.
        region: left, top, right, bottom of what went through the model, in pixels of the image.
        context, grow, feather: as in `sdedit.pipelines.crop.CropOptions`.
        at, scale: where a patch came, and by what it was multiplied.
    """

    layer: str
    layer_checksum: str
    region: tuple[int, int, int, int]
    mask: str = ""
    mask_checksum: str = ""
    invert_mask: bool = False
    context: float = 0.5
    grow: float | None = None
    feather: float | None = None
    at: tuple[int, int] | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """How an image was made; sigma in units of images in [0, 1], sizes in pixels.

    Of an edit or a composite `guide` is the image that was changed, width and height are those its region had in the
    model, and `layers` says the rest; in a file the fields of `layers` lie among the others.
    """

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
    task: str = "paint"  # one of TASKS
    grid: str = "uniform"
    passes: int = 1
    background: str = "white"
    guide_checksum: str = ""  # SHA-256 of the guide's file
    model_source: str = ""  # what the model was asked for by: a name, a file, a place on the hub
    device: str = "cpu"  # its type, without a number
    batch: int = 1  # images that went through the network together; it decides the last bits of rounding
    folder_seed: int | None = None  # the seed of a whole folder that `seed` was derived from
    layers: LayerRecipe | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        facts = asdict(self)
        return {**facts, **(facts.pop("layers") or {})}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe in a mapping as `read_recipe` gives it; fields unknown to this version are left out.

        Raises:
            ValueError: if a field is missing or has a value of another kind, or the task is none of TASKS.
        """
        task = values.get("task", TASKS[0])
        if task not in TASKS:
            raise ValueError(f"its task is {task!r}, which this version does not know")
        layers = None if task == "paint" else from_table(LayerRecipe, values, strict=False)
        plain = {name: value for name, value in values.items() if name != "layers"}
        return from_table(cls, {**plain, "layers": layers}, strict=False)


def save_image(image: Image.Image, file: BinaryIO, suffix: str, recipe: Recipe, **metadata: Any) -> None:
    """Write an image in the format of a file name's suffix; PNG files carry the recipe.

    `metadata` are what Pillow's `save` takes: icc_profile, exif.
    """
    file_format = Image.registered_extensions()[suffix]
    if file_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt(_KEY, json.dumps(recipe.to_dict()))
        image.save(file, format=file_format, pnginfo=text, **metadata)
    else:
        image.save(file, format=file_format, **{"quality": 95, **metadata})


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
        raise SdeditError(f"{path} is damaged or not a whole image: {error}") from error
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
