"""Making an image again from the recipe it carries."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from sdedit.diffusion.samplers import SamplingChoice
from sdedit.errors import SdeditError
from sdedit.io.files import exists, is_file
from sdedit.io.recipe import CARRIERS, Recipe, read_recipe
from sdedit.jobs.batch.batches import Batch, Window
from sdedit.jobs.batch.engine import load_engine
from sdedit.jobs.batch.ledger import LEDGER_NAME, Ledger
from sdedit.jobs.console import SILENT, Console
from sdedit.jobs.guides import Guide
from sdedit.jobs.options import ALPHA, LayerOptions, ModelOptions, PaintOptions
from sdedit.jobs.readers import Reader
from sdedit.jobs.targets import output_files
from sdedit.jobs.tasks import PaintedFile, Task

_MOST_TOGETHER = 4096  # a batch beyond this is no recipe of ours


def replay_image(
    image: Path,
    guide: str | None,
    layer: str | None,
    mask: str | None,
    output: str | None,
    model: str | None,
    device: str | None,
    offline: bool,
    overwrite: bool,
    console: Console,
) -> Generator[PaintedFile, None, None]:
    """Make an image again, a PNG or WebP bit for bit on the machine that made it, with as many guides at once as then.

    Args:
        image: a PNG, JPEG or WebP written by sdedit.
        guide: its guide, or the image that was changed; another one is treated by the same recipe. None looks for it
            beside the image and where the ledger of the image's folder says it was.
        layer: the strokes or the patch; None looks for it beside the image and the guide.
        mask: likewise; None also where none was given.
        output: file or folder to write; None for IMAGE-replayed.png (or .jpg, .webp, as IMAGE).
        model: None for what the recipe names.
        device: None for the kind of device that made the image.
        offline: use only models that have been downloaded before.
        overwrite: replace output that exists.
        console: says what is done.

    Raises:
        SdeditError: if the image has no recipe, or its guide, its layers, its model or its device are not here.
    """
    recipe = load_recipe(image)
    guide = guide or _find(image, recipe, "guide", recipe.guide, recipe.guide_checksum, _guide_places(image, recipe))
    layers = _layer_options(image, recipe, guide, layer, mask)
    options = PaintOptions(
        t0=recipe.t0,
        model=ModelOptions(
            source=model or recipe.model_source or recipe.model,
            device=device or recipe.device,
            precision=recipe.precision,
            raw_weights=recipe.raw_weights,
            sigma_max=recipe.sigma_max,
            offline=offline,
            tune_allocator=True,
        ),
        sampling=SamplingChoice(None, recipe.sampler, recipe.steps, recipe.grid),
        repeats=recipe.repeats,
        passes=recipe.passes,
        seed=recipe.seed,
        size=(recipe.width, recipe.height) if layers is None else min(recipe.width, recipe.height),
        background=recipe.background,
        jpeg_quality=recipe.quality or PaintOptions.jpeg_quality,
        layers=layers,
        overwrite=overwrite,
    )
    options.check()
    _check_model(image, options.model.source, model)
    target = str(image.with_name(f"{image.stem}-replayed{image.suffix}")) if output is None else output
    file = output_files(guide, target, options, may_skip=False)[0]
    if file is not None and exists(file) and file.samefile(image):
        raise SdeditError(f"{file} is the image itself; name another output")
    task = Task(guide, file, recipe.seed, recipe.folder_seed)

    reader = Reader(options.background, layers)
    opened = reader.open(task)
    engine = load_engine(options, console, reader)
    if engine.model.checksum != recipe.checksum:
        raise SdeditError(
            f"{options.model.source} is not the model that made {image}, which was {recipe.model} with the checksum "
            f"{recipe.checksum[:12]}…; name that one with --model"
        )
    engine.settings = replace(engine.settings, largest_size=recipe.largest_size)
    fitted = opened.at(engine.settings.size)
    same = _compare(image, recipe, fitted, console)
    if same and (fitted.image.size != (recipe.width, recipe.height) or fitted.layers != recipe.layers):
        raise SdeditError(
            f"{image} was made with another region than this version of sdedit chooses; it cannot be repeated"
        )
    console.log(
        f"{engine.model.name}: {fitted.image.width}x{fitted.image.height} px, t0 {recipe.t0:.4g}, sigma(t0) "
        f"{recipe.sigma:.4g}, {engine.settings.sampling}, seed {recipe.seed}, {recipe.batch} at once"
    )
    padding = [(Task(guide, None, recipe.seed), fitted)] * (recipe.batch - 1)
    window = Window([Batch([(task, fitted), *padding], {task})])
    with console.bar(engine.evaluations(fitted.image.size), "step") as bar:
        for result in engine.paint([window], None, console, lambda step: bar.update()):
            if result.error:
                raise SdeditError(result.error)
            if result.output != "-":
                console.log(f"wrote {result.output}")
            yield result


def replay(
    image: str | Path,
    guide: str | Path | None = None,
    *,
    layer: str | Path | None = None,
    mask: str | Path | None = None,
    output: str | Path | None = None,
    model: str | Path | None = None,
    device: str | None = None,
    offline: bool = False,
    overwrite: bool = False,
) -> PaintedFile:
    """Make an image again from the recipe it carries: what `sdedit replay` does.

    Args:
        image: a PNG, JPEG or WebP written by sdedit.
        guide: its guide, or the image that was edited; None looks for it beside the image.
        layer: the strokes or the patch; None looks for it.
        mask: None looks for it.
        output: file or folder to write; None for IMAGE-replayed.png (or .jpg, .webp, as IMAGE).
        model: name or file; None for what the recipe names.
        device: None for the kind of device that made the image.
        offline: use only models that have been downloaded before.
        overwrite: replace output that exists.

    Returns:
        Where the image was written, and its recipe.

    Raises:
        SdeditError: if the image has no recipe, or its guide, its layers, its model or its device are not here.
    """
    guide, layer, mask, output, model = (
        None if file is None else str(file) for file in (guide, layer, mask, output, model)
    )
    (result,) = replay_image(Path(image), guide, layer, mask, output, model, device, offline, overwrite, SILENT)
    return result


def load_recipe(image: Path) -> Recipe:
    """The recipe of an image, in a form that can be painted by.

    Raises:
        SdeditError: if there is no such image, or it has no usable recipe.
    """
    if not is_file(image):
        raise SdeditError(f"there is no file {image}")
    found = read_recipe(image)
    if found is None:
        raise SdeditError(f"{image} carries no recipe; {CARRIERS} written by sdedit do")
    try:
        recipe = Recipe.from_dict(found)
        if not 1 <= recipe.batch <= _MOST_TOGETHER:
            raise ValueError(f"its batch is {recipe.batch}")
    except ValueError as error:
        raise SdeditError(f"the recipe in {image} cannot be used: {error}") from error
    return recipe


def _check_model(image: Path, source: str, named: str | None) -> None:
    """Refuse a model that was a file or folder once, before anything is read."""
    from sdedit.checkpoints.hub import HUB, built_in_models
    from sdedit.checkpoints.registry import published_models

    known = source.startswith(HUB) or source in {**built_in_models(), **published_models()}
    if named is None and not known and not exists(Path(source)):
        raise SdeditError(f"the model {source}, by which {image} was made, is not here; name it with --model")


def _layer_options(image: Path, recipe: Recipe, guide: str, layer: str | None, mask: str | None) -> LayerOptions | None:
    """How the layers of an image were worked in, with the files that are here.

    Raises:
        SdeditError: if files are named that the image was made without, or one of its own cannot be found.
    """
    told = recipe.layers
    if told is None:
        if layer is not None or mask is not None:
            raise SdeditError(f"{image} was painted from its guide alone; leave out the layer and the mask")
        return None
    if mask is not None and not told.mask:
        raise SdeditError(f"{image} was made without a mask of its own, which was found; leave out --mask")
    places = [image.parent, Path(guide).parent]
    word = "strokes" if recipe.task == "edit" else "patch"
    layer = layer or _find(image, recipe, word, told.layer, told.layer_checksum, (p / told.layer for p in places))
    if told.mask == ALPHA and not told.mask_checksum:
        mask = mask or ALPHA
    elif told.mask and mask is None:
        mask = _find(image, recipe, "mask", told.mask, told.mask_checksum, (p / told.mask for p in places))
    kept = ("invert_mask", "context", "grow", "feather", "at", "scale")
    return LayerOptions(recipe.task, layer, mask, **{name: getattr(told, name) for name in kept})


def _guide_places(image: Path, recipe: Recipe) -> Iterator[Path]:
    """Where a guide may be: beside the image, and where the ledger says."""
    yield image.with_name(recipe.guide)
    for folder in image.absolute().parents:
        if is_file(folder / LEDGER_NAME):
            name = image.absolute().relative_to(folder).as_posix()
            for line in Ledger(folder).new_lines():
                if line.get("output") == name and isinstance(line.get("input"), str):
                    yield Path(line["input"])
            return


def _find(image: Path, recipe: Recipe, word: str, name: str, checksum: str, places: Iterable[Path]) -> str:
    """The file with a checksum, among the places where it may be."""
    for place in dict.fromkeys(places):
        try:
            if hashlib.sha256(place.read_bytes()).hexdigest() == checksum:
                return str(place)
        except OSError:
            continue
    option = {"guide": "GUIDE", "strokes": "--strokes FILE", "patch": "--patch FILE", "mask": "--mask FILE"}[word]
    if word == "guide" and recipe.layers is not None:
        word = "image"
    raise SdeditError(
        f"the {word} {name} that {image} was made from is not beside it; name it: sdedit replay {image} {option}"
    )


def _compare(image: Path, recipe: Recipe, guide: Guide, console: Console) -> bool:
    """Say which files are not those the image was made from; whether all are."""
    pairs = [(guide.path, guide.checksum, recipe.guide_checksum)]
    if guide.layers is not None and recipe.layers is not None:
        pairs += [(guide.layers.layer, guide.layers.layer_checksum, recipe.layers.layer_checksum)]
        pairs += [(guide.layers.mask, guide.layers.mask_checksum, recipe.layers.mask_checksum)]
    other = [path for path, checksum, then in pairs if checksum != then]
    for path in other:
        console.log(f"{path} is not the file that {image} was made from, or has changed since")
    return not other
