"""The recipe of an image: everything needed to make it again, kept in its PNG, JPEG or WebP file.

A PNG has it in a text chunk, JPEG and WebP in their EXIF data as ImageHistory ("what has been done to the image").
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from sdedit.errors import SdeditError
from sdedit.io.deep import write_deep_png
from sdedit.io.files import reason
from sdedit.io.history import history_of, with_history
from sdedit.io.png import open_mended
from sdedit.io.tables import from_table
from sdedit.io.tiff import write_deep_tiff

_KEY = "sdedit"
CARRIERS = "only PNG, JPEG and WebP files"
_WITH_EXIF = ("JPEG", "WEBP")
_PNG_END = b"IEND\xaeB`\x82"
TASKS = ("paint", "edit", "composite")


@cache
def package_version() -> str:
    """The version of sdedit that is installed."""
    from importlib.metadata import version

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
    largest_size: int | None = None  # if the size was the guide's own, with a shorter side up to this; else None
    background: str = "white"
    guide_checksum: str = ""  # SHA-256 of the guide's file
    model_source: str = ""  # what the model was asked for by: a name, a file, a place on the hub
    device: str = "cpu"  # its type, without a number
    batch: int = 1  # images that went through the network together; it decides the last bits of rounding
    folder_seed: int | None = None  # the seed of a whole folder that `seed` was derived from
    quality: int | None = None  # of a JPEG file, and of a WebP file with losses
    layers: LayerRecipe | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        facts = asdict(self)
        layers = facts.pop("layers") or {}
        return {**facts, **layers}

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


def save_image(
    image: Image.Image, file: BinaryIO, suffix: str, recipe: Recipe | None, quality: int = 95, **metadata: Any
) -> None:
    """Write an image in the format of a file name's suffix; PNG, JPEG and WebP files carry the recipe, if one is given.

    `quality` is that of JPEG and of WebP with losses, from 1 to 100. `metadata` are what Pillow's `save` takes:
    icc_profile, exif, and for PNG `texts` by their keys, and for PNG and TIFF `deep`, the channels (H, W, C) uint16 of
    an image whose bits are more than Pillow's modes have.
    """
    file_format = Image.registered_extensions()[suffix]
    told = None if recipe is None else json.dumps(recipe.to_dict())
    texts: dict[str, str] = metadata.pop("texts", {})
    deep: np.ndarray | None = metadata.pop("deep", None)
    if file_format == "PNG":
        info = PngImagePlugin.PngInfo()
        for key, text in texts.items():
            info.add_itxt(key, text)
        if told is not None:
            info.add_itxt(_KEY, told)
        if deep is None:
            image.save(file, format=file_format, pnginfo=info, **metadata)
        else:
            write_deep_png(image, deep, file, pnginfo=info, **metadata)
        return
    if deep is not None:
        write_deep_tiff(image.mode, deep, file, **metadata)
        return
    if file_format in _WITH_EXIF and told is not None:
        metadata["exif"] = with_history(metadata.get("exif"), told, file_format)
    image.save(file, format=file_format, **{"quality": quality, **metadata})


def read_recipe(path: Path) -> dict[str, Any] | None:
    """The recipe in a PNG, JPEG or WebP file, or None if the file is none of them.

    Raises:
        SdeditError: if the file is one of them without a recipe, or with one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = _written_in(file)
    except UnidentifiedImageError:
        return None
    except (OSError, SyntaxError, ValueError) as error:
        raise SdeditError(f"{path} is damaged or not a whole image: {error}") from error
    if text is None:
        raise SdeditError(f"{path} carries no recipe; {CARRIERS} written by sdedit do, unless it was left out")
    try:
        recipe = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise SdeditError(f"the recipe in {path} cannot be read: {error}") from error
    if not isinstance(recipe, dict):
        raise SdeditError(f"the recipe in {path} cannot be read: it is not a table")
    return recipe


def is_whole(path: Path) -> bool:
    """Whether a PNG, JPEG or WebP file has its end.

    Raises:
        SdeditError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(12)
            file.seek(-min(len(_PNG_END), size), 2)
            end = file.read()
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 <= size
    return end.endswith(b"\xff\xd9") if head[:2] == b"\xff\xd8" else end == _PNG_END


def _written_in(file: BinaryIO) -> str | None:
    """The text of the recipe in an image file, if it has one."""
    try:
        image: Image.Image = Image.open(file, formats=("PNG", *_WITH_EXIF))
    except (SyntaxError, ValueError, OSError):
        mended = open_mended(file)
        if mended is None:
            raise
        image = mended
    if image.format == "PNG":
        # The chunks before the pixels, where it is written; `text` would decode the whole image.
        return image.info.get(_KEY)
    return history_of(image)
