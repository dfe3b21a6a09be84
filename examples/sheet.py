"""Put the example paintings and what became of them side by side, in the folder sheets.

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
    pairs = [[path, HERE / "painted" / f"{path.stem}-256.jpg"] for path in squares + wide]
    rows = [pairs[i] + pairs[i + 1] for i in range(0, len(squares), 2)] + pairs[len(squares) :]
    sheet(rows).save(HERE / "sheets" / "gallery.jpg", quality=92)

    rows = [
        [HERE / f"{name}.png", *(HERE / f"painted/{name}-seed-{seed}.jpg" for seed in (1, 2, 3, 4))]
        for name in ("coast", "glacier", "storm-sea")
    ]
    sheet(rows, ["guide", "seed 1", "seed 2", "seed 3", "seed 4"]).save(HERE / "sheets" / "seeds.jpg", quality=92)

    times = (0.1, 0.3, 0.5, 0.7, 0.9)
    dial = [HERE / "painted" / f"mountain-lake-t{t0}.jpg" for t0 in times]
    labels = ["guide", *(f"t0 = {t0}" for t0 in times)]
    sheet([[HERE / "mountain-lake.png", *dial]], labels).save(HERE / "sheets" / "t0.jpg", quality=92)


if __name__ == "__main__":
    main()
