"""The page needs nothing but its own server, and no other page gets anything from that."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from sdedit.studio.serving import RunningStudio
from tests.helpers.browser import Studio, launched

FOREIGN = """<!doctype html><title>elsewhere</title><form id="form" method="post" enctype="text/plain"></form>"""


@contextmanager
def another_site() -> Iterator[int]:
    """A web site at another port of this machine; its port."""

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FOREIGN.encode())

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_asks_nobody_else_and_has_nothing_to_complain_of(browser: Any, running: RunningStudio) -> None:
    context = browser.new_context()
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = Studio(context.new_page(), running.url)
    page.painted()
    page.stroke((100, 100), (200, 200))
    page.page.locator("#more").click()
    page.page.locator("#variants button").nth(3).wait_for()
    page.page.locator("#new").click()
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("?")
    page.page.keyboard.press("Escape")
    page.page.locator("#theme").click()
    page.painted()
    assert [url for url in asked if not url.startswith((running.url, f"blob:{running.url}", "data:"))] == []
    assert page.said == []
    context.close()


@pytest.fixture
def images(studio: httpx.Client) -> Callable[[], int]:
    """How many images were painted."""
    return lambda: studio.get("/api/status").json()["counts"]["images"]


def test_a_foreign_page_cannot_paint(browser: Any, running: RunningStudio, images: Callable[[], int]) -> None:
    before = images()
    with another_site() as port:
        page = browser.new_context().new_page()
        for host in ("127.0.0.1", "localhost"):
            page.goto(f"http://{host}:{port}/")
            refused = page.evaluate(
                "async (url) => {"
                "  const outcomes = [];"
                "  const ways = [{}, { mode: 'no-cors' }, { credentials: 'include' }, { headers: { 'X-A': '1' } }];"
                "  for (const options of ways) {"
                "    const answer = await fetch(url + 'api/paint?steps=1', { method: 'POST', body: 'x', ...options })"
                "      .catch(() => null);"
                "    outcomes.push(answer === null || (answer.type === 'opaque' && answer.status === 0));"
                "  }"
                "  return outcomes;"
                "}",
                running.url,
            )
            assert refused == [True] * 4
            seen = page.evaluate(
                "(url) => new Promise((resolve) => {"
                "  const image = new Image(); image.onload = () => resolve(true); image.onerror = () => resolve(false);"
                "  image.src = url + 'icon.svg';"
                "})",
                running.url,
            )
            assert not seen
            with page.expect_navigation():
                page.evaluate("(url) => { form.action = url + 'api/paint'; form.submit() }", running.url)
            assert "error" in page.content()
        page.context.close()
    assert images() == before


def test_the_page_is_not_shown_in_a_frame_and_a_sandbox_has_no_access(browser: Any, running: RunningStudio) -> None:
    with another_site() as port:
        page = browser.new_context().new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.evaluate(
            "(url) => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame) }",
            running.url,
        )
        page.wait_for_timeout(300)
        assert page.frames[1].locator("#canvas").count() == 0
        page.context.close()
    page = Studio(browser.new_context().new_page(), running.url).page
    answer = page.request.get(running.url + "api/status", headers={"Origin": "null"})
    assert answer.status == 403
    page.context.close()


def test_a_name_that_is_pointed_at_this_machine_gets_nothing(playwright: Any, running: RunningStudio) -> None:
    with launched(playwright, "--host-resolver-rules=MAP evil.test 127.0.0.1") as browser:
        page = browser.new_page()
        for path in ("", "api/status", "main.js"):
            answer = page.goto(f"http://evil.test:{running.port}/{path}")
            assert answer.status == 403


@pytest.mark.parametrize(
    "path",
    [
        *("/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "/%2e%2e%2fapp.py", "/..%5capp.py", "/....//app.py"),
        *("/page/../../app.py", "/page/..%2f..%2fapp.py", "/%252e%252e/app.py", "/..%c0%afapp.py", "//etc/passwd"),
        "/page/",
    ],
)
def test_only_the_pages_own_files_are_there(running: RunningStudio, path: str) -> None:
    with httpx.Client() as session:
        request = httpx.Request("GET", httpx.URL(f"http://127.0.0.1:{running.port}", raw_path=path.encode()))
        assert session.send(request).status_code in (400, 404)
