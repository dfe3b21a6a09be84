"""The images of an edit or a composite: each read with what is laid over it, and what comes back worked in."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.deep import to_8_bits
from sdedit.io.files import JPEG_SUFFIXES, PIPE, exists, is_file, is_folder, open_input
from sdedit.io.images import decode
from sdedit.io.recipe import LayerRecipe
from sdedit.io.source_image import SourceImage, open_layer, open_source
from sdedit.io.walk import is_wanted
from sdedit.jobs.guides import Guide, read_guide
from sdedit.jobs.options import ALPHA, LayerOptions
from sdedit.pipelines.crop import CropOptions
from sdedit.pipelines.mask import mask_values
from sdedit.pipelines.overlay import Overlay, with_hole_filled, with_patch, with_strokes

if TYPE_CHECKING:
    from sdedit.jobs.tasks import Task

_OPAQUE = (*JPEG_SUFFIXES, ".bmp")


@dataclass(frozen=True)
class LayeredImage:
    """The files of one edit or composite, as read.

    Attributes:
        path, checksum: of the image.
        source: the image.
        layer: strokes or patch, RGB or RGBA in sRGB.
        mask: (H, W) float32 in [0, 1]; None to find it.
        names: of the files of layer and mask, and their checksums, as a recipe has them.
        options: how they go together.
        output: the file to write.
    """

    path: str
    checksum: str
    source: SourceImage
    layer: Image.Image
    mask: np.ndarray | None
    names: dict[str, str]
    options: LayerOptions
    output: Path | None

    def at(self, size: int | tuple[int, int]) -> Guide:
        """The part that goes through the model, its shorter side there `size` pixels; the image is made of it again.

        Raises:
            SdeditError: if the files do not belong together, or the part cannot be painted at that size.
        """
        from sdedit.pipelines.inpaint import crop_guide, crop_mask

        options = self.options
        side = size if isinstance(size, int) else min(size)
        try:
            crop = CropOptions(side, options.context, options.grow, options.feather)
            if options.task == "edit":
                overlay = with_strokes(self.source, self.layer, self.mask, crop)
            else:
                overlay = with_patch(self.source, self.layer, self.mask, crop, options.at, options.scale)
        except ValueError as error:
            raise SdeditError(f"{self.path}: {error}") from error
        told = ("invert_mask", "context", "grow", "feather", "at", "scale")
        recipe = LayerRecipe(region=overlay.crop.box, **self.names, **{name: getattr(options, name) for name in told})  # type: ignore[arg-type]
        return Guide(
            crop_guide(self.source, overlay),
            self.path,
            self.checksum,
            crop_mask(overlay),
            recipe,
            partial(self._finish, overlay),
            tuple(self._notes(overlay)),
        )

    def _finish(self, overlay: Overlay, painted: Image.Image, suffix: str) -> tuple[Image.Image, dict[str, Any]]:
        from sdedit.pipelines.inpaint import blend_colours

        colours = blend_colours(self.source, overlay, painted, self.options.feather)
        metadata = self.source.metadata(suffix)
        if suffix == ".webp":
            metadata["lossless"] = True
        if colours.dtype == np.uint16 and not self._holds_16_bits(suffix):
            colours = to_8_bits(colours)
        image = self.source.with_colours(colours)
        if colours.dtype == np.uint16 and image.mode != "I;16":
            metadata["deep"] = self.source.deep_channels(colours)
        return image, metadata

    def _holds_16_bits(self, suffix: str) -> bool:
        """Whether a file of this ending holds the image with all its bits, as it is written here."""
        return suffix == ".png" or (suffix in (".tif", ".tiff") and self.source.image.mode != "LA")

    def _notes(self, overlay: Overlay) -> Iterator[str]:
        crop = overlay.crop
        left, top, right, bottom = crop.box
        yield from self.source.notes
        yield from overlay.notes
        if (overlay.mask == 1).all():
            yield "the mask is white everywhere: this does what sdedit paint does"
        yield (
            f"{self.path}: region {right - left}x{bottom - top} px at {left},{top} of "
            f"{self.source.size[0]}x{self.source.size[1]}"
        )
        if crop.scale > 1.5:
            yield f"the painted part is enlarged {crop.scale:.1f} times and will be softer than the image round it"
        if self.source.deep is not None and self.output and not self._holds_16_bits(self.output.suffix.lower()):
            yield f"{self.path} has 16 bits per channel and {self.output} gets 8; a PNG keeps them"
        if self.output is not None and (lost := self.source.lost(self.output.suffix.lower())):
            yield f"{self.output} cannot hold {' and '.join(lost)} of {self.path}"
        if self.output is not None and self.output.suffix.lower() in JPEG_SUFFIXES:
            yield f"{self.output} is a JPEG file, which changes every pixel a little; a PNG keeps them outside the mask"


class Content(NamedTuple):
    """An image file as read: its path, what messages call it, and its bytes."""

    path: str
    name: str
    data: io.BytesIO

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.data.getbuffer()).hexdigest()


def open_layered(
    image: Content, layer: Content, mask: Content | None, options: LayerOptions, output: Path | None
) -> LayeredImage:
    """An image with what is laid over it, in the bytes of their files.

    Args:
        image: what is changed.
        layer: strokes or a patch.
        mask: where it may change, of a file of its own; None where there is none.
        options: how they go together; its paths are not looked at.
        output: the file to write, whose format has to hold the image; None for a PNG.

    Raises:
        SdeditError: if one is no whole image, or the output's format cannot hold the image.
    """
    source = open_source(image.data, image.name)
    if not options.mask_is_alpha:
        _check_format(output, source)
    names = {"layer": Path(layer.path).name, "layer_checksum": layer.checksum}
    opened = open_layer(layer.data, layer.name)
    values = None
    if mask is not None:
        values = decode(mask.data, mask.name, mask_values)
        names |= {"mask": Path(mask.path).name, "mask_checksum": mask.checksum}
    elif options.mask_is_alpha:
        names["mask"] = ALPHA
        if options.task == "edit":
            source, values = with_hole_filled(source)
    if values is not None and options.invert_mask:
        values = 1 - values
    return LayeredImage(image.path, image.checksum, source, opened, values, names, options, output)


class Layers:
    """Finds and reads what is laid over each image of a job: one file for all, or a folder of them by name."""

    def __init__(self, options: LayerOptions) -> None:
        """Raises SdeditError if a file or folder of layers is not there."""
        for place in (options.layer, options.mask):
            if place not in (None, PIPE, ALPHA) and not exists(Path(place)):  # type: ignore[arg-type]
                raise SdeditError(f"there is no file or folder {place}")
        self.options = options
        self._names: dict[str, dict[str, list[str]]] = {}

    def files(self, task: Task) -> list[str]:
        """The files of strokes or patch, and of the mask if there is one, that belong to a task's image.

        Raises:
            SdeditError: if there is none of its name, or more than one.
        """
        layer, mask = self.options.layer, self.options.mask
        mask = None if self.options.mask_is_alpha else mask
        return [self._beside(place, task) for place in (layer, mask) if place is not None]

    def open(self, task: Task) -> LayeredImage:
        """A task's image with its layers.

        Raises:
            SdeditError: if a file is missing or no whole image, or the output's format cannot hold the image.
        """
        paths = [task.path, *self.files(task)]
        if paths.count(PIPE) > 1:
            raise SdeditError("standard input can be one of the images only")
        image, layer, *mask = map(_read, paths)
        return open_layered(image, layer, mask[0] if mask else None, self.options, task.output)

    def _beside(self, place: str, task: Task) -> str:
        if place == PIPE or not is_folder(Path(place)):
            return place
        relative = PurePath(task.relative or Path(task.path).name)
        exact = Path(place, relative)
        if is_file(exact):
            return str(exact)
        folder = exact.parent
        if str(folder) not in self._names:
            by_stem: dict[str, list[str]] = {}
            for file in sorted(folder.iterdir()) if is_folder(folder) else []:
                if is_wanted(file.name) and is_file(file):
                    by_stem.setdefault(file.stem, []).append(str(file))
            self._names[str(folder)] = by_stem
        found = self._names[str(folder)].get(relative.stem, [])
        if len(found) != 1:
            many = f"more than one, {' and '.join(found)}" if found else "none"
            raise SdeditError(
                f"{task.path} wants one image called {relative.with_suffix('')} in {place}; there is {many}"
            )
        return found[0]


class Reader:
    """Reads the guides of a job, with their layers where there are any."""

    def __init__(self, background: str, layers: LayerOptions | None) -> None:
        self.background = background
        self.layers = None if layers is None else Layers(layers)

    def open(self, task: Task) -> Guide | LayeredImage:
        """The files of a task's guide, read before a model is needed; `at` gives the guide at a size.

        Raises:
            SdeditError: if a file is no whole image.
        """
        return read_guide(task.path, self.background) if self.layers is None else self.layers.open(task)

    def read(self, task: Task, size: int | tuple[int, int]) -> Guide:
        """The guide at the size it is painted at.

        Raises:
            SdeditError: if a file is no whole image, or cannot be painted at that size.
        """
        if self.layers is None:
            return read_guide(task.path, self.background, size)
        return self.layers.open(task).at(size)


def _read(path: str) -> Content:
    stream, name = open_input(path)
    return Content(path, name, io.BytesIO(stream.read()))


def _check_format(output: Path | None, source: SourceImage) -> None:
    if output is not None and source.has_alpha and output.suffix.lower() in _OPAQUE:
        raise SdeditError(f"cannot write {output}: {source.name} has transparency; name a .png, .webp or .tiff file")
