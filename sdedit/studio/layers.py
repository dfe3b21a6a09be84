"""Pictures that are edited, and the strokes and masks laid over them, which a screen may have made smaller."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from sdedit.io.source_image import open_layer, open_source
from sdedit.jobs.options import LayerOptions
from sdedit.studio.limits import Limits
from sdedit.studio.pictures import Picture, Pictures
from sdedit.studio.uploads import check_pixels, file_name

if TYPE_CHECKING:
    from sdedit.jobs.edit import LayeredImage

_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "GIF": "gif"}


def keep_picture(pictures: Pictures, limits: Limits, content: bytes) -> dict[str, Any]:
    """Keep an image file, and tell its ID, its size as it is seen, and what an edit would not keep.

    Raises:
        SdeditError: if it is no whole image, or too large.
    """
    check_pixels(content, "the picture", limits)
    source = open_source(io.BytesIO(content), "the picture")
    width, height = source.size
    return {
        "id": pictures.keep(content, source.size),
        "width": width,
        "height": height,
        "note": "; ".join(source.notes),
    }


def shown_pixels(content: bytes, longest: int) -> tuple[tuple[int, int], bytes]:
    """Width and height, and the pixels R G B A in sRGB, of an image file shrunk to a longest side."""
    layer = open_layer(io.BytesIO(content), "the picture")
    layer.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return layer.size, layer.convert("RGBA").tobytes()


@dataclass(frozen=True)
class Names:
    """What a recipe calls the files of an edit."""

    picture: str
    strokes: str
    mask: str | None


class EditLayers:
    """A picture with its strokes and its mask, these at its own size.

    Args:
        pictures: keeps the files that a recipe names.
        limits: of images.
        picture, strokes, mask: the files' contents; no mask to find it.

    Attributes:
        strokes_id, mask_id: of the files at the picture's size, among the pictures.
    """

    def __init__(
        self, pictures: Pictures, limits: Limits, picture: Picture, strokes: bytes, mask: bytes | None
    ) -> None:
        """Raises SdeditError if the strokes or the mask are no whole images."""
        self._picture, size = picture.content, picture.size
        with Image.open(io.BytesIO(self._picture)) as opened:
            self._ending = _ENDINGS.get(opened.format or "", "png")
        check_pixels(strokes, "the strokes", limits)
        self._strokes, self.strokes_id = _enlarged(pictures, strokes, "the strokes", size, seen_through=True)
        self._mask, self.mask_id = None, None
        if mask is not None:
            self._mask, self.mask_id = _enlarged(pictures, mask, "the mask", size, seen_through=False)

    def names(self, given: Mapping[str, str], several: bool) -> Names:
        """What the files are called: by the request, or by their kinds; see `file_name`."""
        return Names(
            file_name(given.get("picture-name"), f"picture.{self._ending}", self._picture, several),
            file_name(given.get("name"), "strokes.png", self._strokes, several),
            None if self._mask is None else file_name(given.get("mask-name"), "mask.png", self._mask, several),
        )

    def open(self, names: Names, options: LayerOptions) -> LayeredImage:
        """The picture with its layers; errors as of `sdedit.jobs.edit.open_layered`."""
        from sdedit.jobs.edit import Content, open_layered

        image = Content(names.picture, "the picture", io.BytesIO(self._picture))
        layer = Content(names.strokes, "the strokes", io.BytesIO(self._strokes))
        mask = None
        if self._mask is not None and names.mask is not None:
            mask = Content(names.mask, "the mask", io.BytesIO(self._mask))
        return open_layered(image, layer, mask, options, None)


def _enlarged(
    pictures: Pictures, content: bytes, name: str, size: tuple[int, int], seen_through: bool
) -> tuple[bytes, str]:
    """A file of a layer at a larger size of the same shape, as PNG; as it is where it has the size, or another shape.

    Args:
        pictures: keeps it.
        content: the file's.
        name: what messages call it.
        size: the width and height that are wanted.
        seen_through: only where it has transparency; a picture with strokes on it would differ everywhere.

    Returns:
        The file, and its ID.
    """
    layer = open_layer(io.BytesIO(content), name)
    scale = max(size) / max(layer.size)
    alike = all(abs(side * scale - wanted) <= max(1.0, scale) for side, wanted in zip(layer.size, size, strict=True))
    if layer.size != size and alike and scale > 1 and not (seen_through and layer.mode != "RGBA"):
        layer = layer.resize(size, Image.Resampling.BILINEAR)  # others would ring beside hard edges
        file = io.BytesIO()
        layer.save(file, "PNG")
        content = file.getvalue()
    return content, pictures.keep(content, layer.size)
