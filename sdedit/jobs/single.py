"""Painting one guide: beside itself, into a file, or from a pipe into a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.guide import PICTURE_SUFFIXES
from sdedit.jobs.listing import Item
from sdedit.jobs.options import PaintOptions, draw_seed, load_job_model
from sdedit.jobs.results import PaintedFile
from sdedit.places import find_animation, find_outputs

_OUTPUT_SUFFIXES = PICTURE_SUFFIXES - {".gif"}


def paint_guide(
    guide: str, output: str | None, options: PaintOptions, say: Callable[[str], object] | None, show_progress: bool
) -> Iterator[PaintedFile]:
    """Paint a guide file, once for each variant, and write the pictures.

    Variants go through the network one by one unless a batch is asked for, so that each is bit for bit what a run of
    its own gives.

    Args:
        guide: the file; "-" for standard input.
        output: file to write, or a folder to write it in; "-" for standard output, None for a file beside the guide.
        options: how.
        say: takes lines about what is done; None for silence.
        show_progress: draw a progress bar on standard error if it is a terminal.

    Raises:
        SdeditError: if anything given cannot be used; pictures already written stay, and each is whole.
    """
    options.check()
    files = output_files(guide, output, options)
    film = find_animation(options.animate, files, [guide], options.overwrite)
    there = {file for file in files if file is not None and options.skip_existing and file.exists()}
    yield from (PaintedFile(guide, str(file), "skipped") for file in files if file in there)
    if there == set(files):
        return

    from sdedit.jobs.reading import Window, make_batches, read_guide

    opened = read_guide(guide, options.background)

    # Only now what takes seconds: everything above can fail at once.
    from tqdm import tqdm

    from sdedit.animation import Animation
    from sdedit.jobs.engine import load_engine
    from sdedit.samplers import Evaluation

    if isinstance(options.t0, tuple):
        from sdedit.pixels import to_tensor
        from sdedit.sweetspot import suggest_t0

        known = load_job_model(options, options.device, show_progress)
        guide_alone = to_tensor(opened.at(options.size or known.native_size).picture)
        options = replace(options, model=known, t0=suggest_t0(known, guide_alone, *options.t0).t0)
    engine = load_engine(options, options.device, say, show_progress)
    settings, model = engine.settings, engine.model
    fitted = opened.at(settings.size)
    animation = None
    if film is not None:
        animation = Animation(fitted.picture, engine.evaluations, options.animate_every, options.animate_state)
    seed = draw_seed() if options.seed is None else options.seed
    items = [Item(guide, file, seed + variant) for variant, file in enumerate(files) if file not in there]
    batches = make_batches([(item, fitted) for item in items], set(items), model.size_multiple, options.batch or 1)
    if say:
        (width, height), original = fitted.picture.size, opened.picture.size
        resized = "" if original == (width, height) else f" (guide {original[0]}x{original[1]})"
        seeds = f"seed {seed}" if options.variants == 1 else f"seeds {seed} to {seed + options.variants - 1}"
        say(
            f"{model.name}: {width}x{height} px{resized}, t0 {settings.t0:.4g}, sigma(t0) {settings.sigma:.4g}, "
            f"{settings.sampling}, {seeds}"
        )
    total, hidden = engine.evaluations * len(batches), None if show_progress else True
    with tqdm(total=total, unit="step", leave=False, disable=hidden) as bar:

        def on_step(evaluation: Evaluation) -> None:
            if animation:
                animation.add(evaluation)
            bar.update()

        results = engine.paint([Window(batches)], None, say or (lambda line: None), on_step)
        with closing(results):
            for result in results:
                if result.error:
                    raise SdeditError(result.error)
                yield result
    if film and animation:
        animation.write(film)


def output_files(guide: str, output: str | None, options: PaintOptions) -> list[Path | None]:
    """The files to write, None standing for standard output.

    Raises:
        SdeditError: if any of them cannot or must not be written.
    """
    source = Path("guide.png" if guide == "-" else guide)
    return find_outputs(
        output,
        source.with_name(f"{source.stem}-painted.png"),
        [guide],
        _OUTPUT_SUFFIXES,
        options.variants,
        options.overwrite,
        options.skip_existing,
        name_in_folder=f"{source.stem}.png",
    )
