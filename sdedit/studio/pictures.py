"""Files kept in memory by their checksums, those used last."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass

from sdedit.studio.limits import RefusedError


@dataclass(frozen=True)
class Picture:
    """An image file, and the width and height at which it is seen, in pixels."""

    content: bytes
    size: tuple[int, int]


class Pictures:
    """Image files by their SHA-256; beyond so many bytes the one used longest ago goes."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._files: OrderedDict[str, Picture] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def keep(self, content: bytes, size: tuple[int, int]) -> str:
        """Keep a file that is a whole image; its ID."""
        name = hashlib.sha256(content).hexdigest()
        with self._lock:
            if name not in self._files:
                self._files[name] = Picture(content, size)
                self._size += len(content)
            self._files.move_to_end(name)
            while self._size > self._most_bytes and len(self._files) > 1:
                self._size -= len(self._files.popitem(last=False)[1].content)
        return name

    def get(self, name: str) -> Picture:
        """A file by its ID.

        Raises:
            RefusedError: if it is not kept.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            raise RefusedError("the ID of a picture is what POST /api/pictures answered", 404)
        with self._lock:
            if name not in self._files:
                raise RefusedError("this picture is no longer kept; send it again", 410)
            self._files.move_to_end(name)
            return self._files[name]
