"""Folders and lists of guides: plan, resume, share with other processes, report."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sdedit.errors import SdeditError
from sdedit.io.files import IMAGE_SUFFIXES, is_folder, reason
from sdedit.io.images import OwnSize
from sdedit.io.walk import told_left_out, told_unreadable
from sdedit.io.writing import remove_abandoned_parts
from sdedit.jobs.batch.ledger import Ledger
from sdedit.jobs.batch.listing import Listing, list_guides
from sdedit.jobs.batch.progress import Progress
from sdedit.jobs.batch.ranks import Rank, Share, find_rank
from sdedit.jobs.console import SILENT, Console, counted
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.tasks import PaintedFile, Tally

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel
    from sdedit.jobs.batch.engine import Engine
    from sdedit.jobs.settings import Resolved

BATCH = 8
_WINDOW = 4  # batches in a window: enough guides to find like shapes among, few enough to share out evenly
_WINDOW_PIXELS = 1 << 26  # at most, so that large sizes do not fill the memory
_NOUNS = {"paint": ("guide", ""), "edit": ("image", " to edit"), "composite": ("image", " to paste on")}


def paint_folder(
    inputs: Sequence[str | Path],
    lines: Sequence[str],
    output: Path,
    options: PaintOptions,
    console: Console,
    tally: Tally | None = None,
) -> Iterator[PaintedFile]:
    """Paint guides into a folder, or edit or composite images into one.

    Args:
        inputs: folders and files.
        lines: more of them, from a list (see `sdedit.jobs.batch.listing`).
        output: folder to write to.
        options: how.
        console: says what is done.
        tally: counts the results that are taken from here; at the end those of the other processes, too.

    Returns:
        One result for each image, in the order of painting. A bad guide gives one with an error, and the others go on.

    Raises:
        SdeditError: if an option cannot be used, there are no guides, or the folder cannot be written.
    """
    options.check()
    rank = find_rank(os.environ, options.shard)
    if rank.index > 0 and options.shard is None:
        console = SILENT  # only rank 0 logs
    listing = list_guides(
        inputs, lines, output, options.variants, options.include, options.exclude, f".{options.file_format}"
    )
    from sdedit.jobs.readers import Reader

    reader = Reader(options.background, options.layers)
    ledger = prepare_folder(output, options.no_recipe)
    folder_seed = ledger.claim_seed() if options.seed is None else options.seed
    if listing.left_out:
        console.log(told_left_out(listing.left_out))
    for folder, why in listing.unreadable:
        yield PaintedFile(folder, str(output), "failed", error=told_unreadable(folder, why))

    # Slow imports last: everything above fails fast.
    from sdedit.jobs.batch.engine import load_engine

    device = rank.device(options.model.device)
    engine = load_engine(replace(options, model=replace(options.model, device=device)), console, reader)
    yield from paint_listing(engine, listing, ledger, folder_seed, options, rank, console, tally)


def paint_listing(
    engine: Engine,
    listing: Listing,
    ledger: Ledger,
    folder_seed: int,
    options: PaintOptions,
    rank: Rank,
    console: Console,
    tally: Tally | None = None,
) -> Iterator[PaintedFile]:
    """Make a rank's share of a list.

    Raises:
        SdeditError: if the disk is full or read-only.
    """
    from sdedit.jobs.batch.batches import read_windows
    from sdedit.jobs.batch.resume import Resume

    settings, model = engine.settings, engine.model
    batch = options.batch or (BATCH if options.layers is None else 1)
    length = _even(len(listing), rank.count, _window_length(batch, options, settings))
    together = rank.count > 1 and options.shard is None
    with Progress(len(listing), ledger if together else None, console) as progress:
        guides = counted(len(listing.guides), *_NOUNS[options.task])
        console.log(
            f"{model.name}: {guides} to {listing.output}, t0 {settings.t0:.4g}, "
            f"sigma(t0) {settings.sigma:.4g}, {settings.sampling}, seed {folder_seed}, "
            f"{batch} at once{f', share {rank.index} of {rank.count}' if rank.count > 1 else ''}"
        )
        recorded = _recorded(ledger, settings, model)
        if together and not options.overwrite:
            progress.done_before({output for output, done in recorded.items() if done})
        share = Share(rank, listing.digest(), say=partial(print, file=sys.stderr))
        numbers = share.windows(-(-len(listing) // length))
        windows = read_windows(
            (listing.tasks(number * length, (number + 1) * length, folder_seed) for number in numbers),
            Resume(options, settings, model, engine.reader.layers),
            engine.read,
            model.size_multiple,
            batch,
        )
        failed = bool(listing.unreadable)
        painted = engine.paint(windows, ledger, console, lambda step: progress.on_step(engine.evaluations_in_work))
        with closing(windows), closing(painted):
            for result in painted:
                if result.status == "skipped" and result.recipe and result.output not in recorded:
                    # The process that painted it was killed before it could record it.
                    ledger.add(result.input, Path(result.output), result.recipe, None, None)
                failed = failed or result.status == "failed"
                progress.on_result(result)
                yield result
        totals = share.finish(failed, tally.counts if tally else None)
    if tally is not None and totals is not None:
        tally.take_whole(totals)
    elif rank.count > 1:
        console.log(_left_to_others(rank, sum(tally.counts.values()) if tally else 0, len(listing)))


def _even(images: int, processes: int, most: int) -> int:
    """Images in a window, at most `most`, so that few of them are shared out evenly.

    With three windows and more for each process they are as long as without others, and batches the same.
    """
    if processes == 1 or images >= 3 * most * processes:
        return most
    rounds = -(-images // (most * processes))
    return -(-images // (rounds * processes))


def _left_to_others(rank: Rank, own: int, images: int) -> str:
    """What a share that nobody gathers says at its end."""
    alone = "; if this process is alone, add --shard 1/1" if rank.told_by == "Slurm" else ""
    return (
        f"this was share {rank.index} of {rank.count}, counted from 0, as {rank.told_by} says: {own} of {images} "
        f"images; the others are left to the other shares{alone}"
    )


def _window_length(batch: int, options: PaintOptions, settings: Resolved) -> int:
    """Images in a window; the same in every process of a job."""
    if options.layers is not None:
        return batch * options.variants  # images are kept at full size while their regions are painted
    size = settings.size.most if isinstance(settings.size, OwnSize) else settings.size
    pixels = size * size if isinstance(size, int) else size[0] * size[1]
    return batch * max(1, min(_WINDOW, _WINDOW_PIXELS // (pixels * batch)))


def prepare_folder(output: Path, nameless: bool = False) -> Ledger:
    """Make the folder, see that it can be written, and clear away what killed processes left; `nameless` as a ledger.

    Raises:
        SdeditError: if it cannot be made or written.
    """
    if not is_folder(output) and output.suffix.lower() in IMAGE_SUFFIXES:
        raise SdeditError(f"{output} is the name of an image; several guides need a folder, name one with --output")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise SdeditError(f"{output} is a file; several guides need a folder, name one with --output") from error
    except OSError as error:
        raise SdeditError(f"cannot make the folder {output}: {reason(error)}") from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise SdeditError(f"cannot write in {output}: the folder is read-only")
    remove_abandoned_parts(output)
    return Ledger(output, nameless)


def _recorded(ledger: Ledger, settings: Resolved, model: ScoreModel) -> dict[str, bool]:
    """Outputs that the ledger knows, and whether they are what would be painted now."""
    recorded = {}
    for line in ledger.new_lines():
        recipe = line.get("recipe")
        if isinstance(line.get("output"), str) and isinstance(recipe, dict):
            different = settings.differences(recipe, model, str(recipe.get("guide")))
            recorded[str(ledger.folder / line["output"])] = not different
    return recorded
