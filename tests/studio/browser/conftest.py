"""One browser and one studio for each module of tests; each test has a storage of its own in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sdedit.studio.serving import RunningStudio
from tests.helpers.browser import Studio, launched, playwright_module

Open = Callable[..., Studio]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """Playwright, whose event loop would be in the way of other modules' own."""
    with playwright_module().sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    with launched(playwright) as browser:
        yield browser


@pytest.fixture
def open_studio(browser: Any, running: RunningStudio) -> Iterator[Open]:
    """Open the page of the studio with the tiny model in a tab with a storage of its own; options are the tab's."""
    contexts = []

    def open_page(*, width: int = 1280, height: int = 800, **options: Any) -> Studio:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        return Studio(contexts[-1].new_page(), running.url)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def studio_page(open_studio: Open) -> Studio:
    return open_studio()
