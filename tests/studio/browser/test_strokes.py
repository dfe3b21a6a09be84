"""Strokes of mouse, pen and fingers: they come where they are drawn, in the colour that was chosen."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import Studio

RED = "#c83214"
RGB = (0xC8, 0x32, 0x14)


def blank(page: Studio, width: int = 256, height: int = 256) -> None:
    page.still()
    page.sheet(width, height)
    page.set(colour=RED, size=9, tool="brush")


@pytest.mark.parametrize(("ratio", "zoom"), [(1, 0.8), (1, 1.5), (2, 1), (3, 1.5)])
def test_a_stroke_comes_where_the_pointer_is(open_studio: Any, ratio: int, zoom: float) -> None:
    page = open_studio(device_scale_factor=ratio)
    page.ask("document.documentElement.style.zoom = it", zoom)
    blank(page)
    for x, y in [(31.5, 40.5), (200.5, 128.5), (128.5, 250.5)]:
        page.stroke((x, y))
        changed = np.argwhere((page.pixels() != 255).any(axis=-1))
        assert tuple(page.pixels()[int(y), int(x)]) == RGB
        assert np.allclose(changed.mean(axis=0) + 0.5, (y, x), atol=1)  # of a pixel of the document
        page.ask("studio.painting.undo()")


def test_a_stroke_comes_where_the_pointer_is_on_a_page_that_is_scrolled_and_enlarged(open_studio: Any) -> None:
    page = open_studio(width=390, height=500)
    blank(page)
    page.page.evaluate("scrollTo(0, 60)")
    page.ask("studio.view.magnify(3)")
    page.stroke((128.5, 128.5))
    assert tuple(page.pixels()[128, 128]) == RGB
    assert (page.pixels() != 255).any(axis=-1).sum() < 90


def test_every_colour_reaches_the_server_as_it_was_chosen(open_studio: Any) -> None:
    page = open_studio()
    blank(page, 64, 64)
    page.page.evaluate(
        "() => { for (const [kind, name] of [[CanvasRenderingContext2D, 'getImageData'], [HTMLCanvasElement, 'toBlob'],"
        " [HTMLCanvasElement, 'toDataURL']]) kind.prototype[name] = () => { throw new Error('nothing is read back') } }"
    )
    page.set(tool="line", size=30)
    generator = random.Random(5)
    chosen = [tuple(generator.randrange(256) for _ in range(3)) for _ in range(16)]
    for index, colour in enumerate(chosen):
        x, y = index % 4 * 16 + 8, index // 4 * 16 + 8
        page.ask(
            "const [left, top, colour] = it; const brush = { size: 14, hardness: 1, symmetry: 'none' };"
            "studio.painting.do({ kind: 'stroke', layer: 'strokes', erases: false, colour, opacity: 1, brush,"
            " points: [left, top, 1] })",
            [x, y, "#{:02x}{:02x}{:02x}".format(*colour)],
        )
    with page.page.expect_request("**/api/paint*") as request:
        page.page.keyboard.press("Enter")
    sent = np.asarray(Image.open(io.BytesIO(request.value.post_data_buffer)))
    assert [tuple(sent[index // 4 * 16 + 8, index % 4 * 16 + 8]) for index in range(16)] == chosen
    assert np.array_equal(sent, page.pixels())
    page.painted()
    assert page.said == []


def test_a_fill_colours_what_hangs_together(open_studio: Any) -> None:
    page = open_studio()
    blank(page)
    page.set(tool="line", size=6)
    page.stroke((0, 128), (256, 128))
    page.set(tool="fill")
    page.stroke((50, 200))
    pixels = page.pixels()
    assert (pixels[:120] == 255).all()
    assert (pixels[132:] == RGB).all()


class Pen:
    """A pen and fingers, by the browser's own protocol."""

    def __init__(self, page: Studio) -> None:
        self.page = page
        self.session = page.page.context.new_cdp_session(page.page)

    def pen(self, kind: str, x: float, y: float, force: float = 0.5, buttons: int = 1) -> None:
        left, top = self.page.place(x, y)
        button = "none" if kind == "mouseMoved" and not buttons else "left"
        self.session.send(
            "Input.dispatchMouseEvent",
            {"type": kind, "x": left, "y": top, "button": button, "buttons": buttons, "force": force}
            | {"pointerType": "pen", "clickCount": 1},
        )

    def touch(self, kind: str, *points: tuple[float, float], at: bool = False) -> None:
        places = points if at else [self.page.place(*point) for point in points]
        touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def stroke_width(page: Studio, column: int) -> int:
    return int((page.pixels()[:, column] != 255).any(axis=-1).sum())


