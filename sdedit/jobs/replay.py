"""Painting an image again from the recipe it carries."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.io.recipe import Recipe, read_recipe
from sdedit.jobs.batch.batches import Batch, Guide, Window, read_guide
from sdedit.jobs.batch.engine import load_engine
from sdedit.jobs.batch.ledger import LEDGER_NAME, Ledger
from sdedit.jobs.options import PaintOptions, output_files
from sdedit.jobs.tasks import PaintedFile, Task

_MOST_TOGETHER = 4096  # a batch beyond this is no recipe of ours


def replay_image(
    image: Path,
    guide: str | None,
    output: str | None,
    model: str | None,
    device: str | None,
    offline: bool,
    overwrite: bool,
    say: Callable[[str], object] | None,
    show_progress: bool,
) -> Generator[PaintedFile, None, None]:
    """Paint an image again, bit for bit on the machine that painted it, with as many guides at once as then.

    Args:
        image: a PNG painted by sdedit.
        guide: its guide, or another one to paint by the same recipe; None looks for it beside the image and where the
            ledger of the image's folder says it was.
        output: file or folder to write; None for PICTURE-replayed.png.
        model: None for what the recipe names.
        device: None for the kind of device that painted the image.
        offline: use only models that have been downloaded before.
        overwrite: replace output that exists.
        say: takes lines about what is done; None for silence.
        show_progress: draw a progress bar on standard error if it is a terminal.

    Raises:
        SdeditError: if the image has no recipe, or its guide, its model or its device are not here.
    """
    recipe = load_recipe(image)
    path, opened = _find_guide(image, recipe) if guide is None else (guide, read_guide(guide, recipe.background))
    options = PaintOptions(
        t0=recipe.t0,
        model=model or recipe.model_source or recipe.model,
        steps=recipe.steps,
        sampler=recipe.sampler,
        grid=recipe.grid,
        repeats=recipe.repeats,
        passes=recipe.passes,
        seed=recipe.seed,
        size=(recipe.width, recipe.height),
        background=recipe.background,
        device=device or recipe.device,
        precision=recipe.precision,
        raw_weights=recipe.raw_weights,
        sigma_max=recipe.sigma_max,
        offline=offline,
        overwrite=overwrite,
        tune_allocator=True,
    )
    options.check()
    target = str(image.with_name(f"{image.stem}-replayed.png")) if output is None else output
    file = output_files(path, target, options)[0]
    if file is not None and file.exists() and file.samefile(image):
        raise SdeditError(f"{file} is the picture itself; name another output")

    engine = load_engine(options, options.device, say, show_progress)
    if engine.model.checksum != recipe.checksum:
        raise SdeditError(
            f"{options.model} is not the model that painted {image}, which was {recipe.model} with the checksum "
            f"{recipe.checksum[:12]}…; name that one with --model"
        )
    if say and opened.checksum != recipe.guide_checksum:
        say(f"{path} is not the guide that {image} was painted from, or has changed since")
    task = Task(path, file, recipe.seed, recipe.folder_seed)
    fitted = opened.at((recipe.width, recipe.height))
    padding = [(Task(path, None, recipe.seed), fitted)] * (recipe.batch - 1)
    if say:
        say(
            f"{engine.model.name}: {recipe.width}x{recipe.height} px, t0 {recipe.t0:.4g}, sigma(t0) "
            f"{recipe.sigma:.4g}, {engine.settings.sampling}, seed {recipe.seed}, {recipe.batch} at once"
        )
    from tqdm import tqdm

    window = Window([Batch([(task, fitted), *padding], {task})])
    with tqdm(total=engine.evaluations, unit="step", leave=False, disable=None if show_progress else True) as bar:
        for result in engine.paint([window], None, say or (lambda line: None), lambda step: bar.update()):
            if result.error:
                raise SdeditError(result.error)
            yield result


def load_recipe(image: Path) -> Recipe:
    """The recipe of an image, in a form that can be painted by.

    Raises:
        SdeditError: if there is no such image, or it has no usable recipe.
    """
    if not image.is_file():
        raise SdeditError(f"there is no file {image}")
    found = read_recipe(image)
    if found is None:
        raise SdeditError(f"{image} carries no recipe; only PNG files written by sdedit do")
    try:
        recipe = Recipe.from_dict(found)
        if not 1 <= recipe.batch <= _MOST_TOGETHER:
            raise ValueError(f"its batch is {recipe.batch}")
    except ValueError as error:
        raise SdeditError(f"the recipe in {image} cannot be used: {error}") from error
    return recipe


def _find_guide(image: Path, recipe: Recipe) -> tuple[str, Guide]:
    """The guide with the recipe's checksum: beside the image, or where the ledger says."""
    places = [image.with_name(recipe.guide)]
    for folder in image.absolute().parents:
        if (folder / LEDGER_NAME).is_file():
            name = image.absolute().relative_to(folder).as_posix()
            places += [
                Path(line["input"])
                for line in Ledger(folder).new_lines()
                if line.get("output") == name and isinstance(line.get("input"), str)
            ]
            break
    for place in dict.fromkeys(places):
        try:
            guide = read_guide(str(place), recipe.background)
        except SdeditError:
            continue
        if guide.checksum == recipe.guide_checksum:
            return str(place), guide
    raise SdeditError(
        f"the guide {recipe.guide} that {image} was painted from is not beside it; name it: sdedit replay {image} GUIDE"
    )
