"""A browser on the studio's page, and what tests ask of it.

The page's own parts are reached by importing its module again, which gives the same one; code that needs `eval`, such
as Playwright's `wait_for_function`, is refused by the page's policy.
"""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from sdedit.diffusion.score_model import ScoreModel
from tests.helpers.studio import Gate, GatedModel

CHROMIUM = os.environ.get("SDEDIT_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
_LONG = 60.0  # seconds after which a test has failed
_STUDIO = "const { studio } = await import('/main.js'); "


def playwright_module() -> Any:
    """Playwright's package; the test is skipped, with the reason, where it or a browser is missing."""
    module = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs Chromium; there is none at {CHROMIUM}, and SDEDIT_CHROMIUM names no other")
    return module


@contextmanager
def launched(playwright: Any, *switches: str) -> Iterator[Any]:
    """Chromium, started."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SWITCHES, *switches])
    try:
        yield browser
    finally:
        browser.close()


class SlowModel(GatedModel):
    """A model whose evaluations take at least so many seconds, behind a gate."""

    seconds: float

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        time.sleep(self.seconds)
        return super().denoise(x, sigma)


def slowed(model: ScoreModel, seconds: float) -> SlowModel:
    """The same model, slower."""
    copy = SlowModel(
        model.network, model.preconditioning, model.schedule, model.native_size, model.card, model.checksum
    )
    copy.gate, copy.seconds = Gate(), seconds
    return copy


class Studio:
    """The studio's page in a tab.

    Attributes:
        page: Playwright's.
        said: what the page wrote to its console, and its errors.
    """

    def __init__(self, page: Any, url: str, *, open_it: bool = True) -> None:
        self.page, self.url = page, url
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        if open_it:
            self.open()

    def open(self) -> None:
        """Load the page, or load it again."""
        self.page.goto(self.url)
        self.ready()

    def ready(self) -> None:
        self.page.locator("body[data-state=ready]").wait_for()

    def ask(self, code: str, argument: Any = None) -> Any:
        """What code in the page returns, which finds the page's parts in `studio` and the argument in `it`."""
        return self.page.evaluate(f"async (it) => {{ {_STUDIO} {code} }}", argument)

    def wait_until(self, code: str, argument: Any = None) -> None:
        """Until code in the page returns something true."""
        end = time.monotonic() + _LONG
        while not self.ask(f"return {code}", argument):
            assert time.monotonic() < end, f"never: {code}"
            self.page.wait_for_timeout(20)

    def painted(self) -> None:
        """Until the image belongs to the painting."""
        self.wait_until("studio.live.current")

    def kept(self) -> None:
        """Until all is on the disk."""
        self.wait_until("studio.keeper.unkept === 0")

    def still(self) -> None:
        """Paint nothing by itself from now on."""
        self.ask("studio.settings.set('live', false); studio.live.stop()")

    def set(self, **values: Any) -> None:
        self.ask("for (const [name, value] of Object.entries(it)) studio.settings.set(name, value)", values)

    def sheet(self, width: int, height: int, paper: str = "#ffffff") -> None:
        """Begin with an empty sheet."""
        start = {"kind": "start", "width": width, "height": height, "paper": paper, "base": None, "actions": []}
        self.ask("studio.painting.do(it)", start)
        self.wait_until("studio.view.width === it[0] && studio.view.height === it[1]", [width, height])

    def pixels(self) -> np.ndarray:
        """The painting as it is seen, (H, W, 3) uint8."""
        return self._array(
            "const { seen } = await import('/painting/actions.js');"
            "const { state, bases } = studio.painting; return [seen(state, bases), state.width];"
        )[..., :3]

    def strokes(self) -> np.ndarray:
        """The layer of strokes, (H, W, 4) uint8."""
        return self._array("const { state } = studio.painting; return [state.strokes, state.width];")

    def mask(self) -> np.ndarray:
        """(H, W) uint8."""
        return self._array("const { state } = studio.painting; return [state.mask, state.width];")[..., 0]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the document is in the window, in pixels of the page."""
        box = self.ask(
            "const box = studio.view.canvas.getBoundingClientRect();"
            "const { width, height } = studio.view;"
            "return [box.left + it[0] * box.width / width, box.top + it[1] * box.height / height]",
            [x, y],
        )
        return box[0], box[1]

    def stroke(self, *points: tuple[float, float], lift: bool = True) -> None:
        """A stroke of the mouse through points of the document."""
        for index, point in enumerate(points):
            self.page.mouse.move(*self.place(*point), steps=1 if index == 0 else 4)
            if index == 0:
                self.page.mouse.down()
        if lift:
            self.page.mouse.up()

    def drop(self, content: bytes, name: str, event: str = "drop") -> None:
        """Drop a file on the page, or paste it."""
        self.page.evaluate(
            "([content, name, event]) => {"
            "  const data = new DataTransfer();"
            "  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));"
            "  data.items.add(new File([bytes], name, { type: 'image/png' }));"
            "  const common = { bubbles: true, cancelable: true };"
            "  const sent = event === 'drop' ? new DragEvent('drop', { dataTransfer: data, ...common })"
            "    : new ClipboardEvent('paste', { clipboardData: data, ...common });"
            "  document.body.dispatchEvent(sent);"
            "}",
            [base64.b64encode(content).decode(), name, event],
        )

    def history(self) -> dict[str, Any]:
        """All that a reload has to bring back."""
        return self.ask(
            "await studio.history.entries; const { painting, settings, history } = studio;"
            "return { actions: painting.actions, cursor: painting.cursor, settings: settings.values,"
            " t0: painting.state.t0, entries: history.entries.map(({ time, result }) => [time, result.recipe]) }"
        )

    def download(self, act: Callable[[], object]) -> tuple[str, bytes]:
        """The name and the content of the file that an action saves."""
        with self.page.expect_download() as waiting:
            act()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    def _array(self, code: str) -> np.ndarray:
        text, width, channels = self.ask(
            f"const [values, width] = await (async () => {{ {code} }})();"
            "let text = ''; for (let at = 0; at < values.length; at += 32768)"
            " text += String.fromCharCode(...values.subarray(at, at + 32768));"
            "const { state } = studio.painting;"
            "return [btoa(text), width, values.length / (state.width * state.height)]"
        )
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, width, int(channels))
