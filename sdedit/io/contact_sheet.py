"""Contact sheets: labelled images in rows."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_GAP = 8
_LEAST = 192  # pixels; smaller images are shown enlarged, so that labels fit
_LINE = 16


def contact_sheet(rows: Sequence[Sequence[tuple[Image.Image, str]]]) -> Image.Image:
    """Rows of images of one size on white, each with its label above it, one or more lines.

    Raises:
        ValueError: if there are no images.
    """
    tiles = [tile for row in rows for tile in row]
    if not tiles:
        raise ValueError("a sheet needs images")
    width, height = tiles[0][0].size
    zoom = max(1.0, _LEAST / width)
    width, height = round(width * zoom), round(height * zoom)
    top = _LINE * max(label.count("\n") + 1 for _, label in tiles) + _GAP
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (_GAP + columns * (width + _GAP), len(rows) * (top + height + _GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for down, row in enumerate(rows):
        for across, (image, label) in enumerate(row):
            left, upper = _GAP + across * (width + _GAP), down * (top + height + _GAP)
            pen.multiline_text((left, upper + _GAP // 2), label, "black", font)
            sheet.paste(image.resize((width, height), Image.Resampling.BICUBIC), (left, upper + top))
    return sheet