def test_a_pens_stroke_is_as_wide_as_the_pen_is_pressed(open_studio: Any) -> None:
    page = open_studio()
    blank(page)
    page.set(size=40)
    pen = Pen(page)
    pen.pen("mousePressed", 20, 128, 0.1)
    for x in range(30, 240, 10):
        pen.pen("mouseMoved", x, 128, (x - 20) / 220)
    pen.pen("mouseReleased", 230, 128, 0.9)
    widths = [stroke_width(page, column) for column in (40, 90, 140, 190, 220)]
    assert widths == sorted(widths)
    assert widths[-1] > 2 * widths[0]
    page.ask("studio.painting.undo()")
    page.set(pressureSize=False)
    pen.pen("mousePressed", 20, 128, 0.1)
    pen.pen("mouseMoved", 200, 128, 0.2)
    pen.pen("mouseReleased", 200, 128, 0.2)
    assert abs(stroke_width(page, 100) - 40) <= 1


def test_the_eraser_uncovers_the_paper(open_studio: Any) -> None:
    page = open_studio()
    blank(page)
    page.stroke((20, 128), (236, 128))
    page.set(tool="eraser", size=30)
    page.stroke((128, 100), (128, 160))
    assert (page.pixels()[100:160, 126:130] == 255).all()
    assert (page.strokes()[100:160, 126:130] == 0).all()
    assert tuple(page.pixels()[128, 60]) == RGB


def test_the_other_end_of_a_pen_erases(open_studio: Any) -> None:
    """Events made by hand: the browser's protocol has no such end."""
    page = open_studio()
    blank(page)
    page.stroke((20, 128), (236, 128))
    page.set(size=30)
    page.ask(
        "const { canvas, pane } = studio.view; pane.setPointerCapture = () => {};"
        "for (const [type, [x, y], buttons] of it) canvas.dispatchEvent(new PointerEvent(type, { pointerType: 'pen',"
        " pointerId: 9, button: 5, buttons, pressure: 1, clientX: x, clientY: y, bubbles: true, cancelable: true }))",
        [
            ["pointerdown", page.place(128, 100), 32],
            ["pointermove", page.place(128, 160), 32],
            ["pointerup", page.place(128, 160), 0],
        ],
    )
    assert (page.strokes()[100:160, 126:130] == 0).all()
    assert tuple(page.pixels()[128, 60]) == RGB
    assert page.ask("return [studio.painting.cursor, studio.settings.values.tool]") == [4, "brush"]


def test_a_finger_beside_a_pen_does_nothing(open_studio: Any) -> None:
    page = open_studio(has_touch=True)
    blank(page)
    pen = Pen(page)
    pen.pen("mousePressed", 40, 60)
    pen.pen("mouseMoved", 100, 60)
    before = page.ask("const { x, y, zoom } = studio.view; return [x, y, zoom]")
    pen.touch("touchStart", (120, 200))
    pen.touch("touchMove", (200, 200))
    pen.touch("touchEnd")
    pen.pen("mouseMoved", 200, 60)
    pen.pen("mouseReleased", 200, 60)
    assert (page.pixels()[150:] == 255).all()
    assert page.ask("const { x, y, zoom } = studio.view; return [x, y, zoom]") == before
    assert page.ask("return studio.painting.cursor") == 3  # the guide, the sheet, the stroke


