"""How much of everything a studio takes, and how a request is refused."""

from __future__ import annotations

from dataclasses import dataclass

from sdedit.errors import SdeditError


class RefusedError(SdeditError):
    """A request that gets a sentence instead of an answer; `status` is that of HTTP."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What one request, and all together, may ask for.

    Attributes:
        size: shorter side of what is painted, in pixels.
        steps: network evaluations of a pass.
        variants, repeats: as in `PaintOptions`.
        bytes: of a body.
        pixels: of an image that is sent.
        seconds: for a body to arrive.
        held: bytes of all bodies on their way together.
        kept: bytes of the pictures in memory.
        strokes_size: shorter side of a photograph that strokes are simulated from: the filter's time grows with the
            fourth power.
    """

    size: int = 1024
    steps: int = 1000
    variants: int = 16
    repeats: int = 10
    bytes: int = 64 << 20
    pixels: int = 50_000_000
    seconds: float = 30.0
    held: int = 256 << 20
    kept: int = 256 << 20
    strokes_size: int = 512
