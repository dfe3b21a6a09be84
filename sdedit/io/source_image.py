"""Source pictures of edits: their own pixels, at their own size, with their transparency, profile and EXIF data."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms

from sdedit.io.images import open_unconverted, to_srgb

_AS_IT_IS = ("L", "LA", "RGB", "RGBA")
_SRGB = b""
# EXIF shares its tags with TIFF, where these say how the file stores its pixels.
_LAYOUT_TAGS = {*range(254, 260), 262, 266, 273, *range(277, 280), 284, 317, *range(320, 326), 338, 339, 530, 34675}


@dataclass(frozen=True)
class Source:
    """A picture whose pixels are kept wherever an edit leaves them alone.

    Attributes:
        picture: 8-bit grey or RGB, with or without alpha, the right way up.
        profile: its ICC profile, if it has one that colours can be converted to and from.
        exif: its EXIF data, less the orientation.
        name: what messages call it.
        note: a sentence on what could not be kept, or nothing.
    """

    picture: Image.Image
    profile: bytes | None = None
    exif: bytes | None = None
    name: str = "the picture"
    note: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.picture.size

    @property
    def colour_mode(self) -> str:
        return "L" if self.picture.mode in ("L", "LA") else "RGB"

    @property
    def has_alpha(self) -> bool:
        return self.picture.mode in ("LA", "RGBA")

    def colours(self) -> np.ndarray:
        """(H, W, 1 or 3) uint8, without the alpha channel."""
        channels = np.asarray(self.picture).reshape(self.size[1], self.size[0], -1)
        return channels[..., :-1] if self.has_alpha else channels

    def metadata(self) -> dict[str, Any]:
        """What Pillow's `save` has to be given so that nothing is lost."""
        return {"icc_profile": self.profile, **({"exif": self.exif} if self.exif else {})}

    def with_colours(self, colours: np.ndarray) -> Image.Image:
        """The picture with other colours (H, W, 1 or 3) uint8 and its own alpha channel."""
        changed = Image.fromarray(colours[..., 0] if self.colour_mode == "L" else np.ascontiguousarray(colours))
        if self.has_alpha:
            changed = changed.convert(self.picture.mode)
            changed.putalpha(self.picture.getchannel("A"))
        return changed

    def srgb(self, box: tuple[int, int, int, int], colours: np.ndarray) -> Image.Image:
        """A part of the picture as RGB in sRGB, transparent pixels on white.

        Args:
            box: left, top, right, bottom in pixels.
            colours: (H, W, 1 or 3) uint8, of the whole picture.
        """
        left, top, right, bottom = box
        part = Source(self.picture.crop(box)).with_colours(colours[top:bottom, left:right])
        if self.profile:
            part.info["icc_profile"] = self.profile
        return to_srgb(part, self.name)

    def from_srgb(self, picture: Image.Image) -> np.ndarray:
        """RGB in sRGB -> (H, W, 1 or 3) uint8 in the colours of this picture."""
        if self.profile:
            picture = _convert(picture, _SRGB, self.profile, self.colour_mode)
        channels = np.asarray(picture.convert(self.colour_mode))
        return channels.reshape(*channels.shape[:2], -1)


def open_source(file: BinaryIO, name: str) -> Source:
    """Read a PNG, JPEG, WebP, TIFF, BMP or GIF; palettes become colours, CMYK and more than 8 bits 8-bit sRGB.

    Raises:
        SdeditError: if the file is not a whole picture of at most 178 million pixels.
    """
    return as_source(open_unconverted(file, name), name)


def open_layer(file: BinaryIO, name: str) -> Image.Image:
    """Read a picture as RGB in sRGB, or RGBA where it has transparency; errors as in `open_source`."""
    source = open_source(file, name)
    box = (0, 0, *source.size)
    colours = Image.fromarray(np.repeat(source.colours(), 3 // source.colours().shape[2], axis=2))
    layer = Source(colours, source.profile if source.colour_mode == "RGB" else None, name=name)
    layer_srgb = layer.srgb(box, layer.colours())
    if source.has_alpha:
        layer_srgb.putalpha(source.picture.getchannel("A"))
    return layer_srgb


def as_source(picture: Image.Image, name: str = "the picture") -> Source:
    """A picture, the right way up, as a source."""
    tags = picture.getexif()
    for tag in _LAYOUT_TAGS & tags.keys():
        del tags[tag]
    exif = tags.tobytes() if tags else None
    profile = picture.info.get("icc_profile")
    note = ""
    if picture.mode in ("P", "PA", "1") or "transparency" in picture.info:
        grey = picture.mode in ("1", "L")
        see_through = picture.mode == "PA" or "transparency" in picture.info
        picture = picture.convert(("LA" if see_through else "L") if grey else ("RGBA" if see_through else "RGB"))
    elif picture.mode not in _AS_IT_IS:
        note = f"{name} has {picture.mode} pixels; the result is 8-bit sRGB"
        picture, profile = to_srgb(picture, name), None
    plain = Image.frombytes(picture.mode, picture.size, picture.tobytes())  # no metadata but what is kept on purpose
    source = Source(plain, profile, exif, name, note)
    return source if profile is None or _works_both_ways(source) else Source(plain, None, exif, name, note)


def _works_both_ways(source: Source) -> bool:
    assert source.profile is not None
    mode = source.colour_mode
    try:
        _convert(_convert(Image.new(mode, (1, 1)), source.profile, _SRGB, "RGB"), _SRGB, source.profile, mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def _convert(picture: Image.Image, given: bytes, wanted: bytes, mode: str) -> Image.Image:
    """From one profile to another; no bytes stand for sRGB."""
    before, after = (
        ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("sRGB")
        for profile in (given, wanted)
    )
    converted = ImageCms.profileToProfile(picture, before, after, outputMode=mode)
    assert converted is not None
    return converted
