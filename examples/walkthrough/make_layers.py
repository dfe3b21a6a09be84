"""Draw what the walk-through needs: strokes over four painted landscapes, and four parts cut out of them.

Run ``python examples/walkthrough/make_layers.py [FOLDER]``. It needs Pillow, and draws the same images every time.
The landscapes are those in ``examples/painted``, which sdedit painted; places are in their pixels.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).parent
PAINTED = HERE.parent / "painted"
FINE = 4  # drawn this much larger, then shrunk, so that edges come out clean

# Flat shapes: (colour, points of a polygon) on a transparent layer, for the landscape of that name.
STROKES = {
    "coast": [((66, 84, 62), "72,76 80,68 92,66 102,72 106,82 96,86 78,86")],
    "mountain-lake": [((236, 238, 242), "18,30 38,8 60,34 52,42 30,44"), ((150, 160, 176), "38,8 60,34 48,36 42,22")],
    "sunset-sea": [((36, 34, 44), "12,68 20,58 30,54 38,60 48,68 50,72 10,72")],
    "storm-sea": [((206, 214, 214), "6,100 40,90 84,94 122,86 122,94 86,104 40,100 8,108")],
}

# Parts: the outline that is cut out of a landscape.
PARTS = {
    "rocky-ridge": "34,74 44,40 52,26 60,22 70,36 82,52 94,74",
    "glacier": "10,96 14,62 40,50 74,54 96,66 100,96",
    "coast": "60,60 84,44 104,30 127,20 127,74 100,64",
    "alpine-dawn": "30,62 52,34 68,10 88,30 106,60 70,68",
}


def polygon(text: str) -> list[tuple[float, float]]:
    """Points of "x,y x,y ..." on the fine grid."""
    return [tuple(FINE * float(number) for number in point.split(",")) for point in text.split()]


def strokes(shapes: list[tuple[tuple[int, int, int], str]], size: tuple[int, int]) -> Image.Image:
    """A transparent layer with flat shapes on it."""
    layer = Image.new("RGBA", (size[0] * FINE, size[1] * FINE))
    pen = ImageDraw.Draw(layer)
    for colour, points in shapes:
        pen.polygon(polygon(points), fill=(*colour, 255))
    return layer.resize(size, Image.Resampling.LANCZOS)


def part(image: Image.Image, outline: str) -> Image.Image:
    """What is inside an outline, transparent round it, cut to its bounds."""
    alpha = Image.new("L", (image.width * FINE, image.height * FINE))
    ImageDraw.Draw(alpha).polygon(polygon(outline), fill=255)
    alpha = alpha.resize(image.size, Image.Resampling.BOX)
    cut = image.convert("RGB")
    cut.putalpha(alpha)
    return cut.crop(alpha.getbbox())


def main() -> None:
    """Write NAME-strokes.png and NAME-part.png."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, shapes in STROKES.items():
        size = Image.open(PAINTED / f"{name}.png").size
        strokes(shapes, size).save(folder / f"{name}-strokes.png", optimize=True)
    for name, outline in PARTS.items():
        part(Image.open(PAINTED / f"{name}.png"), outline).save(folder / f"{name}-part.png", optimize=True)


if __name__ == "__main__":
    main()
