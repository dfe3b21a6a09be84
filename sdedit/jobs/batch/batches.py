"""From files to batches of guides: read in the background, one window of the list ahead of the network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

from sdedit.errors import SdeditError
from sdedit.jobs.guides import Guide
from sdedit.jobs.tasks import PaintedFile, Task

_READERS = 4


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


def read_windows(
    windows: Iterable[list[Task]],
    resume: Callable[[Task], PaintedFile | None],
    read: Callable[[Task], Guide],
    multiple: int,
    batch: int,
) -> Generator[Window, None, None]:
    """Read windows of the list and cut them into batches, each while the one before is painted.

    Args:
        windows: images to make.
        resume: None if an image is to be made, else its result.
        read: reads the guide of a task, raising SdeditError.
        multiple: sides of guides that are padded to the same multiple of this go through the network together.
        batch: most guides in a batch.
    """
    iterator = iter(windows)
    readers = ThreadPoolExecutor(_READERS, "sdedit-read")
    ahead = ThreadPoolExecutor(1, "sdedit-ahead")

    def load() -> Window | None:
        tasks = next(iterator, None)
        return None if tasks is None else _load(tasks, resume, read, multiple, batch, readers)

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
    resume: Callable[[Task], PaintedFile | None],
    read: Callable[[Task], Guide],
    multiple: int,
    batch: int,
    readers: Executor,
) -> Window:
    settled = [result for result in readers.map(resume, tasks) if result is not None]
    done = {result.output for result in settled}
    wanted = {task for task in tasks if str(task.output) not in done}
    if not wanted:
        return Window([], settled)

    def attempt(task: Task) -> Guide | SdeditError:
        try:
            return read(task)
        except SdeditError as error:
            return error

    first = {task.path: task for task in reversed(tasks)}  # variants share a guide
    guides = dict(zip(first, readers.map(attempt, first.values()), strict=True))
    entries = []
    for task in tasks:
        guide = guides[task.path]
        if isinstance(guide, Guide):
            entries.append((task, guide))
        elif task in wanted:
            settled.append(PaintedFile.failure(task, str(guide)))
    return Window(make_batches(entries, wanted, multiple, batch), settled)
