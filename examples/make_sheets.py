"""Put examples and their results side by side, as contact sheets in docs/images.

Run ``python examples/make_sheets.py`` after ``paint_all.sh`` and the scripts in ``walkthrough``. It needs Pillow.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
PAINTED, WALKTHROUGH = HERE / "painted", HERE / "walkthrough"
GAP = 8  # between images, in pixels
LARGE, SMALL = 256, 192  # heights of a row

PASTED = {  # the places and scales of 3-compositing.sh
    ("coast", "rocky-ridge"): (8, 30, 0.8),
    ("storm-sea", "glacier"): (4, 22, 0.7),
    ("mountain-lake", "coast"): (60, 64, 1.0),
    ("sunset-sea", "alpine-dawn"): (4, 16, 0.8),
}


def contact_sheet(rows: list[list[Image.Image]], side: int, labels: tuple[str, ...] = ()) -> Image.Image:
    """Rows of images, `side` pixels high, on white; the labels stand above the columns of the first row."""
    scaled = [[_at_height(image, side) for image in row] for row in rows]
    top = 36 if labels else GAP
    width = max(sum(image.width + GAP for image in row) for row in scaled) + GAP
    canvas = Image.new("RGB", (width, top + len(rows) * (side + GAP)), "white")
    pen = ImageDraw.Draw(canvas)
    for index, row in enumerate(scaled):
        left = GAP
        for column, image in enumerate(row):
            canvas.paste(image, (left, top + index * (side + GAP)))
            if labels and index == 0:
                pen.text((left, 8), labels[column], "black", ImageFont.load_default(18))
            left += image.width + GAP
    return canvas


def pasted(background: Image.Image, patch: Image.Image, left: int = 0, top: int = 0, scale: float = 1.0) -> Image.Image:
    """A transparent patch on a background."""
    patch = patch.resize((round(patch.width * scale), round(patch.height * scale)), Image.Resampling.LANCZOS)
    whole = background.copy()
    whole.paste(patch, (left, top), patch)
    return whole


def in_pairs(rows: list[list[Image.Image]]) -> list[list[Image.Image]]:
    """Two rows in each line of a sheet."""
    return [[image for row in rows[i : i + 2] for image in row] for i in range(0, len(rows), 2)]


def _at_height(image: Image.Image, side: int) -> Image.Image:
    return image.resize((round(image.width * side / image.height), side), Image.Resampling.LANCZOS)


def _open(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def main() -> None:
    """Write the sheets."""
    guides = {path.stem: _open(path) for path in sorted((HERE / "guides").glob("*.png"))}
    pairs = {name: [guide, _open(PAINTED / f"{name}-256.jpg")] for name, guide in guides.items()}
    square = [pair for pair in pairs.values() if pair[0].width == pair[0].height]
    wide = [pair for pair in pairs.values() if pair[0].width != pair[0].height]
    contact_sheet(in_pairs(square) + wide, LARGE).save(IMAGES / "gallery.jpg", quality=92)

    names, seeds = ("coast", "glacier", "storm-sea"), (1, 2, 3, 4)
    rows = [[guides[name], *(_open(PAINTED / f"{name}-seed-{seed}.jpg") for seed in seeds)] for name in names]
    labels = ("guide", *(f"seed {seed}" for seed in seeds))
    contact_sheet(rows, LARGE, labels).save(IMAGES / "seeds.jpg", quality=92)

    times = (0.1, 0.3, 0.5, 0.7, 0.9)
    row = [guides["mountain-lake"], *(_open(PAINTED / f"mountain-lake-t{t0}.jpg") for t0 in times)]
    labels = ("guide", *(f"t0 = {t0}" for t0 in times))
    contact_sheet([row], LARGE, labels).save(IMAGES / "t0.jpg", quality=92)

    rows = []
    for layer in sorted(WALKTHROUGH.glob("*-strokes.png")):
        name = layer.stem.removesuffix("-strokes")
        before = _open(PAINTED / f"{name}.png")
        after = _open(WALKTHROUGH / "results" / f"{name}-edited.png")
        rows.append([before, pasted(before, Image.open(layer)), after])
    contact_sheet(in_pairs(rows), SMALL).save(IMAGES / "editing.png", optimize=True)

    rows = []
    for (name, patch), place in PASTED.items():
        before = _open(PAINTED / f"{name}.png")
        after = _open(WALKTHROUGH / "results" / f"{name}-with-{patch}.png")
        rows.append([before, pasted(before, Image.open(WALKTHROUGH / f"{patch}-part.png"), *place), after])
    contact_sheet(in_pairs(rows), SMALL).save(IMAGES / "compositing.png", optimize=True)


if __name__ == "__main__":
    main()
