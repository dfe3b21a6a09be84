"""What an image file says beside its pixels, profile and EXIF data: resolution, XMP and text."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from sdedit.io.files import JPEG_SUFFIXES

_XMP = "XML:com.adobe.xmp"  # the key of a text in a PNG
_XMP_WORDS, _IPTC_WORDS = "the XMP", "the IPTC data"
_XMP_TAG = 700  # of a TIFF
_OWN = "sdedit"  # what the package writes itself tells of another image
MOST_IN_JPEG = 65000  # bytes of a segment
_IPTC = 0x0404  # captions and credits, in a resource of Photoshop's


@dataclass(frozen=True)
class Beside:
    """What is kept of a file beside its pixels.

    Attributes:
        dpi: pixels per inch, across and down.
        xmp: the XMP packet.
        texts: of a PNG, by their keys; the comment of a JPEG as "Comment".
        iptc: of a JPEG, its captions and credits.
    """

    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    texts: dict[str, str] = field(default_factory=dict)
    iptc: bytes | None = None

    @classmethod
    def of(cls, image: Image.Image, given: Image.Image) -> Beside:
        """What an image says, the right way up; `given` is as it was opened."""
        dpi, xmp, comment = (image.info.get(name) for name in ("dpi", "xmp", "comment"))
        texts = {
            key: str(text)
            for key, text in getattr(given, "text", {}).items()
            if key != _XMP and not key.startswith(_OWN)
        }
        if given.format in ("JPEG", "MPO") and isinstance(comment, bytes):
            texts["Comment"] = comment.decode("utf-8", "replace")
        if dpi is not None and not (len(dpi) == 2 and min(dpi) > 0):
            dpi = None
        swapped = given.size != image.size  # it was turned
        return cls(
            None if dpi is None else (float(dpi[swapped]), float(dpi[not swapped])),
            xmp.encode() if isinstance(xmp, str) else xmp,
            texts,
            _iptc(image.info.get("photoshop")),
        )

    def metadata(self, suffix: str) -> dict[str, Any]:
        """The arguments of `sdedit.io.recipe.save_image` for a file of this ending."""
        kept: dict[str, Any] = {} if self.dpi is None else {"dpi": self.dpi}
        if suffix == ".png":
            xmp = {} if self.xmp is None else {_XMP: self.xmp.decode("utf-8", "replace")}
            return {**kept, "texts": {**self.texts, **xmp}}
        in_jpeg, lost = suffix in JPEG_SUFFIXES, self.lost(suffix)
        if in_jpeg and "Comment" in self.texts:
            kept["comment"] = self.texts["Comment"].encode()[:MOST_IN_JPEG]
        if in_jpeg and self.iptc is not None and _IPTC_WORDS not in lost:
            kept["extra"] = _photoshop_segment(self.iptc)
        if self.xmp is not None and suffix in (".tif", ".tiff"):
            kept["tiffinfo"] = {_XMP_TAG: self.xmp}
        elif self.xmp is not None and _XMP_WORDS not in lost:
            kept["xmp"] = self.xmp
        return kept

    def lost(self, suffix: str) -> list[str]:
        """What a file of this ending does not hold, in words."""
        in_jpeg = suffix in JPEG_SUFFIXES
        lost = []
        if self.xmp is not None and (suffix == ".bmp" or (in_jpeg and len(self.xmp) > MOST_IN_JPEG)):
            lost.append(_XMP_WORDS)
        if self.iptc is not None and not (in_jpeg and len(self.iptc) <= MOST_IN_JPEG):
            lost.append(_IPTC_WORDS)
        kept = list(self.texts) if suffix == ".png" else ["Comment"] if in_jpeg else []
        if texts := [key for key in self.texts if key not in kept]:
            lost.append(f"the text ({', '.join(texts)})")
        return lost


def _iptc(resources: Any) -> bytes | None:
    """The IPTC data among the resources of Photoshop in a JPEG, as Pillow gives them."""
    found = resources.get(_IPTC) if isinstance(resources, dict) else None
    return found if isinstance(found, bytes) and found else None


def _photoshop_segment(iptc: bytes) -> bytes:
    """The segment of a JPEG that holds IPTC data, and no other resource: the others tell of the old pixels."""
    resource = b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    content = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content
