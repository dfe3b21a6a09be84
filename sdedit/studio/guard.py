"""Who may ask, and what every answer's head says: the outermost layer of the server.

Any web page that is open in the same browser can send requests to this machine, by its address or by a name that it
has pointed here (DNS rebinding). So the Host has to be one of the server's own names, whatever the Origin says; and
the Origin, where there is one, has to be one of them too, which "null" is not.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SERVER = "sdedit-studio"  # by which another studio is known that has the port
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "server": SERVER,
}
_SIGNED_IN = b'<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>sdedit studio</title>'


@dataclass(frozen=True)
class Names:
    """The names that a server goes by.

    Attributes:
        hosts: what a Host header may say, in lower case.
        origins: what an Origin header may say.
        addresses: whether any address in numbers will do, with the server's port: a page elsewhere cannot be at one
            of them, as it can be at a name.
        port: the server's.
        at_home: whether it is 127.0.0.1: "localhost" is sent on there, as a browser keeps the two's work apart.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    addresses: bool
    port: int
    at_home: bool = False

    @classmethod
    def of(cls, host: str, port: int, allowed: Iterable[str] = ()) -> Names:
        """The names of a server that is bound to `host`, and those that a user allows besides, with a port or not."""
        loopback, wildcard = is_loopback(host), host in ("", "0.0.0.0", "::")
        own = _LOOPBACK if loopback or wildcard else ()
        named = f"[{host}]" if ":" in host else host
        hosts = {f"{name}:{port}" for name in (*own, named.lower())}
        hosts |= {name.rpartition(":")[0] for name in hosts if port == 80}
        origins = {f"http://{name}" for name in hosts}
        for name in (name.lower() for name in allowed):
            more = {name, f"{name}:{port}"}
            hosts |= more
            origins |= {f"{scheme}://{name}" for scheme in ("http", "https") for name in more}
        return cls(frozenset(hosts), frozenset(origins), wildcard, port, host in ("127.0.0.1", "localhost"))

    def has(self, host: str) -> bool:
        return host.lower() in self.hosts or (self.addresses and self._is_address(host))

    def allow(self, origin: str) -> bool:
        plain = origin.removeprefix("http://")
        return origin.lower() in self.origins or (plain != origin and self.addresses and self._is_address(plain))

    def _is_address(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return port == str(self.port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI application that lets only those requests through to another that may ask it.

    Args:
        app: the other.
        names: the server's own.
        token: what a request has to bring; None where none is needed.
    """

    def __init__(self, app: App, names: Names, token: str | None = None) -> None:
        self._app = app
        self._names = names
        self._token = token
        self._cookie = f"sdedit-studio-{names.port}"  # cookies know no ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
            await send(message)

        at_home = scope["method"] in ("GET", "HEAD") and scope["path"] == "/"
        if (sentence := self._refusal(scope, headers, at_home)) is not None:
            await _answer(send_with_headers, 403, _error(sentence))
        elif at_home and self._names.at_home and headers["host"].lower() == f"localhost:{self._names.port}":
            query = scope["query_string"].decode("latin-1")
            place = f"http://127.0.0.1:{self._names.port}/" + (f"?{query}" if query else "")
            await _answer(send_with_headers, 307, b"", location=place)
        elif self._token is None or self._may_enter(headers):
            await self._app(scope, receive, send_with_headers)
        elif at_home and self._brings_token(scope):
            # No redirect: a cookie that is strict would not come along if another site's link led here.
            cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000"
            entry = {"content-type": "text/html; charset=utf-8", "set-cookie": cookie}
            await _answer(send_with_headers, 200, _SIGNED_IN, **entry)
        else:
            sentence = "this studio needs its token; open the address that the command printed"
            await _answer(send_with_headers, 401, _error(sentence))

    def _refusal(self, scope: Scope, headers: dict[str, str], at_home: bool) -> str | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        host, origin = headers.get("host", ""), headers.get("origin")
        if len(hosts) != 1 or not self._names.has(host):
            return f"this studio is not called {host[:80]!r}; start it with --allow-host to add a name"
        if origin is not None and not self._names.allow(origin):
            return "other web pages may not use this studio"
        navigation = at_home and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not navigation:
            return "other web pages may not use this studio"
        return None

    def _may_enter(self, headers: dict[str, str]) -> bool:
        assert self._token is not None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
        cookies = [value for name, _, value in pairs if name == self._cookie]
        return any(_same(self._token, given) for given in (bearer, *cookies))

    def _brings_token(self, scope: Scope) -> bool:
        assert self._token is not None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return _same(self._token, given[0])


def _same(token: str, given: str) -> bool:
    return secrets.compare_digest(token.encode(), given.encode())


def _error(sentence: str) -> bytes:
    return json.dumps({"error": sentence}).encode()


async def _answer(send: Send, status: int, body: bytes, **headers: str) -> None:
    head = {"content-type": "application/json", "cache-control": "no-store", "content-length": str(len(body))}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    pairs = [(name.encode(), value.encode()) for name, value in head.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
