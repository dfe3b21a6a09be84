"""Batches of guides through the network, and images to disk in the background."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.algorithms import inpaint
from sdedit.diffusion.coarse_to_fine import evaluations, synthesise_coarse_to_fine
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError, is_out_of_memory
from sdedit.io.files import JPEG_SUFFIXES
from sdedit.io.recipe import Recipe, save_image
from sdedit.io.tensors import to_image, to_tensor
from sdedit.io.writing import ends_the_work, write_atomically, write_stdout
from sdedit.jobs.batch.batches import Batch, Window
from sdedit.jobs.batch.ledger import Ledger
from sdedit.jobs.console import Console
from sdedit.jobs.guides import Guide
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.readers import Reader
from sdedit.jobs.settings import Resolved, resolve, warn_of
from sdedit.jobs.tasks import PaintedFile, Task

_WRITERS = 2
_NO_MEMORY = "there is not enough memory for this image; use a smaller --size"


class Engine:
    """A model with its settings, making images batch after batch."""

    def __init__(self, model: ScoreModel, settings: Resolved, reader: Reader) -> None:
        self.model = model
        self.settings = settings
        self.reader = reader
        self.evaluations_in_work = 0  # of the batch that is being painted
        self._fits: dict[torch.Size, int] = {}  # guides of a shape that fit into memory, once it has run out

    def settings_for(self, size: tuple[int, int]) -> Resolved:
        """The settings of images of (width, height) px."""
        return self.settings.for_size(self.model, size)

    def evaluations(self, size: tuple[int, int]) -> int:
        """Network evaluations for a batch of images of (width, height) px."""
        settings = self.settings_for(size)
        return settings.repeats * evaluations(settings.sampling, settings.passes or 1)

    def read(self, task: Task) -> Guide:
        """The guide of a task at the size it is painted at; errors as of `Reader.read`."""
        return self.reader.read(task, self.settings.size)

    def paint(
        self,
        windows: Iterable[Window],
        ledger: Ledger | None,
        console: Console,
        on_step: Callable[[Step], object] | None = None,
    ) -> Generator[PaintedFile, None, None]:
        """Make the images of windows, write them, and tell what became of each.

        Args:
            windows: guides in batches.
            ledger: where images are recorded; None for images outside a folder of them.
            console: says what is done.
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
                    for task, guide, painted, recipe, seconds in self.paint_batch(batch, console, on_step):
                        if painted is None:
                            result = PaintedFile.failure(task, _NO_MEMORY)
                            _record_failure(result, ledger)
                            yield result
                        else:
                            pending.append(writers.submit(self._write, task, guide, painted, recipe, seconds, ledger))
                    # While this batch is written, the next one is painted.
                    while pending and (pending[0].done() or len(pending) > len(batch.entries)):
                        yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            writers.shutdown(wait=True)  # what is painted is written, even if the rest is given up

    def paint_batch(
        self, batch: Batch, console: Console, on_step: Callable[[Step], object] | None
    ) -> Iterator[tuple[Task, Guide, Image.Image | None, Recipe, float]]:
        """Take a batch through the network.

        Returns:
            For each image that is wanted its task, its guide, what was painted of it (None where it does not fit into
            memory), its recipe, and its share of the seconds.
        """
        multiple = self.model.size_multiple
        sizes = [guide.image.size for _, guide in batch.entries]
        height, width = (max(size[axis] for size in sizes) for axis in (1, 0))
        height, width = height + -height % multiple, width + -width % multiple
        settings = self.settings_for((width, height))
        self.evaluations_in_work = self.evaluations((width, height))
        guides = torch.stack([_padded(to_tensor(guide.image), height, width) for _, guide in batch.entries])
        masks = None
        if self.settings.layers is not None:
            given = [guide.mask for _, guide in batch.entries if guide.mask is not None]
            masks = torch.stack([_padded(torch.from_numpy(mask)[None], height, width) for mask in given])
        seeds = [task.seed for task, _ in batch.entries]
        start = 0
        while start < len(guides):
            together = min(self._fits.get(guides.shape[1:], len(guides)), len(guides) - start)
            part = slice(start, start + together)
            began = time.perf_counter()
            painted = self._try(settings, guides[part], None if masks is None else masks[part], seeds[part], on_step)
            seconds = (time.perf_counter() - began) / together
            if painted is None and together > 1:
                self._fits[guides.shape[1:]] = together // 2
                console.log(f"memory ran out with {together} guides at once; going on with {together // 2}")
                continue
            for index, (task, guide) in enumerate(batch.entries[part]):
                if task not in batch.wanted:
                    continue
                across, down = guide.image.size
                recipe = settings.recipe(
                    self.model,
                    guide.image.size,
                    task.seed,
                    guide=Path(guide.path).name,
                    guide_checksum=guide.checksum,
                    batch=together,
                    folder_seed=task.folder_seed,
                    quality=self._quality(task),
                    layers=guide.layers,
                )
                image = None if painted is None else to_image(painted[index, :, :down, :across])
                yield task, guide, image, recipe, seconds
            start += together

    def _try(
        self,
        settings: Resolved,
        guides: Tensor,
        masks: Tensor | None,
        seeds: list[int],
        on_step: Callable[[Step], object] | None,
    ) -> Tensor | None:
        """Painted guides (B, 3, H, W) on the CPU, or None if they do not fit into memory."""
        model = self.model
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        sampling, repeats = settings.sampling, settings.repeats
        try:
            if masks is None:
                return synthesise_coarse_to_fine(
                    model, guides, settings.t0, sampling, generators, repeats, settings.passes, on_step
                ).cpu()
            sigmas = model.schedule.sigmas(settings.t0, sampling.n_sigmas, sampling.grid)
            return inpaint(model, guides, masks, sigmas, generators, sampling.sampler, repeats, on_step).cpu()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        if model.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _quality(self, task: Task) -> int | None:
        """The quality of a task's file, if its format has losses."""
        suffix = "" if task.output is None else task.output.suffix.lower()
        has_losses = suffix in JPEG_SUFFIXES or (suffix == ".webp" and self.settings.layers is None)
        return self.settings.jpeg_quality if has_losses else None

    def finish(self, guide: Guide, painted: Image.Image, recipe: Recipe, suffix: str) -> Callable[[BinaryIO], None]:
        """Make the image to write of what was painted; what is returned writes it to a file of a name's ending."""
        image, metadata = painted, dict[str, Any]()
        if guide.finish is not None:
            image, metadata = guide.finish(painted, suffix)

        def save(file: BinaryIO) -> None:
            recorded = None if self.settings.no_recipe else recipe
            save_image(image, file, suffix, recorded, self.settings.jpeg_quality, **metadata)

        return save

    def _write(
        self, task: Task, guide: Guide, painted: Image.Image, recipe: Recipe, seconds: float, ledger: Ledger | None
    ) -> PaintedFile:
        """Finish an image, write it and record it; runs beside the network."""
        save = self.finish(guide, painted, recipe, ".png" if task.output is None else task.output.suffix.lower())
        if task.output is None:
            data = io.BytesIO()
            save(data)
            write_stdout(data.getvalue())
        else:
            try:
                task.output.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(task.output, save)
            except (SdeditError, OSError) as error:
                if ledger is None or ends_the_work(error):
                    raise
                result = PaintedFile.failure(task, str(error))
                _record_failure(result, ledger)
                return result
            if ledger is not None:
                ledger.add(task.path, task.output, recipe.to_dict(), round(seconds, 3), None)
        return PaintedFile(task.path, str(task.output or "-"), "painted", recipe.to_dict(), round(seconds, 3))


def load_engine(options: PaintOptions, console: Console, reader: Reader | None = None) -> Engine:
    """The model of a job with the job's settings; says what a user should know of it.

    Args:
        options: of the job.
        console: says it.
        reader: one that has been made already.

    Raises:
        SdeditError: if there is no such model or device, or the model cannot do what is asked.
    """
    model = options.model.load(console.bars)
    settings = resolve(options, model)
    warn_of(settings, model, console)
    return Engine(model, settings, reader or Reader(options.background, options.layers))


def _padded(channels: Tensor, height: int, width: int) -> Tensor:
    """Channels (C, h, w) with their edges repeated to (C, height, width), as the algorithms do with one alone."""
    return F.pad(channels[None], (0, width - channels.shape[2], 0, height - channels.shape[1]), mode="replicate")[0]


def _record_failure(result: PaintedFile, ledger: Ledger | None) -> None:
    if ledger is not None and result.status == "failed":
        ledger.add(result.input, Path(result.output), None, None, result.error)
