"""Draw the stroke paintings in ``examples/guides``: guides for ``sdedit``, made with a few flat brush shapes.

Run ``python examples/make_guides.py [FOLDER]``. It needs NumPy and Pillow, and draws the same images every time.
Shapes are texts of points, "x,y x,y ...", in hundredths of a painting's short side from its top left corner.
"""

import argparse
from math import pi
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]

SIDE = 384  # pixels on the short side
SCALE = 2  # drawn this much larger, then shrunk, so that edges come out clean


def parse(text: str) -> np.ndarray:
    return np.array([[float(number) for number in point.split(",")] for point in text.split()])


class Painting:
    """A canvas and its brushes: masses, bands, blobs, strokes, conifers, and a mirror for still water."""

    def __init__(self, ground: Colour, seed: int, aspect: float = 1.0) -> None:
        self.image = Image.new("RGB", (round(aspect * SIDE) * SCALE, SIDE * SCALE), ground)
        self.pen = ImageDraw.Draw(self.image)
        self.right = 100 * aspect
        self.rng = np.random.default_rng(seed)

    def fill(self, colour: Colour, points: np.ndarray) -> None:
        self.pen.polygon([(x, y) for x, y in points * (SIDE * SCALE / 100)], fill=colour)

    def mass(self, colour: Colour, *outlines: str, rough: float = 0.1) -> None:
        """Fill polygons with ragged edges: each edge is halved four times and its middle pushed aside."""
        for outline in outlines:
            points = parse(outline)
            for _ in range(4):
                edge = np.roll(points, -1, axis=0) - points
                middle = points + edge / 2
                inside = ((middle > 0) & (middle < (self.right, 100))).all(axis=1, keepdims=True)
                push = rough * self.rng.normal(size=(len(edge), 1)).clip(-2, 2) * inside
                points = np.stack([points, middle + push * edge[:, ::-1] * (1, -1)], axis=1).reshape(-1, 2)
            self.fill(colour, points)

    def band(self, colour: Colour, top: str, rough: float = 0.06) -> None:
        """Fill everything below a line that runs from the left edge to the right edge."""
        left, right = parse(top)[[0, -1], 1]
        self.mass(colour, f"-10,200 -10,{left} {top} {self.right + 10},{right} {self.right + 10},200", rough=rough)

    def blob(self, colour: Colour, ellipses: str, rough: float = 0.05) -> None:
        """Fill uneven ellipses, each "x,y,width,height" about its centre."""
        turn = np.linspace(0, 2 * pi, 60, endpoint=False)
        for x, y, width, height in parse(ellipses):
            radius = 0.5 + sum(self.rng.normal(0, rough) * np.cos(n * turn + self.rng.uniform(0, 6)) for n in (2, 3, 5))
            self.fill(colour, np.stack([x + width * radius * np.cos(turn), y + height * radius * np.sin(turn)], axis=1))

    def stroke(self, colour: Colour, width: float, *paths: str) -> None:
        """Drag a brush about ``width`` thick along paths; it wavers, and thins towards the ends."""
        for path in paths:
            points = parse(path)
            along, knots = np.linspace(0, 1, 60 * len(points)), np.linspace(0, 1, 4 * len(points))
            x, y = (np.interp(along, np.linspace(0, 1, len(points)), axis) for axis in points.T)
            grow, shift = (np.interp(along, knots, self.rng.uniform(-0.25, 0.25, len(knots))) for _ in range(2))
            size = width * (1 + grow) * np.sin(pi * along).clip(0.2) ** 0.5
            for dab in zip(x, y + width * shift, size, size, strict=True):
                self.blob(colour, ",".join(map(str, dab)), rough=0.01)

    def conifers(self, colour: Colour, foot: float, trees: str) -> None:
        """Plant trees on the line ``foot``: for each, where it stands and how tall it is."""
        for x, height in parse(trees):
            half = 3 + 0.15 * height
            self.mass(colour, f"{x - half},{foot} {x},{foot - height - 4} {x + half},{foot}", rough=0.05)

    def mirror(self, level: float, water: Colour) -> None:
        """Fill what is below ``level`` with what is above it, upside down and mixed with the water's colour."""
        width, height = self.image.size
        above = self.image.crop((0, 0, width, round(level / 100 * height))).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        below = above.resize((width, height - above.height), Image.Resampling.NEAREST)
        self.image.paste(Image.blend(below, Image.new("RGB", below.size, water), 0.42), (0, above.height))

    def save(self, path: Path) -> None:
        """Round off small corners, shrink to the final size and write the file."""
        soft = self.image.filter(ImageFilter.MedianFilter(6 * SCALE + 1))
        soft.resize((self.image.width // SCALE, SIDE), Image.Resampling.BOX).save(path, optimize=True)


def mountain_lake() -> Painting:
    """Snowy peak, conifers on the shore, a lake that mirrors them."""
    snow, shade, rock = (232, 237, 243), (146, 166, 196), (88, 95, 109)
    p = Painting((128, 168, 206), seed=1)
    p.band((168, 196, 218), "0,26 50,23 100,28")
    p.blob((222, 229, 236), "8,12,36,11 22,16,28,7 93,17,34,10 80,6,20,6")
    p.band((136, 157, 182), "0,36 12,29 30,38 70,37 90,28 100,33", 0.1)
    p.mass(rock, "-5,62 17,38 29,29 50,6 62,20 76,33 105,62")
    p.mass(shade, "51,4 65,19 81,33 73,36 80,49 70,46 66,38 62,42 56,36 52,28", "80,38 93,52 84,47")
    p.mass(snow, "50,6 54,18 47,29 53,38 60,48 50,44 46,50 38,49 37,42 42,30 32,42 18,50 25,31 36,19")
    p.mass(rock, "60,22 66,30 63,36 58,30")
    p.band((70, 88, 78), "0,48 20,51 45,55 70,53 100,48")
    p.conifers((40, 55, 46), 60.5, "2,19 9,16 16,13 23,10 30,8 37,6 44,4 66,5 74,9 82,12 90,17 98,20")
    p.mirror(60, (62, 94, 118))
    p.stroke((128, 158, 180), 4, "30,66.5 66,67", "52,82 88,81.5")
    p.mass((60, 62, 52), "-10,86 15,89 36,95 50,110 -10,110", "60,110 80,95 110,88 110,110")
    p.blob((112, 110, 100), "12,94,13,6 27,96,9,5 90,96,13,6")
    return p


def glacier() -> Painting:
    """A glacier's ice wall, split by crevasses, where it meets grey-green water."""
    ice, shadow, deep, light = (196, 214, 226), (138, 172, 198), (82, 122, 154), (226, 234, 240)
    p = Painting((184, 195, 205), seed=2)
    p.band((116, 126, 140), "0,12 20,5 40,15 65,12 85,3 100,10", 0.1)
    p.mass(light, "20,6 30,11 24,18 12,20 15,12", "85,4 95,10 90,16 74,17 78,10")
    p.band(light, "0,26 30,21 55,18 80,22 100,19")
    p.band(ice, "0,34 12,29 30,34 45,28 60,33 80,27 100,31", 0.16)
    p.mass(shadow, "4,35 12,38 10,54 14,76 5,76 7,56", "24,40 31,37 33,54 30,76 21,76 26,58", "40,33 46,36 42,58")
    p.mass(shadow, "49,44 55,47 57,76 46,76 50,60", "66,36 74,34 72,52 76,66 68,76 69,50", "85,36 93,38 96,76 84,76")
    p.mass(deep, "14,50 19,46 18,76 12,76", "34,56 38,60 39,76 32,76", "55,34 64,36 62,62 57,60", "78,46 83,76 75,76")
    p.mass(deep, "26,52 31,48 30,66 26,64", "50,58 55,62 54,76 49,76", "88,52 96,76 86,76", "96,33 105,36 105,60 98,50")
    p.mass(light, "-5,40 4,44 3,68 -5,66", "44,40 49,38 47,66 43,60", "61,46 66,42 66,76 62,76", "80,34 85,38 82,56")
    p.band((90, 114, 120), "0,70 30,72 60,70 100,72", 0.03)
    p.stroke((126, 152, 162), 5, "0,76 48,77", "58,79 98,77")
    p.band((70, 92, 98), "0,88 40,92 70,89 100,92")
    p.blob(shadow, "21,86.5,14,5 56,84.5,10,4 83,90.5,19,6")
    p.blob((212, 225, 233), "20,84.5,14,5 55,83,10,4 82,88,18,6")
    return p


def sunset_sea() -> Painting:
    """A low sun over a dark sea, and a headland against the light."""
    p = Painting((102, 108, 136), seed=3)
    p.band((164, 132, 142), "0,16 40,20 100,14")
    p.band((208, 146, 120), "0,30 50,27 100,31")
    p.band((234, 178, 122), "0,43 40,36 70,37 100,44")
    p.stroke((122, 102, 120), 7, "-15,13 20,11 44,8", "48,24 80,20 120,18", "-5,31 34,28", "58,36 100,33")
    p.stroke((226, 138, 108), 5, "54,27 94,25")
    p.blob((246, 208, 148), "44,49,36,16")
    p.blob((255, 240, 200), "44,47.5,11,11", 0.01)
    p.band((68, 74, 98), "0,53.5 100,53.5", 0)
    p.stroke((128, 106, 114), 4.5, "0,57 100,56.5", "4,75 32,75", "60,78 88,78", "62,95 94,95")
    p.stroke((48, 52, 74), 6, "-5,68 34,67", "58,70 105,70", "-5,83 36,82", "56,87 105,86", "0,94 37,95")
    p.blob((236, 182, 128), "44,56,17,4.5 45,62,12,4.5 43,68,19,4.5 46,75,14,5 43,83,21,5 45,92,16,5")
    p.mass((34, 32, 42), "60,56 68,50 76,47 83,38 95,34 110,30 110,64 85,60")
    return p


def storm_sea() -> Painting:
    """Green-grey waves and foam under heavy clouds."""
    foam, light, dark = (212, 220, 220), (110, 132, 130), (46, 64, 68)
    p = Painting((138, 146, 153), seed=4)
    p.blob((92, 100, 110), "10,6,50,20 60,2,60,18 95,12,44,22 40,20,40,12")
    p.blob((116, 124, 133), "28,13,30,9 74,22,36,10 8,26,30,9")
    p.stroke((182, 188, 192), 6, "20,34 80,33")
    p.band((84, 102, 106), "0,40 100,40", 0)
    p.stroke((62, 80, 86), 4.5, "-20,43 68,44", "24,51 66,50")
    p.band((70, 90, 92), "0,56 20,50 42,57 62,53 80,48 100,55")
    p.stroke(foam, 5, "4,53 20,49.5 34,52", "62,54.5 78,50 96,52")
    p.stroke(light, 6, "4,59 28,58", "72,58 98,60")
    p.band(dark, "0,68 15,70 35,62 50,58 66,66 85,72 100,66")
    p.mass(light, "26,69 42,62 52,59 64,66 52,70 40,78")
    p.stroke(foam, 7, "24,68 42,60.5 54,58.5 64,64 80,75", "36,73 54,67")
    p.band((62, 82, 84), "0,80 20,86 50,88 75,82 100,76")
    p.stroke(foam, 7, "68,86 88,80 120,73", "-20,76 24,87")
    p.stroke(light, 6, "20,90 60,95")
    p.stroke((164, 178, 178), 6, "54,97 96,90")
    return p


def alpine_dawn() -> Painting:
    """Peaks lit pink by the first sun, above a snow valley in blue shadow."""
    lit, rose, shade, rock, blue = (236, 196, 182), (204, 156, 156), (116, 126, 158), (80, 82, 104), (138, 152, 186)
    p = Painting((142, 162, 194), seed=5)
    p.band((190, 186, 202), "0,20 50,16 100,22")
    p.stroke((220, 200, 202), 6, "-20,9 42,6")
    p.band((162, 158, 182), "0,36 25,28 45,35 60,30 100,28", 0.1)
    p.band(shade, "0,24 7,16 18,30 34,44 46,40 56,26 68,8 80,22 90,17 100,28")
    p.mass(lit, "68,8 72,20 66,30 71,42 58,46 42,44 50,34 57,24", "90,17 92,28 87,38 79,36 82,24")
    p.mass(lit, "7,16 12,28 10,40 -10,44 -10,26")
    p.mass(rose, "63,22 62,32 56,42 51,42 56,32", "2,28 4,36 -4,40")
    p.mass(rock, "73,20 80,30 82,42 75,47 74,36", "15,31 24,40 30,50 20,46", "94,26 105,36 105,46 94,42")
    p.band((152, 164, 194), "0,50 30,48 55,52 80,50 100,48")
    p.band((180, 191, 214), "0,66 30,64 60,60 100,64")
    p.mass((62, 70, 88), "-10,50 12,53 26,57 40,60 28,63 20,72 -10,74", "64,58 80,54 110,50 110,74 86,68")
    p.conifers((46, 54, 68), 75, "1,20 7,17 12,13 18,9 89,9 94,14 100,18")
    p.mass(blue, "-10,71 10,74 30,70 62,75 44,86 -10,88", "60,66 110,70 110,83 80,78", "30,110 60,92 110,88 110,110")
    return p


def fjord() -> Painting:
    """A narrow fjord between steep walls."""
    wall, grass, rock = (52, 62, 58), (80, 92, 70), (98, 104, 106)
    p = Painting((198, 208, 217), seed=6, aspect=1.5)
    p.stroke((222, 228, 232), 8, "30,10 110,6")
    p.stroke((178, 190, 201), 6, "44,20 102,17")
    p.band((148, 165, 182), "0,30 50,34 66,25 80,36 95,30 150,30")
    p.mass((218, 224, 230), "66,25 73,30 68,35 60,33")
    p.mass((106, 124, 136), "30,70 30,40 45,22 58,34 68,48 76,62 76,70")
    p.mass((90, 108, 116), "70,70 70,62 82,46 94,30 110,18 130,30 130,70")
    p.mass(wall, "-10,-10 28,-10 34,10 43,22 46,36 56,50 64,61 64,90 -10,90")
    p.mass(wall, "160,-10 134,2 122,10 112,26 106,42 94,52 84,61 84,90 160,90")
    p.mass(rock, "2,-5 10,6 14,20 20,32 12,30 4,16", "24,2 30,8 33,26 28,20", "37,22 42,28 45,44 40,38")
    p.mass(rock, "148,2 140,22 128,34 134,20 138,6", "124,12 122,26 114,38 116,24")
    p.mass(grass, "-9,36 10,42 26,55 -9,57", "22,32 32,42 46,56 32,55", "160,30 142,38 126,55 160,57")
    p.mass(grass, "126,38 116,43 102,56 118,55")
    p.mirror(60, (58, 84, 96))
    p.stroke((136, 156, 168), 5, "46,66 96,66.5")
    p.stroke((112, 134, 146), 6, "34,84 108,86")
    p.band((48, 68, 78), "0,93 40,96 100,95 150,92")
    return p


def coast() -> Painting:
    """A beach, shallow and deep water, and a green headland."""
    foam, deep = (230, 234, 231), (46, 92, 124)
    p = Painting((144, 182, 212), seed=7, aspect=4 / 3)
    p.band((186, 207, 220), "0,24 70,22 133,25")
    p.blob((226, 231, 235), "25,14,42,10 45,19,30,7 100,9,36,8")
    p.band(deep, "0,37.5 133,37.5", 0)
    p.mass((118, 142, 152), "-10,39 0,33 15,31 30,34 46,39")
    p.mass((74, 90, 62), "62,43 74,34 90,28 105,21 120,20 145,16 145,60 110,50")
    p.mass((104, 117, 78), "88,32 106,24 120,23 140,20 140,28 112,32")
    p.mass((52, 68, 50), "98,40 115,36 140,33 140,44 115,43")
    p.stroke((128, 118, 100), 6, "66,42 95,44 115,49 150,56")
    p.band((74, 136, 154), "0,53 30,50 70,47 100,49 133,58")
    p.stroke(deep, 5, "4,58 52,56")
    p.band((130, 180, 182), "0,71 30,68 80,58 110,54 133,60")
    p.stroke(foam, 5, "8,70 46,64")
    p.band(foam, "0,80 25,77 60,69 90,61 133,59")
    p.band((174, 158, 134), "0,86 28,82 64,73 95,64 133,62")
    p.band((210, 195, 166), "0,97 40,90 75,78 105,68 133,66")
    p.mass((94, 104, 72), "108,110 114,94 124,88 140,80 140,110")
    return p


def rocky_ridge() -> Painting:
    """A brown and grey mountain behind a dry grass slope."""
    lit, rock, dark = (152, 142, 130), (114, 108, 104), (78, 75, 78)
    p = Painting((174, 192, 208), seed=8)
    p.band((203, 211, 216), "0,20 50,16 100,22")
    p.stroke((222, 226, 228), 6, "-8,10 38,8")
    p.band((158, 170, 182), "0,30 20,35 50,38 85,30 100,33", 0.1)
    p.band(rock, "0,40 10,36 20,28 28,32 42,18 50,20 62,7 70,20 77,22 88,36 100,42", 0.13)
    p.mass(lit, "62,7 64,20 56,34 60,46 44,60 46,44 40,36 50,20", "77,23 80,34 76,44 80,56 70,56 70,36")
    p.mass(lit, "20,28 22,40 14,46 16,58 -10,62 -10,46 10,36")
    p.mass(dark, "65,14 70,24 66,36 70,48 63,58 62,44 59,34", "24,32 32,38 36,50 28,62 22,50")
    p.mass(dark, "85,38 94,44 100,56 88,58 87,48")
    p.mass(rock, "54,26 53,36 48,44 48,34")
    p.band((106, 104, 76), "0,60 30,58 60,64 100,58")
    p.band((150, 142, 94), "0,68 30,72 60,74 100,66")
    p.mass((174, 164, 114), "30,78 60,78 110,70 110,82 60,88")
    p.mass((120, 116, 76), "-10,84 30,88 60,96 50,110 -10,110")
    p.blob((72, 79, 57), "10,64,10,6 20,66,8,5 46,66,10,6 86,63,11,7")
    p.blob((88, 84, 80), "14,82,12,7 31,86,8,5 80,94,17,9")
    p.blob((138, 132, 124), "12,80.5,10,6 30,84.5,7,4 77,91.5,14,7")
    return p


PAINTINGS = [mountain_lake, glacier, sunset_sea, storm_sea, alpine_dawn, fjord, coast, rocky_ridge]


def main() -> None:
    """Draw every painting into the folder."""
    parser = argparse.ArgumentParser(description="Draw the example stroke paintings.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "guides")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for paint in PAINTINGS:
        paint().save(folder / f"{paint.__name__.replace('_', '-')}.png")


if __name__ == "__main__":
    main()
