"""The page's own files, read once: what is not among them cannot be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent; `tag` is its ETag."""

    content: bytes
    media_type: str
    tag: str


def read_assets() -> Mapping[str, Asset]:
    """The files in the package's folder `static`, by their paths below it; `index.html` also as the empty path."""
    found = {}
    for path, file in _below(files("sdedit.studio") / "static", ""):
        media_type = _TYPES.get(PurePosixPath(path).suffix)
        if media_type is not None:
            content = file.read_bytes()
            found[path] = Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return {**found, **({"": found["index.html"]} if "index.html" in found else {})}


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _below(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry
