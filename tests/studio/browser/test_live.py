"""Painting as it changes: previews from the first evaluation on, the last change always, a server that comes back."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdedit.diffusion.score_model import ScoreModel
from sdedit.studio.serving import RunningStudio
from tests.helpers.browser import SlowModel, Studio, slowed
from tests.helpers.images import blocks_picture
from tests.helpers.studio import GatedModel, client, running_studio

SECONDS = 0.025  # of an evaluation; twenty of them take longer than what an image may have left to be finished


@pytest.fixture
def model(loaded_model: ScoreModel) -> SlowModel:
    return slowed(loaded_model, SECONDS)


@pytest.fixture
def painter(model: SlowModel) -> Iterator[RunningStudio]:
    with running_studio([model]) as running:
        yield running


@pytest.fixture
def tab(browser: Any, painter: RunningStudio) -> Iterator[Any]:
    """Opens the studio's page in a tab with a storage of its own, and waits for the first image."""
    with ExitStack() as open_tabs:

        def opened() -> Studio:
            context = open_tabs.enter_context(browser.new_context())
            page = Studio(context.new_page(), painter.url)
            page.painted()
            return page

        yield opened


def nothing_runs(running: RunningStudio) -> None:
    """Wait until the server has nothing to do."""
    with client(running) as session:
        while session.get("/api/status").json()["queue"] != {"running": 0, "waiting": 0}:
            time.sleep(0.01)


def test_the_first_preview_comes_within_two_evaluations_after_the_pen_is_lifted(
    browser: Any, slow_studio: RunningStudio, slow: GatedModel
) -> None:
    context = browser.new_context()
    page = Studio(context.new_page(), slow_studio.url)
    slow.gate.wait_for(1)  # of the guide that the page begins with
    page.stroke((100, 100), (200, 200), (300, 100))
    page.wait_until("studio.live.runs.size === 2 && studio.live.asked === studio.live.change")
    assert page.ask("return studio.live.shown < studio.live.change")
    time.sleep(0.3)  # for the stroke to reach the server
    slow.gate.let(2)
    page.wait_until("studio.live.shown === studio.live.change")
    status = page.page.locator("#status")
    assert "Painting 1/20 · seed 7" in status.inner_text()
    assert page.page.locator("#result-pane").get_attribute("data-state") == "painting"
    slow.gate.let()
    page.painted()
    assert "t0 0.5" in status.inner_text()
    assert "seed 7" in status.inner_text()
    context.close()


def test_previews_come_while_one_paints_on_and_the_last_image_is_of_the_last_strokes(tab: Any) -> None:
    page = tab()
    page.ask("globalThis.seen = 0; studio.live.addEventListener('preview', () => { globalThis.seen += 1 })")
    page.stroke((20, 20), lift=False)
    moves = 0
    while page.ask("return globalThis.seen") < 10:
        for _ in range(20):
            moves += 1
            page.page.mouse.move(*page.place(20 + moves % 400, 20 + moves % 350))
        assert moves < 4000, "the previews stay away"
        assert page.ask("return studio.live.runs.size") <= 2
    page.page.mouse.up()
    page.painted()
    body = bytes(page.ask("return [...studio.shown.result.body]"))
    recipe = page.ask("return studio.shown.result.recipe")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(body))), page.pixels())
    assert recipe["guide_checksum"] == hashlib.sha256(body).hexdigest()
    assert recipe["guide"] == f"strokes-{recipe['guide_checksum'][:8]}.png"


@pytest.mark.parametrize("way", ["stop", "reload", "close"])
def test_nobody_paints_for_a_page_that_does_not_wait(
    tab: Any, model: SlowModel, painter: RunningStudio, way: str
) -> None:
    page = tab()
    model.gate.close()
    page.page.keyboard.press("Enter")
    model.gate.let(3)
    model.gate.wait_for(4)
    if way == "stop":
        page.page.locator("#stop").click()
        assert "Stopped" in page.page.locator("#status").inner_text()
    if way == "reload":
        page.set(live=False)
        page.kept()
        page.open()
    if way == "close":
        page.page.close()
    time.sleep(0.3)  # for the news to reach the server
    model.gate.let()
    nothing_runs(painter)
    assert model.gate.begun <= 6


def test_three_artists_at_once_get_a_first_preview_each_in_three_evaluations(tab: Any, model: SlowModel) -> None:
    pages = [tab() for _ in range(3)]
    model.gate.close()
    for page in pages:
        page.ask("studio.live.paint()")
        page.wait_until("studio.live.runs.size === 1")
    model.gate.wait_for(1)
    time.sleep(0.3)  # for all three to have reached the server
    model.gate.let(3)
    for page in pages:
        page.wait_until("studio.live.shown === studio.live.change")
    model.gate.let()
    for page in pages:
        page.painted()


def test_a_server_that_went_and_came_back_paints_what_was_drawn_meanwhile(
    browser: Any, loaded_model: ScoreModel
) -> None:
    with running_studio([loaded_model]) as running:
        page = Studio(browser.new_context().new_page(), running.url)
        page.painted()
    before = page.ask("return studio.shown.result.recipe.guide")
    page.stroke((100, 100), (300, 300))
    page.page.get_by_text("The server is gone; your work is kept.").wait_for()
    page.stroke((100, 300), (300, 100))
    with running_studio([loaded_model], port=running.port):
        page.painted()
        assert page.ask("return studio.shown.result.recipe.guide") != before
        body = bytes(page.ask("return [...studio.shown.result.body]"))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(body))), page.pixels())
    page.page.context.close()


def test_nothing_is_painted_by_itself_while_live_is_off(tab: Any, model: SlowModel) -> None:
    page = tab()
    page.page.keyboard.press("l")
    model.gate.close()
    page.stroke((100, 100), (200, 200))
    assert "Enter paints it" in page.page.locator("#status").inner_text()
    assert page.ask("return studio.live.runs.size") == 0
    assert model.gate.begun == 0
    model.gate.let()
    page.page.keyboard.press("Enter")
    page.painted()


def test_a_tab_that_nobody_sees_asks_for_nothing(tab: Any, model: SlowModel) -> None:
    page = tab()
    hide = "Object.defineProperty(document, 'hidden', { value: it, configurable: true });"
    page.ask(hide, True)
    model.gate.close()
    page.stroke((100, 100), (200, 200))
    assert (page.ask("return studio.live.runs.size"), model.gate.begun) == (0, 0)
    page.ask(hide + "document.dispatchEvent(new Event('visibilitychange'))", False)
    model.gate.wait_for(1)
    model.gate.let()
    page.painted()


def test_a_server_that_forgot_the_photograph_gets_it_again(browser: Any, loaded_model: ScoreModel) -> None:
    with running_studio([loaded_model]) as running:
        page = Studio(browser.new_context().new_page(), running.url)
        file = io.BytesIO()
        blocks_picture(48, 32).save(file, "PNG")
        page.drop(file.getvalue(), "photo.png")
        page.page.get_by_role("button", name="A photograph to edit").click()
        page.wait_until("studio.view.width === 48")
        page.page.keyboard.press("m")
        page.stroke((10, 10), (20, 10))
        page.painted()
        page.page.keyboard.press("m")
    with running_studio([loaded_model], port=running.port):
        page.stroke((12, 12), (24, 12))
        page.painted()
        assert page.ask("return [studio.shown.result.task, Boolean(studio.shown.result.recipe.mask)]") == ["edit", True]
    page.page.context.close()
