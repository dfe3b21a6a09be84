"""What happens between two evaluations: D(x; sigma) is shown now and then, and others get their turn."""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING

from sdedit.studio.painter import AT_ONCE, Order, Painter

if TYPE_CHECKING:
    from sdedit.diffusion.reverse_sde import Step

_BETWEEN = 0.08  # seconds from one preview to the next
_QUALITY = 80  # of their JPEG files
_MOST_KNOWN = 64

Kind = tuple[str, tuple[int, int], int]  # model, width and height, evaluations


class Pace:
    """How many seconds the last image of each kind took."""

    def __init__(self) -> None:
        self._seconds: dict[Kind, float] = {}

    def note(self, kind: Kind, seconds: float) -> None:
        self._seconds.pop(kind, None)
        self._seconds[kind] = seconds
        if len(self._seconds) > _MOST_KNOWN:
            del self._seconds[next(iter(self._seconds))]

    def of(self, kind: Kind) -> float | None:
        """Seconds; None where there was none yet."""
        return self._seconds.get(kind)


class Progress:
    """One image on its way through the network.

    Args:
        order: what the image is for.
        painter: at work on it.
        expected: seconds that it takes; None if that is not known.
        evaluations: that it takes.
        variant: which image of the order it is.
        ahead: how many images come after it.
    """

    def __init__(
        self, order: Order, painter: Painter, expected: float | None, evaluations: int, variant: int, ahead: int
    ) -> None:
        self._order, self._painter, self._expected = order, painter, expected
        self._evaluations, self._variant, self._ahead = evaluations, variant, ahead
        self._done = 0
        self._next_preview = 0.0
        self._began = time.perf_counter()
        self._elsewhere = 0.0  # seconds that other orders took in between
        if expected is not None and expected < AT_ONCE:  # to copy previews from a GPU would take longer
            self._next_preview = float("inf")
            order.shown = True

    @property
    def seconds(self) -> float:
        """That the image has taken so far."""
        return time.perf_counter() - self._began - self._elsewhere

    def on_step(self, step: Step) -> None:
        """After an evaluation.

        Raises:
            StoppedError: if the order is not to go on.
        """
        self._done += 1
        now = time.perf_counter()
        if now >= self._next_preview:
            self._show(step)
            self._next_preview = now + _BETWEEN
        seconds = self.seconds
        whole = seconds / self._done * self._evaluations if self._expected is None else self._expected
        waited = time.perf_counter()
        self._painter.give_way(self._order, max(0.0, whole - seconds) + whole * self._ahead)
        self._elsewhere += time.perf_counter() - waited

    def _show(self, step: Step) -> None:
        if self._done == self._evaluations:  # that is the image
            return
        facts = {"variant": self._variant, "step": self._done, "of": self._evaluations}
        if self._done == 1 and self._variant == 0:  # after a first look it would come a second time
            self._order.tell_once("preview", **facts, image=_jpeg(step))
        else:
            self._order.tell("preview", **facts, image=_jpeg(step))
        self._order.shown = True


def _jpeg(step: Step) -> str:
    """The first image's D(x; sigma) as a JPEG file in base64."""
    from sdedit.io.tensors import to_image

    file = io.BytesIO()
    to_image(step.denoised[0]).save(file, "JPEG", quality=_QUALITY)
    return base64.b64encode(file.getvalue()).decode()
