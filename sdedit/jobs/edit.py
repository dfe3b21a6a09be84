"""The images of an edit or a composite: each read with what is laid over it, and what comes back worked in."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.deep import to_8_bits
from sdedit.io.files import JPEG_SUFFIXES
from sdedit.io.images import OwnSize, Size, decode
from sdedit.io.recipe import LayerRecipe
from sdedit.io.source_image import SourceImage, open_layer, open_source
from sdedit.jobs.guides import Guide
from sdedit.jobs.options import ALPHA, LayerOptions
from sdedit.pipelines.crop import CropOptions
from sdedit.pipelines.mask import mask_values
from sdedit.pipelines.overlay import Overlay, with_hole_filled, with_patch, with_strokes

if TYPE_CHECKING:
    pass

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

    def at(self, size: Size) -> Guide:
        """The part that goes through the model, its shorter side there `size` pixels; the image is made of it again.

        Raises:
            SdeditError: if the files do not belong together, or the part cannot be painted at that size.
        """
        from sdedit.pipelines.inpaint import crop_guide, crop_mask

        options = self.options
        assert not isinstance(size, OwnSize)
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


def _check_format(output: Path | None, source: SourceImage) -> None:
    if output is not None and source.has_alpha and output.suffix.lower() in _OPAQUE:
        raise SdeditError(f"cannot write {output}: {source.name} has transparency; name a .png, .webp or .tiff file")
