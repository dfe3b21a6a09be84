"""Who may ask: every way that another web page could try, and what the server's own page and a shell send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sdedit.studio.guard import Guard, Names, is_loopback

PORT = 7860
HOME = f"127.0.0.1:{PORT}"
TOKEN = "a-token-of-some-length"

Answer = tuple[int, dict[str, str], bytes]


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """The application behind the guard."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    guard: Guard, *headers: tuple[str, str], method: str = "GET", path: str = "/api/status", query: str = ""
) -> Answer:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        raise AssertionError("the body is none of the guard's business")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    asyncio.run(guard(scope, receive, send))
    head = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return messages[0]["status"], head, messages[1]["body"]


@pytest.fixture
def guard() -> Guard:
    return Guard(answers, Names.of("127.0.0.1", PORT))


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Host", "evil.test")],
        [("Host", f"evil.test:{PORT}")],
        [("Host", "127.0.0.1")],
        [("Host", "127.0.0.1:8000")],
        [("Host", f"127.0.0.1:{PORT}.evil.test")],
        [("Host", f"192.168.1.5:{PORT}")],
        [("Host", f"0.0.0.0:{PORT}")],
        [("Host", HOME), ("Host", "evil.test")],
        [("Host", "evil.test"), ("Host", HOME)],
        [("Host", ""), ("X-Forwarded-Host", HOME)],
        [("Host", HOME), ("Origin", "null")],
        [("Host", HOME), ("Origin", "")],
        [("Host", HOME), ("Origin", "http://evil.test")],
        [("Host", HOME), ("Origin", f"http://evil.test:{PORT}")],
        [("Host", HOME), ("Origin", "http://127.0.0.1:8000")],
        [("Host", HOME), ("Origin", f"https://{HOME}")],
        [("Host", HOME), ("Origin", f"file://{HOME}")],
        [("Host", HOME), ("Origin", HOME)],
        [("Host", HOME), ("Sec-Fetch-Site", "cross-site")],
        [("Host", HOME), ("Sec-Fetch-Site", "same-site")],
        [("Host", HOME), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")],
        [("Host", "evil.test"), ("Origin", "http://evil.test"), ("Sec-Fetch-Site", "same-origin")],
    ],
    ids=str,
)
def test_others_are_refused(guard: Guard, headers: list[tuple[str, str]], method: str) -> None:
    status, head, body = ask(guard, *headers, method=method)
    assert status == 403
    assert b"inside" not in body
    assert not [name for name in head if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", HOME)],
        [("Host", f"localhost:{PORT}")],
        [("Host", f"LOCALHOST:{PORT}")],
        [("Host", f"[::1]:{PORT}")],
        [("Host", HOME), ("Origin", f"http://{HOME}"), ("Sec-Fetch-Site", "same-origin")],
        [("Host", HOME), ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")],
    ],
    ids=str,
)
def test_its_own_page_and_a_shell_are_not(guard: Guard, headers: list[tuple[str, str]]) -> None:
    assert ask(guard, *headers)[::2] == (200, b"inside")


def test_a_link_elsewhere_leads_to_the_page_and_to_nothing_else(guard: Guard) -> None:
    link = [("Host", HOME), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert ask(guard, *link, path="/")[0] == 200
    assert ask(guard, *link, path="/", method="POST")[0] == 403
    assert ask(guard, *link, path="/main.js")[0] == 403
    assert (
        ask(guard, ("Host", HOME), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), path="/")[0] == 403
    )


def test_localhost_is_sent_to_the_address_whose_storage_the_page_uses(guard: Guard) -> None:
    status, head, _ = ask(guard, ("Host", f"localhost:{PORT}"), path="/", query="token=1")
    assert (status, head["location"]) == (307, f"http://{HOME}/?token=1")
    assert ask(guard, ("Host", HOME), path="/")[0] == 200
    forwarded = Guard(answers, Names.of("127.0.0.1", PORT, ["localhost:9000"]))  # from another machine's port
    assert ask(forwarded, ("Host", "localhost:9000"), path="/")[0] == 200


