"""Keys, names, roles, contrast, sizes: the studio without a mouse, without eyes for fine print, on a small screen."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import Studio

KEYS = {
    "e": ("tool", "eraser"),
    "o": ("tool", "soft"),
    "u": ("tool", "line"),
    "g": ("tool", "fill"),
    "i": ("tool", "eyedropper"),
    "b": ("tool", "brush"),
    "m": ("layer", "mask"),
    "w": ("compare", "wipe"),
    "l": ("live", False),
}


def values(page: Studio) -> dict[str, Any]:
    return page.ask("return studio.settings.values")


def test_each_key_does_what_it_says(studio_page: Studio) -> None:
    page = studio_page
    press = page.page.keyboard.press
    for key, (name, value) in KEYS.items():
        press(key.upper() if key in "go" else key)  # with Caps Lock, too
        assert values(page)[name] == value, key
    before = values(page)
    press("x")
    assert (values(page)["colour"], values(page)["other"]) == (before["other"], before["colour"])
    press("]")
    assert values(page)["size"] > before["size"]
    press("[")
    press("[")
    assert values(page)["size"] < before["size"]
    press("n")
    assert values(page)["seed"] != before["seed"]
    press("+")
    assert page.ask("return studio.view.zoom") > 1
    press("0")
    assert page.ask("return studio.view.zoom") == 1
    press("?")
    page.page.get_by_role("dialog", name="Keys").wait_for()
    press("b")  # belongs to the dialog
    press("Escape")
    assert page.page.get_by_role("dialog").count() == 0


def test_keys_that_are_typed_into_a_field_leave_the_canvas_alone(studio_page: Studio) -> None:
    page = studio_page
    page.stroke((100, 100), (200, 200))
    page.set(tool="eraser")
    before = page.ask("return studio.painting.cursor")
    seed = page.page.get_by_role("textbox", name="Seed")
    seed.click()
    for key in ("b", "m", "[", "Control+z", "n", "Enter"):
        page.page.keyboard.press(key)
    assert page.ask("return studio.painting.cursor") == before
    assert (values(page)["tool"], values(page)["layer"], values(page)["seed"]) == ("eraser", "strokes", 7)
    seed.fill("42")
    page.page.keyboard.press("Tab")
    assert values(page)["seed"] == 42
    seed.fill("no number")
    page.page.keyboard.press("Tab")
    assert (values(page)["seed"], seed.input_value()) == (42, "42")


def test_a_painting_is_made_and_saved_with_the_keyboard_only(studio_page: Studio) -> None:
    page = studio_page
    press = page.page.keyboard.press
    for _ in range(60):
        press("Tab")
        if page.page.evaluate("document.activeElement.id") == "canvas":
            break
    else:
        raise AssertionError("the canvas is not among the stops of Tab")
    page.set(colour="#c83214")
    for key in (
        "ArrowLeft",
        "ArrowUp",
        "Shift+ArrowUp",
        "p",
        *["ArrowRight"] * 6,
        *["ArrowDown"] * 3,
        "p",
        "ArrowDown",
    ):
        press(key)
    assert tuple(page.pixels()[256 - 17, 256]) == (0xC8, 0x32, 0x14)
    assert tuple(page.pixels()[256 + 20, 256 - 16 + 96]) == (0xC8, 0x32, 0x14)
    assert page.ask("return studio.painting.cursor") == 2
    page.painted()
    press("s")
    dialog = page.page.get_by_role("dialog", name="Save")
    dialog.wait_for()
    for _ in range(4):
        press("Tab")
        if page.page.evaluate("document.activeElement.value") == "image":
            break
    name, content = page.download(lambda: press("Enter"))
    assert name.startswith("painted-")
    assert Image.open(io.BytesIO(content)).info["sdedit"]


def test_every_control_has_a_name_and_a_role(studio_page: Studio) -> None:
    page = studio_page
    nameless = page.page.evaluate(
        "() => [...document.querySelectorAll('button, input:not([hidden]), select, #canvas, #result, [tabindex]')]"
        ".filter((each) => !['aria-label', 'aria-labelledby'].some((name) => each.getAttribute(name)))"
        ".filter((each) => !each.textContent.trim() && !each.labels?.[0]?.textContent.trim())"
        ".map((each) => each.outerHTML)"
    )
    assert nameless == []
    tree = page.page.locator("body").aria_snapshot()
    for line in ("toolbar", 'button "Brush" [pressed]', 'slider "Strength t0', 'combobox "Model"', 'textbox "Seed"'):
        assert line in tree, line
    canvas = page.page.locator("#canvas")
    assert canvas.get_attribute("role") == "application"
    assert "Arrow keys" in page.page.locator(f"#{canvas.get_attribute('aria-describedby')}").inner_text()


def test_a_toolbar_is_one_stop_of_tab_and_arrows_move_inside(studio_page: Studio) -> None:
    page = studio_page
    stops = page.page.evaluate(
        "() => [...document.querySelectorAll('[role=toolbar]')]"
        ".map((bar) => bar.querySelectorAll('[tabindex=\"0\"]').length)"
    )
    assert set(stops) <= {0, 1}  # 0 of an empty one
    page.page.locator("[data-tool=brush]").focus()
    for key, tool in (("ArrowDown", "soft"), ("ArrowDown", "line"), ("ArrowUp", "soft"), ("Home", "brush")):
        page.page.keyboard.press(key)
        assert page.page.evaluate("document.activeElement.dataset.tool") == tool
    page.page.keyboard.press("End")
    assert page.page.evaluate("document.activeElement.id") == "mask"


def test_an_image_is_announced_once(studio_page: Studio) -> None:
    page = studio_page
    page.painted()
    page.page.evaluate(
        "() => { globalThis.said = []; new MutationObserver(() => globalThis.said.push(announce.textContent))"
        ".observe(announce, { childList: true }) }"
    )
    page.set(seed=11)
    page.painted()
    page.page.wait_for_timeout(200)
    assert page.page.evaluate("globalThis.said") == ["Painted with seed 11."]
    assert page.page.locator("#announce").get_attribute("role") == "status"


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colour, under) => {
    canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    return `rgb(${r}, ${g}, ${b})`;
  };
  const light = (colour) => {
    const parts = colour.match(/\\d+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = (element) => {
    if (!element) return "rgb(255, 255, 255)";
    return over(getComputedStyle(element).backgroundColor, ground(element.parentElement));
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const texts = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(element);
    const left = ":disabled, :disabled *, .hidden, .skip, #drop-hint, option";
    if (!texts || !element.checkVisibility({ visibilityProperty: true }) || element.matches(left)) continue;
    const behind = ground(element);
    const [a, b] = [light(over(style.color, behind)), light(behind)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.push(`${element.tagName}#${element.id} ${element.textContent.trim()}: ${contrast}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(open_studio: Any, scheme: str) -> None:
    page = open_studio(color_scheme=scheme)
    page.painted()
    assert page.page.evaluate(CONTRAST) == []
    page.page.keyboard.press("?")
    assert page.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(("width", "height"), [(360, 640), (320, 256), (820, 1180), (1280, 800)])
def test_no_part_is_beyond_the_window(open_studio: Any, width: int, height: int) -> None:
    """320 x 256 is a window of 1280 x 1024 at 400 %."""
    page = open_studio(width=width, height=height)
    page.painted()
    for compare in ("side", "wipe"):
        page.set(compare=compare)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        beyond = page.page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, canvas')]"
            ".filter((each) => each.checkVisibility() && !each.closest('.thumbs, .view'))"
            ".map((each) => [each.outerHTML, each.getBoundingClientRect()])"
            ".filter(([html, { left, right }]) => left < 0 || right > innerWidth + 0.5)"
        )
        assert beyond == []


def test_the_wipe_shows_strokes_on_the_left_and_the_image_on_the_right(studio_page: Studio) -> None:
    page = studio_page
    page.painted()

    def shown() -> np.ndarray:
        page.page.mouse.move(5, 5)
        page.page.wait_for_timeout(300)
        shot = page.page.screenshot(clip=page.page.locator("#canvas").bounding_box())
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)[:-40]  # above the grip

    page.set(compare="wipe", wipe=0)
    image = shown()
    page.set(wipe=100)
    strokes = shown()
    assert np.abs(image - strokes).mean() > 5
    page.set(wipe=30)
    wiped = shown()
    width = wiped.shape[1]
    left, right = slice(4, int(width * 0.3) - 4), slice(int(width * 0.3) + 4, width - 4)
    assert np.array_equal(wiped[:, left], strokes[:, left])
    assert np.array_equal(wiped[:, right], image[:, right])
    page.page.keyboard.down("c")
    assert np.array_equal(shown()[:, right], strokes[:, right])
    page.page.keyboard.up("c")
    assert np.array_equal(shown()[:, right], image[:, right])
    page.page.locator("#wipe").focus()
    page.page.keyboard.press("ArrowRight")
    assert values(page)["wipe"] == 31
    grip, canvas = (page.page.locator(each).bounding_box() for each in ("#wipe-grip", "#canvas"))
    y = grip["y"] + grip["height"] / 2
    page.page.mouse.move(grip["x"] + grip["width"] / 2, y)
    page.page.mouse.down()
    page.page.mouse.move(canvas["x"] + canvas["width"] * 0.6, y, steps=3)
    page.page.mouse.up()
    assert values(page)["wipe"] == 60
    assert page.ask("return studio.painting.cursor") == 1  # that was no stroke


def test_the_strokes_take_the_images_place_while_c_is_held(studio_page: Studio) -> None:
    page = studio_page
    page.painted()
    page.page.wait_for_timeout(300)
    clips = [page.page.locator(each).bounding_box() for each in ("#canvas", "#result")]
    page.page.keyboard.down("c")
    page.page.wait_for_timeout(200)
    before, after = (
        np.asarray(Image.open(io.BytesIO(page.page.screenshot(clip=clip))).resize((64, 64))).astype(int)
        for clip in clips
    )
    page.page.keyboard.up("c")
    assert np.abs(before - after).mean() < 2


def test_light_and_dark_can_be_chosen_and_stay(open_studio: Any) -> None:
    page = open_studio(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.page.evaluate(ground)
    button = page.page.locator("#theme")
    button.click()
    button.click()
    assert "dark" in button.get_attribute("aria-label")
    assert page.page.evaluate(ground) != light
    page.kept()
    page.open()
    assert page.page.evaluate(ground) != light