def test_a_finger_paints_until_a_pen_was_seen_and_moves_the_view_then(open_studio: Any) -> None:
    page = open_studio(has_touch=True)
    blank(page)
    pen = Pen(page)
    for kind, points in (("touchStart", [(60, 60)]), ("touchMove", [(180, 60)]), ("touchEnd", [])):
        pen.touch(kind, *points)
    assert tuple(page.pixels()[60, 120]) == RGB
    pen.pen("mousePressed", 60, 200)
    pen.pen("mouseReleased", 60, 200)
    done, x = page.ask("return [studio.painting.cursor, studio.view.x]")
    start = page.place(60, 120)
    pen.touch("touchStart", start, at=True)
    pen.touch("touchMove", (start[0] + 50, start[1]), at=True)
    pen.touch("touchEnd")
    assert page.ask("return studio.painting.cursor") == done
    assert abs(page.ask("return studio.view.x") - x - 50) < 1


def test_two_fingers_move_and_enlarge_and_do_not_paint(open_studio: Any) -> None:
    page = open_studio(has_touch=True)
    blank(page)
    pen = Pen(page)
    a, b = page.place(100, 128), page.place(156, 128)
    pen.touch("touchStart", a, at=True)
    pen.touch("touchStart", a, b, at=True)
    pen.touch("touchMove", (a[0] - 40, a[1]), (b[0] + 40, b[1]), at=True)
    pen.touch("touchEnd")
    assert (page.pixels() == 255).all()
    assert page.ask("return studio.painting.cursor") == 2
    assert page.ask("return studio.view.zoom") > 1.3


def test_a_stroke_that_the_system_breaks_off_is_kept(open_studio: Any) -> None:
    page = open_studio(has_touch=True)
    blank(page)
    pen = Pen(page)
    for kind, points in (("touchStart", [(60, 60)]), ("touchMove", [(180, 60)]), ("touchCancel", [])):
        pen.touch(kind, *points)
    assert tuple(page.pixels()[60, 120]) == RGB
    assert page.ask("return [studio.painting.cursor, studio.painting.live]") == [3, None]
    page.ask("studio.painting.undo()")
    assert (page.pixels() == 255).all()


@pytest.mark.parametrize("axis", ["vertical", "horizontal"])
def test_a_mirrored_stroke_is_the_same_on_both_sides(open_studio: Any, axis: str) -> None:
    page = open_studio()
    blank(page)
    page.set(symmetry=axis)
    page.stroke((30, 40), (100, 90))
    pixels = page.pixels()
    assert np.array_equal(pixels, pixels[:, ::-1] if axis == "vertical" else pixels[::-1])
    assert (pixels != 255).any()


def test_a_stroke_that_crosses_itself_is_no_darker_there(open_studio: Any) -> None:
    page = open_studio()
    blank(page)
    page.set(opacity=0.5, size=20)
    page.stroke((40, 128), (200, 128), (40, 129), (200, 127))
    row = page.pixels()[128, 60:180]
    assert (row == row[0]).all()


def test_the_eyedropper_takes_colours_of_strokes_and_of_the_image(open_studio: Any) -> None:
    page = open_studio()
    page.painted()
    page.set(tool="eyedropper")
    pixels = page.pixels()
    page.stroke((300, 300))
    assert page.ask("return studio.settings.values.colour") == "#{:02x}{:02x}{:02x}".format(*pixels[300, 300])
    image = np.asarray(Image.open(io.BytesIO(bytes(page.ask("return [...studio.shown.result.image]")))))
    box = page.page.locator("#result").bounding_box()
    page.page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.7)
    expected = image[int(image.shape[0] * 0.7), int(image.shape[1] * 0.4)]
    page.wait_until("studio.settings.values.colour === it", "#{:02x}{:02x}{:02x}".format(*expected))
