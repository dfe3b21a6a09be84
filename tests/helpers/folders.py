"""What the tests of folders share: many small guides, and a comparison of whole folders."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.images import blocks_picture

REPOSITORY = Path(__file__).parents[2]
SHAPES = [(24, 20), (20, 24), (24, 24), (40, 20)]


def make_guides(folder: Path, count: int) -> Path:
    """Guides of four shapes, in three folders."""
    for number in range(count):
        place = folder / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        blocks_picture(*SHAPES[number % 7 % 4]).save(place / f"{number:03}.png")
    return folder


def pictures(folder: Path) -> dict[str, bytes]:
    """Every file in a folder but the ledger, temporary files too."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "sdedit.jsonl"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
