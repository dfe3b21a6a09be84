"""Work is never lost: reloads, a browser that is killed, a second tab, a disk that is full."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from sdedit.studio.serving import RunningStudio
from tests.helpers.browser import CHROMIUM, SWITCHES, Studio


def paint_a_little(page: Studio) -> None:
    """Strokes, some of them undone, and settings that are not the defaults."""
    page.set(colour="#c83214", size=33, seed=12345, symmetry="vertical")
    page.stroke((100, 100), (200, 160))
    page.stroke((300, 100), (400, 160))
    page.page.keyboard.press("m")
    page.stroke((250, 250), (280, 300))
    page.page.keyboard.press("m")
    page.stroke((300, 400), (400, 460))
    page.page.keyboard.press("z")


def test_a_reload_brings_everything_back(studio_page: Studio) -> None:
    page = studio_page
    paint_a_little(page)
    page.painted()
    page.wait_until("studio.history.entries.length > 0")
    page.kept()
    before, pixels, mask = page.history(), page.pixels(), page.mask()
    page.open()
    assert page.history() == before
    assert np.array_equal(page.pixels(), pixels)
    assert np.array_equal(page.mask(), mask)
    page.page.keyboard.press("y")
    assert page.ask("return studio.painting.cursor") == before["cursor"] + 1
    page.page.keyboard.press("z")
    page.page.keyboard.press("z")
    assert not np.array_equal(page.mask(), mask)
    assert page.said == []


def test_a_browser_that_is_killed_loses_nothing(playwright: Any, running: RunningStudio, tmp_path: Path) -> None:
    def start() -> tuple[Any, Studio]:
        options: dict[str, Any] = {"executable_path": CHROMIUM, "args": SWITCHES}
        context = playwright.chromium.launch_persistent_context(str(tmp_path), **options)
        return context, Studio(context.pages[0], running.url)

    context, page = start()
    paint_a_little(page)
    page.kept()
    before, pixels = page.history(), page.pixels()
    lock = (tmp_path / "SingletonLock").readlink().name  # host-pid
    os.kill(int(lock.rpartition("-")[2]), signal.SIGKILL)
    page.page.wait_for_event("close")
    for left in tmp_path.glob("Singleton*"):
        left.unlink()
    context, page = start()
    now = page.history()
    assert {**now, "entries": []} == {**before, "entries": []}
    assert np.array_equal(page.pixels(), pixels)
    context.close()


def test_the_same_painting_in_two_tabs_is_two_paintings(studio_page: Studio, running: RunningStudio) -> None:
    first = studio_page
    first.stroke((100, 100), (200, 160))
    first.kept()
    second = Studio(first.page.context.new_page(), running.url)
    assert "open in another tab" in second.page.locator("#notices").inner_text()
    assert np.array_equal(second.pixels(), first.pixels())
    second.stroke((300, 300), (400, 360))
    second.kept()
    first.page.bring_to_front()
    first.stroke((100, 300), (200, 360))
    first.kept()
    both = [first.pixels(), second.pixels()]
    assert not np.array_equal(*both)
    for page, pixels in zip([first, second], both, strict=True):
        page.page.bring_to_front()
        page.open()
        assert np.array_equal(page.pixels(), pixels)


def test_storage_that_fails_is_said_and_nothing_is_lost(studio_page: Studio) -> None:
    page = studio_page
    page.page.evaluate(
        "() => { const { prototype } = IDBObjectStore; const { put } = prototype;"
        " globalThis.mend = () => { prototype.put = put };"
        " prototype.put = () => { throw new DOMException('no room is left', 'QuotaExceededError') } }"
    )
    page.stroke((100, 100), (200, 160))
    pixels = page.pixels()
    notice = page.page.locator("#notices")
    notice.get_by_text("no room is left").wait_for()
    notice.get_by_role("button", name="Save").click()
    name, content = page.download(lambda: page.page.get_by_role("button", name="Painting Every stroke").click())
    assert name == "painting.sdedit.json"
    assert len(content) > 500
    assert np.array_equal(page.pixels(), pixels)
    page.page.evaluate("mend()")
    page.stroke((100, 200), (200, 260))
    pixels = page.pixels()
    page.page.locator("#kept[data-state=kept]").wait_for()
    page.open()
    assert np.array_equal(page.pixels(), pixels)


def test_a_painting_that_was_saved_is_opened_elsewhere(open_studio: Any, tmp_path: Path) -> None:
    page = open_studio()
    paint_a_little(page)
    page.page.keyboard.press("s")
    name, content = page.download(lambda: page.page.get_by_role("button", name="Painting Every stroke").click())
    (tmp_path / name).write_bytes(content)
    other = open_studio()
    other.page.set_input_files("#file", tmp_path / name)
    other.wait_until("studio.settings.values.seed === 12345")
    assert np.array_equal(other.pixels(), page.pixels())
    assert np.array_equal(other.mask(), page.mask())
    (tmp_path / "other.sdedit.json").write_text('{"program": "another"}')
    other.page.set_input_files("#file", tmp_path / "other.sdedit.json")
    other.page.get_by_text("cannot be opened").wait_for()


def test_the_history_goes_back_and_forgets(studio_page: Studio) -> None:
    page = studio_page
    page.painted()
    page.wait_until("studio.history.entries.length === 1")
    before = page.pixels()
    page.stroke((100, 100), (300, 160))
    page.painted()
    page.wait_until("studio.history.entries.length === 2")
    thumbs = page.page.locator("#history .thumb")
    thumbs.nth(1).click()
    page.wait_until("studio.painting.actions.at(-1).kind === 'start'")
    assert np.array_equal(page.pixels(), before)
    page.page.locator("#history li").nth(0).hover()
    page.page.locator("#history li").nth(0).get_by_role("button", name="Pin").click()
    page.page.locator("#history-clear").click()
    page.page.get_by_role("button", name="Delete them").click()
    page.wait_until("studio.history.entries.length === 1")
    assert page.ask("return studio.history.entries[0].pinned")
    page.page.locator("#history li").nth(0).hover()
    page.page.locator("#history li").nth(0).get_by_role("button", name="Delete").click()
    page.wait_until("studio.history.entries.length === 0")
    page.kept()
    page.still()
    page.open()
    assert page.ask("return studio.history.entries.filter(({ time }) => time < performance.timeOrigin).length") == 0
