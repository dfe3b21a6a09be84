"""One network for all: which order is at work, which stand still, which wait, and which have been overtaken.

An artist wants to see the newest strokes soon, and something of every stroke. To stop for each new request would
never show anything, to finish each one would lag behind; so a newer request of a session stops the one at work once
that has shown its first preview. Sessions take turns; between two evaluations of one, another gets its first preview.
Work that nobody waits for stands still, where it is, while there is other.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

from sdedit.errors import SdeditError, is_out_of_memory
from sdedit.studio.limits import RefusedError

Event = dict[str, Any]
Work = Callable[["Order"], None]

MOST_SESSIONS = 32
NEARLY_DONE = 0.4  # seconds that an order may still take when a newer one comes, without being stopped
AT_ONCE = 0.08  # seconds of an order that others' first previews may wait for
_STOPPED: dict[str, Any] = {"message": "the studio has been stopped", "status": 503}
NO_MEMORY = "there is not enough memory for this image; use a smaller size"


class StoppedError(Exception):
    """Raised between two evaluations of an order that is not to go on."""


class Order:
    """Work for the network, and who hears of it.

    Args:
        work: does it, calling `Painter.give_way` after each evaluation; may be called a second time.
        tell: hears of what becomes of it, in any thread.
        session: whose it is.
        kind: "live" or "idle"; others are never stopped by a newer one.

    Attributes:
        looking: it is at work for its first preview only.
        looked: it has been so.
        shown: its first preview is out, or it has none.
    """

    def __init__(self, work: Work, tell: Callable[[Event], None], session: str, kind: str = "live") -> None:
        self.work = work
        self.session = session
        self.kind = kind
        self.looking = self.looked = self.shown = False
        self.gone = False
        self._tell = tell
        self._told: set[str] = set()  # the events of which there is one
        self._ended = False

    @property
    def key(self) -> tuple[str, str]:
        return self.session, self.kind

    def tell(self, event: str, **facts: Any) -> None:
        """Say what has become of it."""
        if not self._ended:
            self._tell({"event": event, **facts})

    def tell_once(self, event: str, **facts: Any) -> None:
        """The same, unless this has been said before."""
        if event not in self._told:
            self._told.add(event)
            self.tell(event, **facts)

    def end(self, event: str, **facts: Any) -> None:
        """Say the last there is to say."""
        self.tell(event, **facts)
        self._ended = True


class Painter:
    """Takes orders from any thread, and does them in the one that calls `run`.

    Attributes:
        evaluations: of the network, since the start.
        images: that are done, since the start.
    """

    def __init__(self) -> None:
        self.evaluations = 0
        self.images = 0
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], Order] = {}  # in the order in which they came
        self._running: list[Order] = []  # the last is at work, those before it stand still
        self._stopped = False

    def submit(self, order: Order) -> None:
        """Put an order in the row; one of its session that waits is replaced.

        Raises:
            RefusedError: if there are too many sessions, or the studio has come to its end.
        """
        with self._changed:
            if self._stopped:
                raise RefusedError(_STOPPED["message"], _STOPPED["status"])
            sessions = {other.session for other in (*self._waiting.values(), *self._running)}
            if order.session not in sessions and len(sessions) >= MOST_SESSIONS:
                raise RefusedError(f"{MOST_SESSIONS} others are painting already; ask again in a moment", 429)
            before = self._waiting.get(order.key)
            self._waiting[order.key] = order  # in the place of the one before
            if before is not None:
                before.end("superseded")
            rivals = [other for other in self._waiting.values() if other.kind != "idle" or order.kind == "idle"]
            order.tell_once("queued", ahead=rivals.index(order) + len(self._running))
            self._changed.notify_all()

    def withdraw(self, order: Order) -> None:
        """Nobody waits for an order any more: it stops at the next evaluation."""
        with self._changed:
            order.gone = True
            self._forget(order)

    def stop(self) -> None:
        """Let `run` return, at the next evaluation; who waits is told."""
        with self._changed:
            self._stopped = True
            for order in (*self._waiting.values(), *self._running):
                order.end("error", **_STOPPED)
            self._waiting.clear()
            self._changed.notify_all()

    def queue(self) -> dict[str, int]:
        """How many orders are at work or stand still, and how many wait."""
        with self._changed:
            return {"running": len(self._running), "waiting": len(self._waiting)}

    def run(self) -> None:
        """Do what comes, until `stop`."""
        while (order := self._next()) is not None:
            self._do(order)

    def give_way(self, order: Order, seconds_left: float) -> None:
        """After an evaluation of an order at work, let those go first who should.

        Args:
            order: the one at work.
            seconds_left: that it will still take.

        Raises:
            StoppedError: if it is not to go on.
        """
        self.evaluations += 1
        while True:
            with self._changed:
                if order.gone or order.looking or self._stopped:
                    raise StoppedError
                if order.kind == "live" and order.key in self._waiting and order.shown and seconds_left >= NEARLY_DONE:
                    order.end("superseded")
                    raise StoppedError
                other = self._going_first(order, seconds_left)
                if other is None:
                    return
                other.looking = order.kind != "idle"
                if not other.looking:
                    self._forget(other)
                self._running.append(other)
            self._do(other)

    def _going_first(self, order: Order, seconds_left: float) -> Order | None:
        """One that waits and goes before the rest of an order at work."""
        for other in self._waiting.values():
            if order.kind == "idle":
                first = other.kind != "idle"
            else:
                unseen = other.kind == "live" and not (other.looked or other.shown)
                first = unseen and other.session != order.session and seconds_left >= AT_ONCE
            if first:
                return other
        return None

    def _next(self) -> Order | None:
        """Wait for an order to do; None at the end."""
        with self._changed:
            while not self._stopped:
                rows = sorted(self._waiting.values(), key=lambda order: order.kind == "idle")
                if rows:
                    self._forget(rows[0])
                    self._running.append(rows[0])
                    return rows[0]
                self._changed.wait()
        return None

    def _do(self, order: Order) -> None:
        """Do an order that is among the running, whatever becomes of it."""
        failure: dict[str, Any] | None = None
        try:
            order.work(order)
        except StoppedError:
            pass
        except RefusedError as error:
            failure = {"message": str(error), "status": error.status}
        except SdeditError as error:
            failure = {"message": str(error), "status": 400}
        except Exception as error:
            if is_out_of_memory(error):
                failure = {"message": NO_MEMORY, "status": 503}
            else:  # a fault of ours, which is no reason to leave the others alone
                traceback.print_exc()
                failure = {"message": f"the studio failed at this: {type(error).__name__}", "status": 500}
        except BaseException:  # Ctrl-C
            failure = _STOPPED
            raise
        finally:
            with self._changed:
                self._running.remove(order)
                if failure is not None:
                    self._forget(order)
                    order.end("error", **failure)
                order.looked, order.looking = order.looked or order.looking, False

    def _forget(self, order: Order) -> None:
        if self._waiting.get(order.key) is order:
            del self._waiting[order.key]
