"""From files to batches of guides: read in the background, one window of the list ahead of the network."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.files import reason
from sdedit.io.images import fit_guide, open_image, working_size
from sdedit.jobs.tasks import PaintedFile, Task

_READERS = 4
_LARGE = 32 << 20  # bytes of file and pixels of image, from which guides are read one at a time
_LARGE_TURN = threading.Lock()


@dataclass(frozen=True)
class Guide:
    """A guide as read, or at the size it is painted at."""

    image: Image.Image
    path: str  # of its file
    checksum: str  # SHA-256 of its file

    def at(self, size: int | tuple[int, int]) -> Guide:
        """The guide at the size it is painted at: length of the shorter side, or (width, height).

        Raises:
            SdeditError: if it cannot be painted at that size.
        """
        try:
            return replace(self, image=fit_guide(self.image, working_size(self.image.size, size)))
        except ValueError as error:
            raise SdeditError(f"{self.path}: {error}") from error


@dataclass(frozen=True)
class Batch:
    """Guides of like shape, painted together; only images in `wanted` are kept."""

    entries: list[tuple[Task, Guide]]
    wanted: set[Task]


@dataclass(frozen=True)
class Window:
    """A stretch of the list, ready to paint, and what is settled without painting."""

    batches: list[Batch] = field(default_factory=list)
    settled: list[PaintedFile] = field(default_factory=list)


FindResult = Callable[[Task], PaintedFile | None]  # None if the image is to be painted, else its result


def read_guide(path: str, background: str, size: int | tuple[int, int] | None = None) -> Guide:
    """Read a guide file, "-" for standard input, and fit it to a size, if one is given.

    Raises:
        SdeditError: if it is no whole image, or cannot be painted at that size.
    """
    name = "standard input" if path == "-" else path
    try:
        large = path != "-" and os.stat(path).st_size > _LARGE  # noqa: PTH116
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        with _LARGE_TURN if large or _claims_many_pixels(data) else nullcontext():
            image = open_image(io.BytesIO(data), name, background)
            guide = Guide(image, path, hashlib.sha256(data).hexdigest())
            return guide if size is None else guide.at(size)
    except FileNotFoundError as error:
        raise SdeditError(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise SdeditError(f"{path} is a folder") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except MemoryError as error:
        raise SdeditError(f"{name} does not fit into memory; shrink it first") from error


def read_windows(
    windows: Iterable[list[Task]],
    find_result: FindResult,
    read: Callable[[str], Guide],
    multiple: int,
    batch: int,
) -> Generator[Window, None, None]:
    """Look up, read and batch windows of the list, each while the one before is painted.

    Args:
        windows: images to paint.
        find_result: finds those that need no painting.
        read: reads a guide file, raising SdeditError.
        multiple: sides of guides that are padded to the same multiple of this go through the network together.
        batch: most guides in a batch.
    """
    iterator = iter(windows)
    readers = ThreadPoolExecutor(_READERS, "sdedit-read")
    ahead = ThreadPoolExecutor(1, "sdedit-ahead")

    def load() -> Window | None:
        tasks = next(iterator, None)
        return None if tasks is None else _load(tasks, find_result, read, multiple, batch, readers)

    try:
        coming = ahead.submit(load)
        while (window := coming.result()) is not None:
            coming = ahead.submit(load)
            yield window
    finally:
        ahead.shutdown(wait=False, cancel_futures=True)
        readers.shutdown(wait=False, cancel_futures=True)


def make_batches(entries: list[tuple[Task, Guide]], wanted: set[Task], multiple: int, batch: int) -> list[Batch]:
    """Cut guides into batches by the shape the network sees, in the order of the list.

    A batch of which some images are done is kept whole: how the network rounds depends on the number of images,
    and an image is to be the same however often the work was interrupted.
    """
    groups: dict[tuple[int, int], list[tuple[Task, Guide]]] = {}
    for entry in entries:
        width, height = entry[1].image.size
        groups.setdefault((-(-width // multiple), -(-height // multiple)), []).append(entry)
    batches = []
    for group in groups.values():
        for start in range(0, len(group), batch):
            part = group[start : start + batch]
            kept = {task for task, _ in part} & wanted
            if kept:
                batches.append(Batch(part, kept))
    return batches


def _load(
    tasks: list[Task],
    find_result: FindResult,
    read: Callable[[str], Guide],
    multiple: int,
    batch: int,
    readers: Executor,
) -> Window:
    settled = [result for result in readers.map(find_result, tasks) if result is not None]
    done = {result.output for result in settled}
    wanted = {task for task in tasks if str(task.output) not in done}
    if not wanted:
        return Window([], settled)

    def attempt(path: str) -> Guide | SdeditError:
        try:
            return read(path)
        except SdeditError as error:
            return error

    paths = list(dict.fromkeys(task.path for task in tasks))
    guides = dict(zip(paths, readers.map(attempt, paths), strict=True))
    entries = []
    for task in tasks:
        guide = guides[task.path]
        if isinstance(guide, Guide):
            entries.append((task, guide))
        elif task in wanted:
            settled.append(PaintedFile.failure(task, str(guide)))
    return Window(make_batches(entries, wanted, multiple, batch), settled)


def _claims_many_pixels(data: bytes) -> bool:
    """By its header; a file that lies about it is refused when it is read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.width * image.height > _LARGE
    except Exception:
        return False
