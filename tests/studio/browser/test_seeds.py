"""Seeds, with the built-in model: an image changes where the painting does, and a variant is the image of its seed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sdedit
from sdedit.checkpoints.models import BUILT_IN
from sdedit.studio.serving import RunningStudio
from tests.helpers.browser import Studio
from tests.helpers.studio import client, running_studio


@pytest.fixture(scope="module")
def built_in() -> Iterator[RunningStudio]:
    with running_studio([sdedit.load_model(BUILT_IN)]) as running:
        yield running


def decoded(values: list[int]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(bytes(values))).convert("RGB"), np.float64) / 255


def looks(page: Studio, act: str) -> tuple[np.ndarray, np.ndarray]:
    """The first preview and the image after something is done, (H, W, 3) in [0, 1]."""
    page.ask(
        "globalThis.first = null; studio.live.addEventListener('preview', ({ detail }) => {"
        " if (detail.step === 1) globalThis.first = [...detail.image] });" + act
    )
    page.painted()
    return decoded(page.ask("return globalThis.first")), decoded(page.ask("return [...studio.shown.result.image]"))


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    height, width = a.shape[:2]
    return float(np.sqrt(np.square(a - b)[height // 2 :, width // 2 :].mean()))  # in the quarter on the lower right


def test_with_one_seed_an_image_changes_where_the_painting_does_and_a_t0_is_suggested(
    browser: Any, built_in: RunningStudio
) -> None:
    context = browser.new_context()
    page = Studio(context.new_page(), built_in.url)
    page.painted()
    first, image = looks(page, "studio.live.paint()")
    stroke = (
        "studio.painting.do({ kind: 'stroke', layer: 'strokes', erases: false, colour: '#c83214', opacity: 1,"
        " brush: { size: 60, hardness: 1, symmetry: 'none' }, points: [40, 40, 1, 160, 120, 1] })"
    )
    first_painted, image_painted = looks(page, stroke)
    assert rmse(first, first_painted) < 0.02
    assert rmse(image, image_painted) < 0.06
    side = len(image) // 4
    assert np.abs(image - image_painted)[:side, :side].mean() > 0.05
    _, image_other = looks(page, "studio.settings.set('seed', 8)")
    assert rmse(image_painted, image_other) > 0.06
    page.page.locator("#suggest").click()
    page.wait_until("studio.painting.actions.at(-1).kind === 't0'")
    t0 = page.ask("return studio.painting.state.t0")
    assert 0.3 <= t0 <= 0.6
    assert page.page.locator("#t0-value").inner_text() == f"{t0:.2f}"
    assert "Noise level" in page.page.locator("#t0-note").inner_text()
    context.close()


def test_a_variant_is_the_image_of_its_seed(studio_page: Studio, running: RunningStudio) -> None:
    page = studio_page
    page.painted()
    page.page.locator("#more").click()
    page.page.locator("#variants button[data-seed='9']").click()
    assert page.ask("return [studio.settings.values.seed, studio.live.current]") == [9, True]  # nothing to paint anew
    taken = bytes(page.ask("return [...studio.shown.result.image]"))
    body = bytes(page.ask("return [...studio.shown.result.body]"))
    name = page.ask("return studio.shown.result.recipe.guide")
    with client(running) as session:
        answer = session.post("/api/paint", params={"t0": 0.5, "seed": 9, "name": name}, content=body)
    assert answer.content == taken


def test_a_large_image_has_the_size_that_was_asked_for(studio_page: Studio) -> None:
    page = studio_page
    page.painted()
    page.page.locator("#large-size").select_option("64 px")
    page.page.locator("#large").click()
    page.wait_until("studio.live.current && studio.shown.result.recipe.width === 64")
    page.stroke((100, 100), (200, 200))
    page.painted()
    assert page.ask("return studio.shown.result.recipe.width") == 16


def test_a_seed_that_is_not_kept_is_another_one_for_each_stroke(studio_page: Studio) -> None:
    page = studio_page
    page.still()
    page.page.locator("#locked").click()
    seeds = set()
    for n in range(3):
        page.stroke((100 + 20 * n, 100))
        seeds.add(page.ask("return studio.settings.values.seed"))
    assert len(seeds) == 3
