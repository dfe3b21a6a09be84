"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """What has been done so far, over all sittings; seconds are those of training alone."""

    batches: int = 0
    pictures: int = 0
    seconds: float = 0.0
