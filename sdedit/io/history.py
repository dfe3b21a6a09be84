"""What has been done to an image, in its EXIF data: where JPEG and WebP files have their recipe."""

from __future__ import annotations

from PIL import ExifTags, Image

_HISTORY = ExifTags.Base.ImageHistory
_MARK = "sdedit:"
_MOST_EXIF = 65533  # bytes in a JPEG file


def with_history(exif: bytes | None, told: str, file_format: str) -> bytes:
    """EXIF data with a recipe; as they are where they would not fit into a JPEG file any more."""
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    tags.get_ifd(ExifTags.IFD.Exif)[_HISTORY] = _MARK + told
    data = tags.tobytes()
    return exif if exif and file_format == "JPEG" and len(data) > _MOST_EXIF else data


def without_history(exif: Image.Exif) -> None:
    """Take a recipe out of EXIF data: it is not that of what is made of the image."""
    details = exif.get_ifd(ExifTags.IFD.Exif)
    if str(details.get(_HISTORY, "")).startswith(_MARK):
        del details[_HISTORY]


def history_of(image: Image.Image) -> str | None:
    """The recipe in an image's EXIF data, if there is one."""
    history = image.getexif().get_ifd(ExifTags.IFD.Exif).get(_HISTORY)
    return history.removeprefix(_MARK) if isinstance(history, str) and history.startswith(_MARK) else None
