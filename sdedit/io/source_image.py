"""Source images of edits: their own pixels, at their own size, with their transparency, profile and EXIF data."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms

from sdedit.io.beside import MOST_IN_JPEG, Beside
from sdedit.io.colour import convert_profile, split_alpha, to_layer, to_srgb, upright
from sdedit.io.deep import has_deep_colours, read_deep_colours, to_8_bits
from sdedit.io.files import JPEG_SUFFIXES
from sdedit.io.history import without_history
from sdedit.io.images import decode

_AS_IT_IS = ("L", "LA", "RGB", "RGBA")
_MODES = {2: "LA", 3: "RGB", 4: "RGBA"}  # by the number of channels
# EXIF shares its tags with TIFF, where these say how the file stores its pixels.
_LAYOUT_TAGS = {*range(254, 260), 262, 266, 273, *range(277, 280), 284, 317, *range(320, 326), 338, 339, 530, 34675}


@dataclass(frozen=True)
class SourceImage:
    """An image whose pixels are kept wherever an edit leaves them alone.

    Attributes:
        image: 8-bit grey or RGB, with or without alpha, the right way up.
        profile: its ICC profile, if it has one that colours can be converted to and from.
        exif: its EXIF data, less the orientation.
        name: what messages call it.
        beside: what else its file says, kept as far as the new file's format can.
        notes: sentences on what could not be kept.
        deep: (H, W, C) uint16, the same pixels with all their bits and their alpha channel; None for 8 bits.
    """

    image: Image.Image
    profile: bytes | None = None
    exif: bytes | None = None
    name: str = "the image"
    beside: Beside = field(default_factory=Beside)
    notes: tuple[str, ...] = ()
    deep: np.ndarray | None = None

    @classmethod
    def from_image(cls, image: Image.Image, name: str = "the image") -> SourceImage:
        """An image of any mode and orientation as a source."""
        given, image = image, upright(image)
        tags = image.getexif()
        for tag in _LAYOUT_TAGS & tags.keys():
            del tags[tag]
        without_history(tags)
        exif = tags.tobytes() if tags else None
        profile, beside = image.info.get("icc_profile"), Beside.of(image, given)
        notes, deep = _frames_lost(given, name), None
        if image.mode.startswith("I;16"):
            levels, alpha = split_alpha(image, name)
            deep = np.asarray(image).astype(np.uint16)[..., None]
            image = levels
            if alpha is not None:
                deep = np.concatenate([deep, np.asarray(alpha)[..., None] * np.uint16(257)], axis=2)
                image = Image.merge("LA", [levels, alpha])
        elif image.mode.startswith(("I", "F")):
            notes = (*notes, f"{name} has {image.mode} pixels; the result is 8-bit sRGB")
            image, profile = to_srgb(image, name), None
        elif image.mode in ("P", "PA", "1") or "transparency" in image.info:
            grey = image.mode in ("1", "L")
            see_through = image.mode == "PA" or "transparency" in image.info
            image = image.convert(("LA" if see_through else "L") if grey else ("RGBA" if see_through else "RGB"))
        elif image.mode not in _AS_IT_IS:
            notes = (*notes, f"{name} has {image.mode} pixels; the result is 8-bit sRGB")
            image, profile = to_srgb(image, name), None
        # No metadata but what is kept on purpose.
        plain = Image.frombytes(image.mode, image.size, image.tobytes())
        source = cls(plain, profile, exif, name, beside, notes, deep)
        return source if profile is None or _works_both_ways(source) else replace(source, profile=None)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def colour_mode(self) -> str:
        return "L" if self.image.mode in ("L", "LA") else "RGB"

    @property
    def has_alpha(self) -> bool:
        return self.image.mode in ("LA", "RGBA")

    def colours(self) -> np.ndarray:
        """(H, W, 1 or 3) uint8, without the alpha channel."""
        channels = np.asarray(self.image).reshape(self.size[1], self.size[0], -1)
        return channels[..., :-1] if self.has_alpha else channels

    def channels(self) -> np.ndarray:
        """(H, W, C) uint8, or uint16 where the image has 16 bits, with the alpha channel if it has one."""
        return np.asarray(self.image).reshape(self.size[1], self.size[0], -1) if self.deep is None else self.deep

    def exact_colours(self) -> np.ndarray:
        """(H, W, 1 or 3) uint8, or uint16 where the image has 16 bits, without the alpha channel; a copy."""
        if self.deep is None:
            return self.colours().copy()
        return self.deep[..., : len(self.colour_mode)].copy()

    def deep_channels(self, colours: np.ndarray) -> np.ndarray:
        """Other colours (H, W, 1 or 3) uint16 with the image's own alpha channel."""
        assert self.deep is not None
        return np.concatenate([colours, self.deep[..., len(self.colour_mode) :]], axis=2)

    def metadata(self, suffix: str) -> dict[str, Any]:
        """What `sdedit.io.recipe.save_image` has to be given so that nothing is lost in a file of this ending."""
        exif = {"exif": self.exif} if self.exif and not self._exif_is_too_large(suffix) else {}
        return {"icc_profile": self.profile, **exif, **self.beside.metadata(suffix)}

    def lost(self, suffix: str) -> list[str]:
        """What a file of this ending does not hold of what lies beside the pixels, in words."""
        lost = self.beside.lost(suffix)
        if self.profile and suffix == ".bmp":
            lost.insert(0, "the colour profile")
        if self.exif and (suffix == ".bmp" or self._exif_is_too_large(suffix)):
            lost.insert(0, "the EXIF data")
        return lost

    def _exif_is_too_large(self, suffix: str) -> bool:
        return suffix in JPEG_SUFFIXES and len(self.exif or b"") > MOST_IN_JPEG

    def with_colours(self, colours: np.ndarray) -> Image.Image:
        """The image with other colours (H, W, 1 or 3) and its own alpha channel.

        Colours are uint8, or uint16 of which all bits are kept in grey without alpha: Pillow has no other such mode.
        """
        if colours.dtype == np.uint16:
            if self.image.mode == "L":
                return Image.fromarray(colours[..., 0])
            colours = to_8_bits(colours)
        changed = Image.fromarray(colours[..., 0] if self.colour_mode == "L" else np.ascontiguousarray(colours))
        if self.has_alpha:
            changed = changed.convert(self.image.mode)
            changed.putalpha(self.image.getchannel("A"))
        return changed

    def srgb(self, box: tuple[int, int, int, int], colours: np.ndarray) -> Image.Image:
        """A part of the image as RGB in sRGB, transparent pixels on white.

        Args:
            box: left, top, right, bottom in pixels.
            colours: (H, W, 1 or 3) uint8, of the whole image.
        """
        left, top, right, bottom = box
        part = SourceImage(self.image.crop(box)).with_colours(colours[top:bottom, left:right])
        if self.profile:
            part.info["icc_profile"] = self.profile
        return to_srgb(part, self.name)

    def opaque_srgb(self) -> Image.Image:
        """All of the image as RGB in sRGB, without its transparency: what strokes painted over it are compared with."""
        colours = SourceImage(self.image.convert(self.colour_mode), self.profile, name=self.name)
        return colours.srgb((0, 0, *self.size), colours.colours())

    def laid_on_white(self, share: np.ndarray) -> SourceImage:
        """The image without transparency: white by a share (H, W) in [0, 1] of each pixel, itself where that is 0."""
        share = share[..., None]
        white = self.from_srgb(Image.new("RGB", (1, 1), "white")).astype(np.float32)

        def laid(colours: np.ndarray, scale: int) -> np.ndarray:
            mixed = (colours + share * (scale * white - colours)).round().clip(0, 255 * scale)
            return np.where(share == 0, colours, mixed.astype(colours.dtype))

        colours = laid(self.colours(), 1)
        image = Image.fromarray(colours[..., 0] if self.colour_mode == "L" else colours)
        deep = None if self.deep is None else laid(self.exact_colours(), 257)
        return replace(self, image=image, deep=deep)

    def from_srgb(self, image: Image.Image) -> np.ndarray:
        """RGB in sRGB -> (H, W, 1 or 3) uint8 in the colours of this image."""
        if self.profile:
            image = convert_profile(image, None, self.profile, self.colour_mode)
        channels = np.asarray(image.convert(self.colour_mode))
        return channels.reshape(*channels.shape[:2], -1)


