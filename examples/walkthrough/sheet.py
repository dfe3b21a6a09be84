"""Put pictures, what was done to them and what became of it side by side: editing.png, compositing.png.

Run ``python examples/walkthrough/sheet.py`` after the scripts beside it. It needs Pillow.
"""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
SIDE, GAP = 192, 8  # height of a picture, and what is between them, in pixels

PASTED = {  # the places and scales of 3-compositing.sh
    ("coast", "rocky-ridge"): (8, 30, 0.8),
    ("storm-sea", "glacier"): (4, 22, 0.7),
    ("mountain-lake", "coast"): (60, 64, 1.0),
    ("sunset-sea", "alpine-dawn"): (4, 16, 0.8),
}


def pasted(background: Image.Image, part: Image.Image, left: int, top: int, scale: float) -> Image.Image:
    """A part on a background."""
    part = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.LANCZOS)
    whole = background.copy()
    whole.paste(part, (left, top), part)
    return whole


def sheet(rows: list[list[Image.Image]], path: Path) -> None:
    """Two rows beside each other in each line, enlarged, on white."""
    lines = [[_enlarged(picture) for picture in rows[i] + rows[i + 1]] for i in range(0, len(rows), 2)]
    width = max(sum(picture.width + GAP for picture in line) for line in lines) + GAP
    canvas = Image.new("RGB", (width, len(lines) * (SIDE + GAP) + GAP), "white")
    for down, line in enumerate(lines):
        left = GAP
        for picture in line:
            canvas.paste(picture, (left, GAP + down * (SIDE + GAP)))
            left += picture.width + GAP
    canvas.save(path, optimize=True)


def _enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((round(picture.width * SIDE / picture.height), SIDE), Image.Resampling.LANCZOS)


def main() -> None:
    """Write the sheets."""
    edits, composites = [], []
    for strokes in sorted(HERE.glob("*-strokes.png")):
        name = strokes.stem.removesuffix("-strokes")
        before = Image.open(HERE.parent / "painted" / f"{name}.png").convert("RGB")
        layer = Image.open(strokes)
        edits.append([before, pasted(before, layer, 0, 0, 1.0), Image.open(HERE / "results" / f"{name}-edited.png")])
    for (name, part), place in PASTED.items():
        before = Image.open(HERE.parent / "painted" / f"{name}.png").convert("RGB")
        cut = Image.open(HERE / f"{part}-part.png")
        composites.append(
            [before, pasted(before, cut, *place), Image.open(HERE / "results" / f"{name}-with-{part}.png")]
        )
    sheet(edits, HERE / "editing.png")
    sheet(composites, HERE / "compositing.png")


if __name__ == "__main__":
    main()
