"""A studio from its start to its end: the socket, the server, the models, the browser.

The network works in the thread that calls `serve`, the main one of a command, as that of every other command does; the
server has a thread of its own.
"""

from __future__ import annotations

import errno
import http.client
import ipaddress
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sdedit.errors import SdeditError
from sdedit.io.files import reason
from sdedit.jobs.console import Console
from sdedit.jobs.options import ModelOptions
from sdedit.studio.guard import SERVER, Guard, Names, is_loopback
from sdedit.studio.limits import Limits

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel
    from sdedit.studio.orders import Parsers

DEFAULT_PORT = 7860
_GRACE = 2  # seconds that open answers have at the end
_WITH_BROWSER = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")  # else one in the terminal would start
_ASKED = 0.5  # seconds that another program on the port has to say who it is


@dataclass(frozen=True)
class StudioOptions:
    """What a studio is asked for.

    Attributes:
        models: to load; the first is the one used where none is asked for.
        host, port: to listen on; port 0 is any that is free.
        allowed: names beside its own that it may be called by, with a port or without.
        token: that requests have to bring; None draws one where others than this machine reach the studio.
        open_browser: open its page once the models are there.
        limits: of requests.
    """

    models: tuple[ModelOptions, ...] = (ModelOptions(),)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allowed: tuple[str, ...] = ()
    token: str | None = None
    open_browser: bool = True
    limits: Limits = field(default_factory=Limits)


def serve(
    options: StudioOptions, parsers: Parsers, console: Console, announce: Callable[[Mapping[str, Any]], object]
) -> None:
    """Run a studio until it is interrupted.

    Args:
        options: what is asked for.
        parsers: of query parameters.
        console: says what is done.
        announce: is told the address as soon as requests are taken: "url", with the token where there is one, "host"
            and "port".

    Raises:
        SdeditError: if the address cannot be used, a model is not there, or a package is missing.
        KeyboardInterrupt: at Ctrl-C.
    """
    with RunningStudio(options, parsers) as running:
        announce({"url": running.url, "host": options.host, "port": running.port})
        models = []
        for wanted in options.models:
            models.append(wanted.load(console.bars))
            for note in models[-1].notes:
                console.log(f"{models[-1].name}: {note}")
        console.log("Ctrl-C ends it")
        if options.open_browser:
            _open(running.url, console)
        running.paint_with(models)


class RunningStudio:
    """A studio whose server takes requests from the beginning to the end of a `with` block.

    Attributes:
        port: that it listens on.
        url: of its page, with the token where there is one.
        workshop: what its calls share.
    """

    def __init__(self, options: StudioOptions, parsers: Parsers) -> None:
        """Raises SdeditError as `serve`, but for models."""
        try:
            import uvicorn

            from sdedit.studio.app import make_app
            from sdedit.studio.workshop import Workshop
        except ModuleNotFoundError as error:
            raise SdeditError(
                f"sdedit studio needs the package {error.name}, which is not installed; pip install 'sdedit[studio]'"
            ) from error
        from sdedit.studio.assets import read_assets

        self._options = options
        self._listener = listen(options.host, options.port)
        self.port = self._listener.getsockname()[1]
        token = options.token or (None if is_loopback(options.host) else secrets.token_urlsafe(32))
        self.url = f"http://{_shown_host(options.host)}:{self.port}/" + (f"?token={token}" if token else "")
        self.workshop = Workshop(options.limits)
        app = make_app(self.workshop, parsers, read_assets())
        guard = Guard(app, Names.of(options.host, self.port, options.allowed), token)
        config = uvicorn.Config(
            guard,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run_server, name="sdedit-serve", daemon=True)

    def paint_with(self, models: Sequence[ScoreModel]) -> None:
        """Paint what is asked for, in this thread, until `stop` is called in another; the models are the options'."""
        from sdedit.studio.models import NamedModel, warm_up

        for model in models:
            warm_up(model)
        named = [NamedModel(wanted, model) for wanted, model in zip(self._options.models, models, strict=True)]
        self.workshop.models.set_result(named)
        self.workshop.painter.run()

    def stop(self) -> None:
        """Let `paint_with` return."""
        self.workshop.stop()

    def __enter__(self) -> RunningStudio:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.workshop.stop()
        self._server.should_exit = True
        self._thread.join(_GRACE + 3)
        self._listener.close()
        self.workshop.close()

    def _run_server(self) -> None:
        try:
            self._server.run([self._listener])
        finally:
            self.workshop.stop()


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        SdeditError: if it cannot be had; it says who has the port.
    """
    try:
        named = "127.0.0.1" if host == "localhost" else host
        family, kind, protocol, _, address = socket.getaddrinfo(named, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise SdeditError(f"there is no address {host}; --host takes one of this machine, such as 127.0.0.1") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SdeditError(f"port {port} is in use{_by_whom(host, port)}") from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise SdeditError(f"{host} is no address of this machine; --host takes one that is") from error
        raise SdeditError(f"cannot listen on {host}, port {port}: {reason(error)}; give another --port") from error
    return listener


def _by_whom(host: str, port: int) -> str:
    """Who has a port, and what to do about it."""
    shown = _shown_host(host)
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection(shown.strip("[]"), port, timeout=_ASKED)
        try:
            connection.request("GET", "/api/status")
            if connection.getresponse().getheader("server") == SERVER:
                return f", by another sdedit studio at http://{shown}:{port}/; use that, or give another --port"
        finally:
            connection.close()
    return " by another program; give another --port"


def _shown_host(host: str) -> str:
    """The host as an address that works has it."""
    if host in ("localhost", "127.0.0.1"):
        return "127.0.0.1"
    if host in ("", "0.0.0.0", "::"):
        return _outward_address()
    with suppress(ValueError):
        if ipaddress.ip_address(host).version == 6:
            return f"[{host}]"
    return host


def _outward_address() -> str:
    """This machine's address as others see it; nothing is sent to find it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def _open(url: str, console: Console) -> None:
    """Open the page; a browser that does not start is no failure of the studio's."""
    if sys.platform.startswith("linux") and not any(name in os.environ for name in _WITH_BROWSER):
        console.log(f"there is no screen to open a browser on; open {url} in one")
        return

    def open_page() -> None:
        try:
            opened = webbrowser.open(url)
        except (webbrowser.Error, OSError):
            opened = False
        if not opened:
            console.log(f"no browser could be started; open {url} in one")

    threading.Thread(target=open_page, daemon=True).start()