def open_source(file: BinaryIO, name: str) -> SourceImage:
    """Read a PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF; palettes become colours, CMYK 8-bit sRGB.

    Channels of 16 bits keep them.

    Raises:
        SdeditError: if the file is not a whole image of at most 178 million pixels.
    """
    source = decode(file, name, lambda image: SourceImage.from_image(image, name))
    if source.deep is not None or not has_deep_colours(file):
        return source
    deep = read_deep_colours(file)
    if deep is None or deep.shape[:2] != source.size[::-1]:
        note = f"{name} has 16 bits per channel, laid in a way that only 8 of them are read of; the result has 8"
        return replace(source, notes=(*source.notes, note))
    planes = [Image.fromarray(to_8_bits(plane)) for plane in deep.transpose(2, 0, 1)]
    return replace(source, image=Image.merge(_MODES[len(planes)], planes), deep=deep)


def open_layer(file: BinaryIO, name: str) -> Image.Image:
    """Read an image as RGB in sRGB, or RGBA where it has transparency; errors as in `open_source`."""
    return decode(file, name, lambda image: to_layer(upright(image), name))


def _frames_lost(image: Image.Image, name: str) -> tuple[str, ...]:
    count = 1
    with suppress(Exception):  # counting reads all of them, and a later one may be damaged
        count = getattr(image, "n_frames", 1)
    if count == 1:
        return ()
    return (f"{name} has {count} pages or frames; the first is edited, and the result has only that",)


def _works_both_ways(source: SourceImage) -> bool:
    assert source.profile is not None
    mode = source.colour_mode
    try:
        there = convert_profile(Image.new(mode, (1, 1)), source.profile, None, "RGB")
        convert_profile(there, None, source.profile, mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True