@pytest.mark.parametrize("headers", [[("Host", HOME)], [("Host", "evil.test")]])
def test_every_answer_forbids_what_the_page_does_not_need(guard: Guard, headers: list[tuple[str, str]]) -> None:
    head = ask(guard, *headers)[1]
    policy = head["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert head["x-content-type-options"] == "nosniff"
    assert head["cross-origin-resource-policy"] == "same-origin"
    assert head["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("allowed", "host", "origin"),
    [
        ("studio.example", "studio.example", "https://studio.example"),
        ("studio.example", f"studio.example:{PORT}", f"http://studio.example:{PORT}"),
        ("localhost:9000", "localhost:9000", "http://localhost:9000"),
    ],
)
def test_a_name_may_be_added(allowed: str, host: str, origin: str) -> None:
    guard = Guard(answers, Names.of("127.0.0.1", PORT, [allowed]))
    assert ask(guard, ("Host", host), ("Origin", origin))[0] == 200
    assert ask(guard, ("Host", "evil.test"), ("Origin", origin))[0] == 403
    assert ask(guard, ("Host", f"x.{host}"), ("Origin", origin))[0] == 403


def test_a_server_for_all_addresses_goes_by_each_of_them_and_by_no_name() -> None:
    guard = Guard(answers, Names.of("0.0.0.0", PORT))
    for host in (f"192.168.1.5:{PORT}", f"[fe80::1]:{PORT}", HOME):
        assert ask(guard, ("Host", host), ("Origin", f"http://{host}"))[0] == 200
    for host in (f"evil.test:{PORT}", "192.168.1.5:80", f"1.2.3.4.evil.test:{PORT}"):
        assert ask(guard, ("Host", host))[0] == 403


@pytest.fixture
def locked() -> Guard:
    return Guard(answers, Names.of("0.0.0.0", PORT), TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer no")],
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer ä")],
        [("Cookie", f"sdedit-studio-1={TOKEN}")],
        [("Cookie", f"sdedit-studio-{PORT}=no")],
        [("Cookie", f"sdedit-studio-{PORT}")],
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/api/status", "/main.js"])
def test_without_the_token_there_is_nothing(locked: Guard, headers: list[tuple[str, str]], path: str) -> None:
    status, head, body = ask(locked, ("Host", HOME), *headers, path=path)
    assert status == 401
    assert TOKEN not in str(head)
    assert TOKEN.encode() not in body


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_do_not_see(locked: Guard) -> None:
    status, head, body = ask(locked, ("Host", HOME), path="/", query=f"token={TOKEN}")
    assert status == 200
    assert b"inside" not in body
    cookie = head["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    pair = cookie.partition(";")[0]
    assert ask(locked, ("Host", HOME), ("Cookie", f"other=1; {pair}"))[::2] == (200, b"inside")
    assert ask(locked, ("Host", HOME), path="/api/status", query=f"token={TOKEN}")[0] == 401
    assert "set-cookie" not in ask(locked, ("Host", HOME), path="/", query="token=no")[1]


def test_a_script_brings_it_in_a_header(locked: Guard) -> None:
    assert ask(locked, ("Host", HOME), ("Authorization", f"Bearer {TOKEN}"))[::2] == (200, b"inside")


def test_with_the_token_other_pages_are_refused_all_the_same(locked: Guard) -> None:
    cookie = ("Cookie", f"sdedit-studio-{PORT}={TOKEN}")
    assert ask(locked, ("Host", HOME), cookie, ("Origin", "http://127.0.0.1:8000"))[0] == 403
    assert ask(locked, ("Host", f"evil.test:{PORT}"), cookie)[0] == 403


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True), ("0.0.0.0", False),
     ("::", False), ("192.168.1.5", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_an_address_is_this_machine_s_own_or_not(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here
