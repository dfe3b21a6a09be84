"""Pictures in and out: any picture file becomes an RGB guide; tensors become pictures."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.files import reason

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF")
_MOST_PIXELS = 178_000_000  # beyond this a file is more likely an attack on memory than a picture


def open_picture(file: BinaryIO, name: str, background: str = "white") -> Image.Image:
    """Read a PNG, JPEG, WebP, TIFF, BMP or GIF (its first frame) as 8-bit sRGB, the right way up.

    Args:
        file: the picture file, open and seekable.
        name: what messages call it.
        background: colour that transparent pixels are laid on, as Pillow names it ("white", "#102030").

    Raises:
        SdeditError: if the file is not a whole picture of at most 178 million pixels.
    """
    try:
        picture = Image.open(file, formats=_FORMATS)
        if picture.width * picture.height > _MOST_PIXELS:
            raise _too_large(name)
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        return _to_srgb(picture, name, background)
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise SdeditError(f"{name} is not a PNG, JPEG, WebP, TIFF, BMP or GIF picture") from error
    except MemoryError as error:
        raise SdeditError(f"{name} does not fit into memory; shrink it first") from error
    # Pillow's decoders raise almost anything on damaged files.
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError) as error:
        text = reason(error) if isinstance(error, OSError) else str(error)
        raise SdeditError(f"{name} is damaged or not a whole picture: {text}") from error


def _too_large(name: str) -> SdeditError:
    return SdeditError(f"{name} has more than {_MOST_PIXELS // 10**6} million pixels; shrink it first")


def _to_srgb(picture: Image.Image, name: str, background: str) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_grey_levels(picture, name)).convert("RGB")
    profile = picture.info.get("icc_profile")
    has_alpha = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    if has_alpha:
        layer = picture.convert("RGBA")
        flat = Image.new("RGBA", layer.size, ImageColor.getrgb(background))
        picture = Image.alpha_composite(flat, layer).convert("RGB")
    elif picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("RGB")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None
            return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken or unfitting profile: the numbers as they are
    return picture.convert("RGB")


def _grey_levels(picture: Image.Image, name: str) -> np.ndarray:
    """Grey of more than 8 bits, scaled to 8: integers from [0, 65535], floating point from [0, 1]."""
    values = np.asarray(picture).astype(np.float64)
    top = 1.0 if picture.mode == "F" else 65535.0
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        raise SdeditError(f"{name} has grey values outside [0, {top:g}]; save it with 8 or 16 bits")
    return np.round(values * (255 / top)).astype(np.uint8)


def to_tensor(picture: Image.Image) -> Tensor:
    """RGB picture -> (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float().div_(255)


def to_picture(tensor: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> RGB picture, values rounded to 8 bits."""
    levels = tensor.detach().float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def fit_to(picture: Image.Image, short_side: int) -> Image.Image:
    """Resize so that the shorter side has `short_side` pixels, keeping the aspect ratio."""
    scale = short_side / min(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)
