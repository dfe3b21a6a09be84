"""Painting folders from Python: what `sdedit paint FOLDER -o OUT` does, as an iterator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdedit.checkpoints.models import BUILT_IN
from sdedit.diffusion.samplers import SamplingChoice
from sdedit.errors import SdeditError
from sdedit.jobs.batch.folder import paint_folder
from sdedit.jobs.console import SILENT
from sdedit.jobs.options import ModelOptions, PaintOptions
from sdedit.jobs.tasks import PaintedFile

if TYPE_CHECKING:
    from sdedit.diffusion.samplers import Sampling
    from sdedit.diffusion.score_model import ScoreModel


def paint_files(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    t0: float | None = None,
    sigma: float | None = None,
    model: str | Path | ScoreModel = BUILT_IN,
    sampling: Sampling | str | None = None,
    seed: int | None = None,
    variants: int = 1,
    repeats: int = 1,
    size: int | tuple[int, int] | None = None,
    passes: int | None = None,
    background: str = "white",
    batch: int | None = None,
    file_format: str = "png",
    jpeg_quality: int = 95,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    overwrite: bool = False,
    skip_existing: bool = False,
    no_recipe: bool = False,
    shard: tuple[int, int] | None = None,
    device: str = "auto",
    precision: str = "auto",
    offline: bool = False,
    tune_allocator: bool = False,
) -> Iterator[PaintedFile]:
    """Paint folders and files of guides into a folder: what `sdedit paint FOLDER -o OUT` does, as an iterator.

    Batches, resuming, the ledger and sharing under torchrun or Slurm are those of the command. Images that are done are
    skipped, and so are those that another recipe made, with a reason; a bad guide gives a result with an error, and the
    others go on.

    Args:
        inputs: folders and image files.
        output: folder to write to; it is made if need be.
        t0: start time in (0, 1]; None is 0.5.
        sigma: the same as a noise level, instead of t0.
        model: a name, a checkpoint file or folder, "hf:owner/name", or a model that `sdedit.load_model` returned.
        sampling: as in `sdedit.paint`.
        seed: of the folder, which each image derives its own from; None draws one and keeps it in the folder.
        variants: images for each guide.
        repeats, size, passes: as in `sdedit.paint`.
        background: colour under the transparent parts of a guide, as Pillow names it.
        batch: most guides that go through the network at once; None is 8.
        file_format: of the images, "png", "jpg" or "webp"; each carries its recipe.
        jpeg_quality: of JPEG files and of WebP files with losses, from 1 to 100.
        include, exclude: patterns of names, such as "*.png" or "night/*".
        overwrite: paint every image again.
        skip_existing: leave every image alone that is there, whatever its recipe.
        no_recipe: write no recipe: images and ledger name neither guide nor model, and nothing says what is done.
        shard: (i, n), only the i-th of n shares; i counts from 0.
        device, precision, offline: as in `sdedit.load_model`, for a model that is loaded here.
        tune_allocator: let this process keep freed memory, as the command does: faster on a CPU, and process-wide.

    Returns:
        One result for each image, in the order of painting. Nothing is painted before the first is asked for.

    Raises:
        SdeditError: if an option cannot be used, there are no guides, or the folder cannot be written.
    """
    given = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    named = isinstance(model, (str, Path))
    try:
        choice = SamplingChoice.of(sampling)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    options = PaintOptions(
        t0=t0,
        sigma=sigma,
        model=ModelOptions(
            source=str(model) if named else model.name,  # type: ignore[union-attr]
            device=device,
            precision=precision,
            offline=offline,
            tune_allocator=tune_allocator,
            loaded=None if named else model,  # type: ignore[arg-type]
        ),
        sampling=choice,
        repeats=repeats,
        variants=variants,
        seed=seed,
        size=size,
        passes=passes,
        background=background,
        batch=batch,
        file_format=file_format,
        jpeg_quality=jpeg_quality,
        include=tuple(include),
        exclude=tuple(exclude),
        overwrite=overwrite,
        skip_existing=skip_existing,
        no_recipe=no_recipe,
        shard=shard,
    )
    return paint_folder(given, [], Path(output), options, SILENT)
