"""A studio within this process, models that wait or count, and clients of its calls."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from torch import Tensor

from sdedit.cli.query import edit_options, paint_options, strokes_size
from sdedit.diffusion.score_model import ScoreModel
from sdedit.jobs.options import ModelOptions
from sdedit.studio.limits import Limits
from sdedit.studio.orders import Parsers
from sdedit.studio.serving import RunningStudio, StudioOptions

PARSERS = Parsers(paint_options, edit_options, strokes_size)
STREAM = {"Accept": "application/x-ndjson"}
_LONG = 60.0  # seconds after which a test has failed


class Gate:
    """Lets evaluations of a network through one by one, once it is closed.

    Attributes:
        begun: evaluations that have come to it.
    """

    def __init__(self) -> None:
        self.begun = 0
        self._left = math.inf
        self._changed = threading.Condition()

    def enter(self) -> None:
        with self._changed:
            self.begun += 1
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._left > 0, _LONG):
                raise AssertionError("nobody opens the gate")
            self._left -= 1

    def close(self) -> None:
        """Let nothing through from now on, and count anew."""
        with self._changed:
            self._left, self.begun = 0, 0

    def let(self, count: float = math.inf) -> None:
        """Let so many more through; all, if no number is given."""
        with self._changed:
            self._left += count
            self._changed.notify_all()

    def wait_for(self, begun: int) -> None:
        """Until so many evaluations have come, and the last of them waits."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.begun >= begun, _LONG), f"{self.begun} evaluations, not {begun}"


class GatedModel(ScoreModel):
    """A model whose evaluations go through a gate."""

    gate: Gate

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.gate.enter()
        return super().denoise(x, sigma)


def gated(model: ScoreModel) -> GatedModel:
    """The same model behind a gate, which is open."""
    copy = GatedModel(
        model.network, model.preconditioning, model.schedule, model.native_size, model.card, model.checksum
    )
    copy.gate = Gate()
    return copy


@contextmanager
def running_studio(
    models: Sequence[ScoreModel],
    sources: Sequence[str] = (),
    limits: Limits | None = None,
    port: int = 0,
    **options: Any,
) -> Iterator[RunningStudio]:
    """A studio on a free port, with models that are loaded already; its network works in a thread of its own.

    Args:
        models: at least one.
        sources: what each was asked for by; their names, if left out.
        limits, options: of the studio.
        port: another than a free one.
    """
    wanted = tuple(ModelOptions(source) for source in sources or [model.name for model in models])
    asked = StudioOptions(wanted, port=port, open_browser=False, limits=limits or Limits(), **options)
    with RunningStudio(asked, PARSERS) as running:
        thread = threading.Thread(target=running.paint_with, args=(models,))
        thread.start()
        try:
            running.workshop.models.result(_LONG)
            yield running
        finally:
            for model in models:
                if isinstance(model, GatedModel):
                    model.gate.let()
            running.stop()
            thread.join(_LONG)
            assert not thread.is_alive()


def client(running: RunningStudio, **options: Any) -> httpx.Client:
    """A client of a studio's calls."""
    return httpx.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=_LONG, **options)


class Stream:
    """The lines of one request for a stream, read in the background.

    Attributes:
        status: of HTTP, once it is there.
        events: that have come.
    """

    def __init__(self, running: RunningStudio, path: str, body: bytes, **query: Any) -> None:
        self.status: int | None = None
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._over = False
        self._client = client(running)
        self._request = self._client.build_request("POST", path, params=query, content=body, headers=STREAM)
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first event of a kind."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or any(e["event"] == event for e in self.events), _LONG)
            found = [e for e in self.events if e["event"] == event]
            assert found, f"no {event} among {[e['event'] for e in self.events]}"
            return found[0]

    def wait(self) -> list[dict[str, Any]]:
        """All events, once the stream has ended."""
        self._thread.join(_LONG)
        assert not self._thread.is_alive()
        return self.events

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.wait()]

    def hang_up(self) -> None:
        """Close the connection, as a tab that is closed does, and wait until that has been read to its end."""
        self.wait_for("queued")
        assert self._response is not None
        stream = self._response.extensions["network_stream"]
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(_LONG)

    def _read(self) -> None:
        try:
            self._response = self._client.send(self._request, stream=True)
            self.status = self._response.status_code
            for line in self._response.iter_lines():
                with self._changed:
                    self.events.append(json.loads(line))
                    self._changed.notify_all()
        except (httpx.HTTPError, ValueError):
            pass
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
