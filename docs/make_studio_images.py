"""Take the screenshots and the animation of the studio in docs/images.

Run ``python docs/make_studio_images.py``. It starts a studio with the built-in model, opens it in Chromium (that of
SDEDIT_CHROMIUM, or /usr/bin/chromium) and needs the packages that the tests need. Every stroke of the animation is
drawn with the mouse; a frame is taken on the way, and one when its image is there.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
GUIDES = Path(__file__).parent.parent / "sdedit" / "studio" / "static" / "guides.json"
CHROMIUM = os.environ.get("SDEDIT_CHROMIUM", "/usr/bin/chromium")
SIZES = {"desktop": (1280, 800), "tablet": (820, 1180), "phone": (390, 844)}
SCHEMES = ("light", "dark")
QUALITY = 82  # of WebP files
FILM_WIDTH, FILM_QUALITY = 720, 66
SHOWN, LAST = 110, 2600  # milliseconds of a frame, and of the last one


@contextmanager
def studio() -> Iterator[str]:
    """A studio in a process of its own; its address."""
    words = [sys.executable, "-m", "sdedit", "studio", "--port", "0", "--no-open", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def opened(browser: Browser, url: str, size: str, scheme: Any) -> Page:
    """The page, once its first image is there."""
    width, height = SIZES[size]
    phone, desktop = size == "phone", size == "desktop"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        is_mobile=phone,
        has_touch=not desktop,
        device_scale_factor=2 if phone else 1,
    )
    page = context.new_page()
    page.goto(url)
    painted(page)
    return page


def painted(page: Page) -> None:
    """Wait until the image belongs to the painting."""
    while not page.evaluate("import('/main.js').then(({ studio }) => studio.live.current)"):
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)  # for it to fade in


def screenshots(browser: Browser, url: str) -> None:
    """The page at three sizes, in both colour schemes."""
    for size in SIZES:
        for scheme in SCHEMES:
            page = opened(browser, url, size, scheme)
            if size == "desktop":
                page.locator("#more").click()
                page.locator("#variants button").nth(3).wait_for(timeout=120_000)
            page.mouse.move(2, 2)
            page.wait_for_timeout(1500)  # the history has its first entry
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            shot.save(IMAGES / f"studio-{size}-{scheme}.webp", quality=QUALITY, method=6)
            page.context.close()


def edit(browser: Browser, url: str) -> None:
    """A photograph with strokes on it, and what becomes of them."""
    page = opened(browser, url, "desktop", "light")
    page.set_input_files("#file", GUIDES.parents[3] / "examples" / "painted" / "coast-256.jpg")
    page.get_by_role("button", name="A photograph to edit").click()
    page.get_by_text("what you paint becomes part of it").wait_for()
    choose(page, "#4b5c3f", 30)
    draw(page, [(250, 95), (300, 70), (341, 60)])
    choose(page, "#6f7681", 22)
    draw(page, [(60, 200), (80, 205)])
    painted(page)
    page.mouse.move(2, 2)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.save(IMAGES / "studio-edit.webp", quality=QUALITY, method=6)
    page.context.close()


def choose(page: Page, colour: str, size: float, tool: str = "brush") -> None:
    """A colour and a brush."""
    page.evaluate(
        "(chosen) => import('/main.js').then(({ studio }) => {"
        " for (const [name, value] of Object.entries(chosen)) studio.settings.set(name, value) })",
        {"colour": colour, "size": size, "tool": tool},
    )


def place(page: Page, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of the document is in the window."""
    x, y = page.evaluate(
        "([x, y]) => import('/main.js').then(({ studio: { view } }) => {"
        " const { left, top, width, height } = view.canvas.getBoundingClientRect();"
        " return [left + (x * width) / view.width, top + (y * height) / view.height] })",
        point,
    )
    return x, y


def draw(page: Page, points: list[tuple[float, float]], frame: Any = lambda: None) -> None:
    """A stroke of the mouse; `frame` is called on the way."""
    page.mouse.move(*place(page, points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(page, point), steps=6)
        frame()
    page.mouse.up()


def film(browser: Browser, url: str) -> None:
    """A guide painted stroke by stroke, and the image that follows."""
    page = opened(browser, url, "desktop", "light")
    guide = next(guide for guide in json.loads(GUIDES.read_text()) if guide["name"] == "Sunset sea")
    start = {"kind": "start", "paper": guide["paper"], "base": None, "actions": []}
    page.evaluate(
        "(start) => import('/main.js').then(({ studio }) => studio.painting.do(start))",
        {**start, "width": guide["width"], "height": guide["height"]},
    )
    painted(page)
    clip = page.locator("#panes").bounding_box()
    frames: list[Image.Image] = []

    def frame() -> None:
        shot = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
        height = round(shot.height * FILM_WIDTH / shot.width)
        frames.append(shot.resize((FILM_WIDTH, height), Image.Resampling.LANCZOS))

    unit = guide["height"] / 100
    frame()
    for colour, diameter, *paths in guide["strokes"]:
        choose(page, colour, diameter * unit or 1, "brush" if diameter else "fill")
        for path in paths:
            points = [tuple(float(value) * unit for value in point.split(",")) for point in path.split()]
            points = [(min(max(x, 0), guide["width"]), min(max(y, 0), guide["height"])) for x, y in points]
            draw(page, points, frame)
        painted(page)
        page.mouse.move(2, 2)
        frame()
    durations = [SHOWN] * (len(frames) - 1) + [LAST]
    frames[0].save(
        IMAGES / "studio.webp",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=FILM_QUALITY,
        method=4,
    )
    page.context.close()


def main() -> None:
    """Take them all, or those that are named."""
    makers = {"screenshots": screenshots, "edit": edit, "film": film}
    with studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name in sys.argv[1:] or makers:
            makers[name](browser, url)
        browser.close()


if __name__ == "__main__":
    main()
