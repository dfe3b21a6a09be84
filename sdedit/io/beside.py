"""What an image file says beside its pixels, profile and EXIF data: resolution, XMP and text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from sdedit.io.files import JPEG_SUFFIXES

_XMP = "XML:com.adobe.xmp"  # the key of a text in a PNG
_XMP_TAG = 700  # of a TIFF
_NOT_KEPT = ("sdedit", _XMP)  # the recipe is that of another image
_MOST_IN_JPEG = 65000  # bytes of a segment


@dataclass(frozen=True)
class Beside:
    """What is kept of a file beside its pixels.

    Attributes:
        dpi: pixels an inch, across and down.
        xmp: the XMP packet.
        texts: of a PNG, by their keys; the comment of a JPEG as "Comment".
    """

    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    texts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image.Image, given: Image.Image) -> Beside:
        """What an image says, the right way up; `given` is as it was opened."""
        dpi, xmp, comment = (image.info.get(name) for name in ("dpi", "xmp", "comment"))
        texts = {key: str(text) for key, text in getattr(given, "text", {}).items() if key not in _NOT_KEPT}
        if given.format in ("JPEG", "MPO") and isinstance(comment, bytes):
            texts["Comment"] = comment.decode("utf-8", "replace")
        if dpi is not None and not (len(dpi) == 2 and min(dpi) > 0):
            dpi = None
        swapped = given.size != image.size  # it was turned
        return cls(
            None if dpi is None else (float(dpi[swapped]), float(dpi[not swapped])),
            xmp.encode() if isinstance(xmp, str) else xmp,
            texts,
        )

    def metadata(self, suffix: str) -> dict[str, Any]:
        """The arguments of `sdedit.io.recipe.save_image` for a file of this ending."""
        kept: dict[str, Any] = {} if self.dpi is None else {"dpi": self.dpi}
        if suffix == ".png":
            xmp = {} if self.xmp is None else {_XMP: self.xmp.decode("utf-8", "replace")}
            return {**kept, "texts": {**self.texts, **xmp}}
        in_jpeg = suffix in JPEG_SUFFIXES
        if in_jpeg and "Comment" in self.texts:
            kept["comment"] = self.texts["Comment"].encode()[:_MOST_IN_JPEG]
        if self.xmp is not None and suffix in (".tif", ".tiff"):
            kept["tiffinfo"] = {_XMP_TAG: self.xmp}
        elif self.xmp is not None and not (in_jpeg and len(self.xmp) > _MOST_IN_JPEG):
            kept["xmp"] = self.xmp
        return kept

    def lost(self, suffix: str) -> list[str]:
        """The texts that a file of this ending does not hold."""
        kept = list(self.texts) if suffix == ".png" else ["Comment"] if suffix in JPEG_SUFFIXES else []
        return [key for key in self.texts if key not in kept]
