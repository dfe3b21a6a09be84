"""Batches of guides through the network, and images to disk in the background."""

from __future__ import annotations

import errno
import io
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.coarse_to_fine import synthesise_coarse_to_fine
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError, is_out_of_memory
from sdedit.io.files import write_atomically
from sdedit.io.recipe import Recipe, save_image
from sdedit.io.tensors import to_image, to_tensor
from sdedit.jobs.batch.batches import Batch, Guide, Window, read_guide
from sdedit.jobs.batch.ledger import Ledger
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.settings import Resolved, load_job_model, resolve, warnings
from sdedit.jobs.tasks import PaintedFile, Task

_WRITERS = 2
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # the next image would not fit either
_NO_MEMORY = "there is not enough memory for this picture; use a smaller --size"


class Engine:
    """A model with its settings, painting batch after batch."""

    def __init__(self, model: ScoreModel, settings: Resolved) -> None:
        self.model = model
        self.settings = settings
        self._fits: dict[torch.Size, int] = {}  # guides of a shape that fit into memory, once it has run out

    @property
    def evaluations(self) -> int:
        """Network evaluations for each batch."""
        return self.settings.sampling.steps * self.settings.repeats * self.settings.passes

    def read(self, path: str) -> Guide:
        """A guide at the size it is painted at.

        Raises:
            SdeditError: as `read_guide`.
        """
        return read_guide(path, self.settings.background, self.settings.size)

    def paint(
        self,
        windows: Iterable[Window],
        ledger: Ledger | None,
        say: Callable[[str], object] = lambda line: None,
        on_step: Callable[[Step], object] = lambda step: None,
    ) -> Generator[PaintedFile, None, None]:
        """Paint windows, write the images, and tell what became of each.

        Args:
            windows: guides in batches.
            ledger: where images are recorded; None for images outside a folder of them.
            say: takes lines about what is done.
            on_step: called after each network evaluation of a batch.

        Raises:
            SdeditError: if the disk is full or read-only; what has been written is whole.
        """
        writers = ThreadPoolExecutor(_WRITERS, "sdedit-write")
        pending: deque[Future[PaintedFile]] = deque()
        try:
            for window in windows:
                for result in window.settled:
                    _record_failure(result, ledger)
                    yield result
                for batch in window.batches:
                    for task, image, recipe, seconds in self._paint_batch(batch, say, on_step):
                        if image is None:
                            result = PaintedFile.failure(task, _NO_MEMORY)
                            _record_failure(result, ledger)
                            yield result
                        else:
                            pending.append(writers.submit(_write, task, image, recipe, seconds, ledger))
                    # While this batch is written, the next one is painted.
                    while pending and (pending[0].done() or len(pending) > len(batch.entries)):
                        yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            writers.shutdown(wait=True)  # what is painted is written, even if the rest is given up

    def _paint_batch(
        self, batch: Batch, say: Callable[[str], object], on_step: Callable[[Step], object]
    ) -> Iterator[tuple[Task, Image.Image | None, Recipe, float]]:
        multiple = self.model.size_multiple
        height, width = (max(size[axis] for size in _sizes(batch)) for axis in (1, 0))
        height, width = height + -height % multiple, width + -width % multiple
        guides = torch.stack([_padded(to_tensor(guide.image), height, width) for _, guide in batch.entries])
        seeds = [task.seed for task, _ in batch.entries]
        start = 0
        while start < len(guides):
            together = min(self._fits.get(guides.shape[1:], len(guides)), len(guides) - start)
            part = slice(start, start + together)
            began = time.perf_counter()
            painted = self._try(guides[part], seeds[part], on_step)
            seconds = (time.perf_counter() - began) / together
            if painted is None and together > 1:
                self._fits[guides.shape[1:]] = together // 2
                say(f"memory ran out with {together} guides at once; going on with {together // 2}")
                continue
            for index, (task, guide) in enumerate(batch.entries[part]):
                if task not in batch.wanted:
                    continue
                across, down = guide.image.size
                recipe = self.settings.recipe(
                    self.model,
                    guide.image.size,
                    task.seed,
                    guide=Path(guide.path).name,
                    guide_checksum=guide.checksum,
                    batch=together,
                    folder_seed=task.folder_seed,
                )
                image = None if painted is None else to_image(painted[index, :, :down, :across])
                yield task, image, recipe, seconds
            start += together

    def _try(self, guides: Tensor, seeds: list[int], on_step: Callable[[Step], object]) -> Tensor | None:
        """Painted guides (B, 3, H, W) on the CPU, or None if they do not fit into memory."""
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        try:
            return synthesise_coarse_to_fine(
                self.model,
                guides,
                self.settings.t0,
                self.settings.sampling,
                generators,
                self.settings.repeats,
                self.settings.passes,
                on_step,
            ).cpu()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        return None


def load_engine(options: PaintOptions, device: str, say: Callable[[str], object] | None, show_progress: bool) -> Engine:
    """The model of a job on a device, with the job's settings; says what a user should know of it.

    Raises:
        SdeditError: if there is no such model or device, or the model cannot do what is asked.
    """
    model = load_job_model(options, device, show_progress)
    settings = resolve(options, model)
    for line in warnings(settings, model) if say else []:
        say(line)  # type: ignore[misc]
    return Engine(model, settings)


def _sizes(batch: Batch) -> list[tuple[int, int]]:
    return [guide.image.size for _, guide in batch.entries]


def _padded(guide: Tensor, height: int, width: int) -> Tensor:
    """A guide (3, h, w) with its edges repeated to (3, height, width), as `synthesise` would do with it alone."""
    return F.pad(guide[None], (0, width - guide.shape[2], 0, height - guide.shape[1]), mode="replicate")[0]


def _write(task: Task, image: Image.Image, recipe: Recipe, seconds: float, ledger: Ledger | None) -> PaintedFile:
    """Write an image and record it; runs beside the network."""
    if task.output is None:
        data = io.BytesIO()
        save_image(image, data, ".png", recipe)
        sys.stdout.buffer.write(data.getvalue())
        sys.stdout.buffer.flush()
    else:
        try:
            task.output.parent.mkdir(parents=True, exist_ok=True)
            suffix = task.output.suffix.lower()
            write_atomically(task.output, partial(save_image, image, suffix=suffix, recipe=recipe))
        except (SdeditError, OSError) as error:
            cause = error.__cause__ if isinstance(error, SdeditError) else error
            if ledger is None or (isinstance(cause, OSError) and cause.errno in _DISK_IS_FULL):
                raise
            result = PaintedFile.failure(task, str(error))
            _record_failure(result, ledger)
            return result
        if ledger is not None:
            ledger.add(task.path, task.output, recipe.to_dict(), round(seconds, 3), None)
    return PaintedFile(task.path, str(task.output or "-"), "painted", recipe.to_dict(), round(seconds, 3))


def _record_failure(result: PaintedFile, ledger: Ledger | None) -> None:
    if ledger is not None and result.status == "failed":
        ledger.add(result.input, Path(result.output), None, None, result.error)
