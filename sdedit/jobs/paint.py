"""Painting, editing and compositing as the command line asks for it: one guide or many."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdedit.errors import SdeditError
from sdedit.io.files import exists
from sdedit.io.outputs import plan_animation
from sdedit.jobs.batch.folder import paint_folder
from sdedit.jobs.batch.ledger import LEDGER_NAME
from sdedit.jobs.batch.lists import read_list
from sdedit.jobs.console import Console
from sdedit.jobs.options import PaintOptions, draw_seed
from sdedit.jobs.targets import is_one_guide, output_files, output_folder
from sdedit.jobs.tasks import PaintedFile, Tally, Task

if TYPE_CHECKING:
    from PIL import Image

    from sdedit.diffusion.reverse_sde import Step
    from sdedit.jobs.batch.engine import Engine
    from sdedit.jobs.edit import LayeredImage
    from sdedit.jobs.guides import Finish, Guide


def run_paint_job(
    guides: Sequence[str], list_file: str | None, output: str | None, options: PaintOptions, console: Console
) -> Generator[PaintedFile, None, None]:
    """Make what is asked for; at the end, list what failed.

    Args:
        guides: files, folders, or one "-" for an image on standard input.
        list_file: a file of more of them, "-" for standard input.
        output: where to; for several guides or a folder, a folder.
        options: how.
        console: says what is done and what failed.

    Raises:
        SdeditError: if anything given cannot be used, or the only guide cannot be painted.
        SomeFailedError: if some of many guides could not be painted, or another recipe's images are kept.
    """
    if is_one_guide(guides, list_file, options):
        yield from paint_guide(guides[0], output, options, console)
        return
    folder = output_folder(guides, output, options)
    tally = Tally()
    for result in paint_folder(guides, read_list(list_file), folder, options, console, tally):
        tally.add(result)
        yield result
    console.log(tally.summary())
    for line in tally.failures():
        console.warn(f"  {line}")
    tally.raise_for_failures(folder / LEDGER_NAME)


def paint_guide(guide: str, output: str | None, options: PaintOptions, console: Console) -> Iterator[PaintedFile]:
    """Paint a guide file, or edit an image, once for each variant, and write the images.

    Variants go through the network one by one unless a batch is asked for, so that each is bit for bit what a run of
    its own gives.

    Args:
        guide: the file; "-" for standard input.
        output: file to write, or a folder to write it in; "-" for standard output, None for a file beside the guide.
        options: how.
        console: says what is done.

    Raises:
        SdeditError: if anything given cannot be used; images already written stay, and each is whole.
    """
    options.check()
    files = output_files(guide, output, options)
    animation = options.animation
    film_file = plan_animation(animation.file if animation else None, files, [guide], options.overwrite)
    there = {file for file in files if file is not None and options.skip_existing and exists(file)}
    yield from (PaintedFile(guide, str(file), "skipped") for file in files if file in there)
    if there == set(files):
        return
    seed = draw_seed() if options.seed is None else options.seed
    tasks = [Task(guide, file, seed + variant) for variant, file in enumerate(files) if file not in there]
    # Slow imports where they are needed, so that everything above fails fast.
    from sdedit.jobs.batch.batches import Window, make_batches
    from sdedit.jobs.readers import Reader

    reader = Reader(options.background, options.layers)
    opened = reader.open(tasks[0])

    from sdedit.jobs.batch.engine import load_engine
    from sdedit.pipelines.animation import Animation

    if isinstance(options.t0, tuple):
        options = _with_suggested_t0(options, opened, console)
    engine = load_engine(options, console, reader)
    fitted = opened.at(engine.settings.size)
    for note in fitted.notes:
        console.log(note)
    console.log(_summary(engine, fitted, seed, options.variants))
    evaluations = engine.evaluations(fitted.image.size)
    film = None
    if film_file is not None and animation is not None:
        film = Animation(fitted.image, evaluations, animation.every, animation.state)
    shown: list[Image.Image] = []  # of an edit, where what is kept has been put back into the last D
    if film is not None and fitted.finish is not None:
        fitted = replace(fitted, finish=_remembering(fitted.finish, shown))
    entries = [(task, fitted) for task in tasks]
    batches = make_batches(entries, set(tasks), engine.model.size_multiple, options.batch or 1)
    with console.bar(evaluations * len(batches), "step") as bar:

        def on_step(step: Step) -> None:
            if film is not None:
                film.add(step)
            bar.update()

        with closing(engine.paint([Window(batches)], None, console, on_step)) as results:
            for result in results:
                if result.error:
                    raise SdeditError(result.error)
                if result.output != "-":
                    console.log(f"wrote {result.output}")
                yield result
    if film is not None and film_file is not None:
        film.write(film_file, shown[0] if shown else None)
        console.log(f"wrote {film_file}")


def _remembering(finish: Finish, images: list[Image.Image]) -> Finish:
    """The same function, which keeps what it was given."""

    def keep(painted: Image.Image, suffix: str) -> tuple[Image.Image, dict[str, Any]]:
        images.append(painted)
        return finish(painted, suffix)

    return keep


def _with_suggested_t0(options: PaintOptions, opened: Guide | LayeredImage, console: Console) -> PaintOptions:
    """The options with the model loaded and the t0 it suggests for a guide."""
    from sdedit.io.tensors import to_tensor
    from sdedit.pipelines.auto_t0 import suggest_t0

    assert isinstance(options.t0, tuple)
    model = options.model.load(console.bars)
    guide = to_tensor(opened.at(options.size or model.native_size).image)
    loaded = replace(options.model, loaded=model)
    return replace(options, model=loaded, t0=suggest_t0(model, guide, *options.t0))


def _summary(engine: Engine, guide: Guide, seed: int, variants: int) -> str:
    """What is about to be painted, in a line."""
    width, height = guide.image.size
    settings = engine.settings_for(guide.image.size)
    resized = f" (guide {guide.original[0]}x{guide.original[1]})" if guide.original else ""
    seeds = f"seed {seed}" if variants == 1 else f"seeds {seed} to {seed + variants - 1}"
    return (
        f"{engine.model.name}: {width}x{height} px{resized}, t0 {settings.t0:.4g}, sigma(t0) {settings.sigma:.4g}, "
        f"{settings.sampling}, {seeds}"
    )
