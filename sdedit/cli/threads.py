"""How the threads of torch wait for each other, which has to be settled before it is imported."""

from __future__ import annotations

from collections.abc import MutableMapping

_CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")


def wait_without_spinning(environment: MutableMapping[str, str]) -> None:
    """Let OpenMP's threads sleep soon, unless the user has chosen how they wait.

    By default they spin for milliseconds until the others are done. Beside another busy process those wait for a
    processor that a spinning thread holds, and an image takes 3 to 15 times as long; a thousand spins cost nothing on
    an idle machine. Processes started from this one inherit it.
    """
    if not any(name in environment for name in _CHOICES):
        environment["GOMP_SPINCOUNT"] = "1000"
