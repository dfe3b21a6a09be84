"""Painting as the command line asks for it: one guide or many."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from sdedit.errors import SdeditError
from sdedit.io.outputs import plan_animation
from sdedit.jobs.batch.folder import paint_folder
from sdedit.jobs.batch.listing import read_list
from sdedit.jobs.options import PaintOptions, draw_seed, is_one_guide, output_files, output_folder
from sdedit.jobs.settings import load_job_model
from sdedit.jobs.tasks import PaintedFile, Tally, Task


def run_paint_job(
    guides: Sequence[str],
    list_file: str | None,
    output: str | None,
    options: PaintOptions,
    say: Callable[[str], object],
    quiet: bool,
) -> Generator[PaintedFile, None, None]:
    """Paint what is asked for; at the end, list what failed.

    Args:
        guides: files, folders, or one "-" for an image on standard input.
        list_file: a file of more of them, "-" for standard input.
        output: where to; for several guides or a folder, a folder.
        options: how.
        say: takes lines about what is done and what failed.
        quiet: tell only what failed.

    Raises:
        SdeditError: if anything given cannot be used, or the only guide cannot be painted.
        SomeFailedError: if some of many guides could not be painted.
    """
    log, show = (None, False) if quiet else (say, True)
    if is_one_guide(guides, list_file, options):
        yield from paint_guide(guides[0], output, options, log, show)
        return
    folder = output_folder(guides, output, options)
    tally = Tally()
    for result in paint_folder(guides, read_list(list_file), folder, options, log, show):
        tally.add(result)
        yield result
    if log:
        log(tally.summary())
    tally.raise_for_failures(folder, say)


def paint_guide(
    guide: str, output: str | None, options: PaintOptions, say: Callable[[str], object] | None, show_progress: bool
) -> Iterator[PaintedFile]:
    """Paint a guide file, once for each variant, and write the images.

    Variants go through the network one by one unless a batch is asked for, so that each is bit for bit what a run of
    its own gives.

    Args:
        guide: the file; "-" for standard input.
        output: file to write, or a folder to write it in; "-" for standard output, None for a file beside the guide.
        options: how.
        say: takes lines about what is done; None for silence.
        show_progress: draw a progress bar on standard error if it is a terminal.

    Raises:
        SdeditError: if anything given cannot be used; images already written stay, and each is whole.
    """
    options.check()
    files = output_files(guide, output, options)
    animation_path = plan_animation(options.animate, files, [guide], options.overwrite)
    there = {file for file in files if file is not None and options.skip_existing and file.exists()}
    yield from (PaintedFile(guide, str(file), "skipped") for file in files if file in there)
    if there == set(files):
        return

    from sdedit.jobs.batch.batches import Window, make_batches, read_guide

    opened = read_guide(guide, options.background)

    # Slow imports last: everything above fails fast.
    from tqdm import tqdm

    from sdedit.diffusion.reverse_sde import Step
    from sdedit.jobs.batch.engine import load_engine
    from sdedit.pipelines.animation import Animation

    if isinstance(options.t0, tuple):
        from sdedit.io.tensors import to_tensor
        from sdedit.pipelines.auto_t0 import suggest_t0

        known = load_job_model(options, options.device, show_progress)
        guide_alone = to_tensor(opened.at(options.size or known.native_size).image)
        options = replace(options, model=known, t0=suggest_t0(known, guide_alone, *options.t0).t0)
    engine = load_engine(options, options.device, say, show_progress)
    settings, model = engine.settings, engine.model
    fitted = opened.at(settings.size)
    animation = None
    if animation_path is not None:
        animation = Animation(fitted.image, engine.evaluations, options.animate_every, options.animate_state)
    seed = draw_seed() if options.seed is None else options.seed
    tasks = [Task(guide, file, seed + variant) for variant, file in enumerate(files) if file not in there]
    batches = make_batches([(task, fitted) for task in tasks], set(tasks), model.size_multiple, options.batch or 1)
    if say:
        (width, height), original = fitted.image.size, opened.image.size
        resized = "" if original == (width, height) else f" (guide {original[0]}x{original[1]})"
        seeds = f"seed {seed}" if options.variants == 1 else f"seeds {seed} to {seed + options.variants - 1}"
        say(
            f"{model.name}: {width}x{height} px{resized}, t0 {settings.t0:.4g}, sigma(t0) {settings.sigma:.4g}, "
            f"{settings.sampling}, {seeds}"
        )
    total, hidden = engine.evaluations * len(batches), None if show_progress else True
    with tqdm(total=total, unit="step", leave=False, disable=hidden) as bar:

        def on_step(step: Step) -> None:
            if animation:
                animation.add(step)
            bar.update()

        results = engine.paint([Window(batches)], None, say or (lambda line: None), on_step)
        with closing(results):
            for result in results:
                if result.error:
                    raise SdeditError(result.error)
                yield result
    if animation_path and animation:
        animation.write(animation_path)
