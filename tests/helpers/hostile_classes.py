"""A class that a hostile pickle can name, in a module that imports at once."""

from __future__ import annotations

from pathlib import Path


class Built:
    """Unpickles by handing its state to a method of its own."""

    def __setstate__(self, state: str) -> None:
        Path(state).touch()
