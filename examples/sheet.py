"""Put the example paintings and what became of them side by side: sheets/gallery.png, sheets/t0.png.

Run ``python examples/sheet.py`` after ``examples/paint_all.sh`` has painted them. It needs Pillow.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
SIDE = 256  # height of a picture in a sheet, in pixels
GAP = 8


def enlarged(path: Path) -> Image.Image:
    """A picture at the height of the sheet's rows."""
    picture = Image.open(path).convert("RGB")
    return picture.resize((round(picture.width * SIDE / picture.height), SIDE), Image.Resampling.LANCZOS)


def sheet(rows: list[list[Path]], labels: list[str] | None = None) -> Image.Image:
    """Rows of pictures on white, with a line of labels above the columns."""
    pictures = [[enlarged(path) for path in row] for row in rows]
    top = 36 if labels else GAP
    width = max(sum(picture.width + GAP for picture in row) for row in pictures) + GAP
    canvas = Image.new("RGB", (width, top + len(rows) * (SIDE + GAP)), "white")
    pen = ImageDraw.Draw(canvas)
    for index, row in enumerate(pictures):
        left = GAP
        for column, picture in enumerate(row):
            canvas.paste(picture, (left, top + index * (SIDE + GAP)))
            if labels and index == 0:
                pen.text((left, 8), labels[column], "black", ImageFont.load_default(18))
            left += picture.width + GAP
    return canvas


def main() -> None:
    """Write the sheets."""
    (HERE / "sheets").mkdir(exist_ok=True)
    guides = sorted(HERE.glob("*.png"))
    squares = [path for path in guides if Image.open(path).width == Image.open(path).height]
    wide = [path for path in guides if path not in squares]
    pairs = [[path, HERE / "painted" / path.name] for path in squares + wide]
    rows = [pairs[i] + pairs[i + 1] for i in range(0, len(squares), 2)] + pairs[len(squares) :]
    sheet(rows).save(HERE / "sheets" / "gallery.png", optimize=True)

    guide = HERE / "mountain-lake.png"
    dial = [HERE / "painted" / f"mountain-lake-t{t0}.jpg" for t0 in (0.1, 0.5, 0.9)]
    labels = ["guide", "t0 = 0.1", "t0 = 0.5", "t0 = 0.9"]
    sheet([[guide, *dial]], labels).save(HERE / "sheets" / "t0.png", optimize=True)


if __name__ == "__main__":
    main()
