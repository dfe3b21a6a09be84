"""Editing and compositing files: what is read and written, and the order in which things can fail cheaply."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit.diffusion.samplers import NO_CHOICE, Sampling, SamplingChoice
from sdedit.errors import SdeditError
from sdedit.io.files import open_input, write_output
from sdedit.io.outputs import plan_animation, plan_outputs
from sdedit.jobs.options import DEFAULT_MODEL, ModelOptions
from sdedit.jobs.settings import sampling_for, start_time
from sdedit.jobs.tasks import RetouchedFile

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from sdedit.diffusion.score_model import ScoreModel
    from sdedit.io.source_image import SourceImage
    from sdedit.pipelines.overlay import CropOptions, Overlay

_SUFFIXES = (".png", ".webp", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_LOSSY = (".jpg", ".jpeg")


@dataclass(frozen=True)
class EditJob:
    """What `sdedit edit` and `sdedit composite` are asked to do; options by the same names.

    Attributes:
        task: "edit" or "composite".
        picture: the file to change, "-" for standard input.
        layer: the file of strokes, or of the patch.
        at, scale: of the patch.
    """

    task: str
    picture: str
    layer: str
    t0: float
    mask: str | None = None
    output: str | None = None
    sigma: float | None = None
    model: ModelOptions = DEFAULT_MODEL
    sampling: Sampling | SamplingChoice = NO_CHOICE
    repeats: int = 1
    variants: int = 1
    seed: int | None = None
    size: int | None = None
    context: float = 0.5
    grow: float | None = None
    feather: float | None = None
    invert_mask: bool = False
    at: tuple[int, int] | None = None
    scale: float = 1.0
    overwrite: bool = False
    animate: str | None = None
    animate_every: int | None = None
    animate_state: str = "x"


def run_edit_job(job: EditJob, say: Callable[[str], object], show_progress: bool) -> Iterator[RetouchedFile]:
    """Edit or composite, once for each variant, and write the images.

    Args:
        job: the options.
        say: takes lines about what is done.
        show_progress: draw a progress bar on standard error if it is a terminal.

    Raises:
        SdeditError: if anything given cannot be used; images already written stay, and each is whole.
    """
    inputs = [name for name in (job.picture, job.layer, job.mask) if name is not None]
    if inputs.count("-") > 1:
        raise SdeditError("standard input can be one of the pictures only")
    place = Path("picture.png" if job.picture == "-" else job.picture)
    default = place.with_name(f"{place.stem}-{'edited' if job.task == 'edit' else 'composite'}.png")
    outputs = plan_outputs(job.output, default, inputs, _SUFFIXES, job.variants, job.overwrite)
    animation_path = plan_animation(job.animate, outputs, inputs, job.overwrite)
    source, layer, mask = _read(job)
    for output in outputs:
        _check_format(output, source)

    # Slow imports last: everything above fails fast.
    from tqdm import tqdm

    from sdedit.diffusion.reverse_sde import Step
    from sdedit.io.recipe import save_image
    from sdedit.pipelines.animation import Animation
    from sdedit.pipelines.inpaint import crop_guide, inpaint_crop
    from sdedit.pipelines.overlay import CropOptions

    model = job.model.load(show_progress)
    try:
        t0 = start_time(model, job.t0, job.sigma)
        sampling = sampling_for(job.sampling, model, t0)
        overlay = _alter(job, source, layer, mask, CropOptions(model.native_size, job.size, job.context, job.grow))
    except ValueError as error:
        raise SdeditError(str(error)) from error
    seed = secrets.randbelow(2**32) if job.seed is None else job.seed
    for line in _summary(job, model, sampling, source, overlay, t0, seed):
        say(line)
    evaluations = sampling.steps * job.repeats
    with tqdm(
        total=evaluations * job.variants, unit="step", leave=False, disable=None if show_progress else True
    ) as bar:
        for variant, output in enumerate(outputs):
            animation = None
            if animation_path and variant == 0:
                animation = Animation(crop_guide(overlay), evaluations, job.animate_every, job.animate_state)

            def on_step(step: Step, animation: Animation | None = animation) -> None:
                bar.update()
                if animation:
                    animation.add(step)

            image, painted = inpaint_crop(
                model, overlay, t0, sampling, seed + variant, job.repeats, job.feather, on_step
            )
            recipe = _recipe(job, model, sampling, overlay, t0, seed + variant)
            suffix = ".png" if output is None else output.suffix.lower()
            metadata = {**source.metadata(), **({"lossless": True} if suffix == ".webp" else {})}
            write_output(output, partial(save_image, image, suffix=suffix, recipe=recipe, **metadata))
            if animation_path and animation:
                animation.write(animation_path, painted)
            yield RetouchedFile(str(output or "-"), recipe.to_dict())


def _read(job: EditJob) -> tuple[SourceImage, Image.Image, np.ndarray | None]:
    from sdedit.io.images import open_image
    from sdedit.io.source_image import open_layer, open_source
    from sdedit.pipelines.mask import mask_values

    source = open_source(*open_input(job.picture))
    layer = open_layer(*open_input(job.layer))
    if job.mask is None:
        return source, layer, None
    mask = mask_values(open_image(*open_input(job.mask), background="black"))
    return source, layer, 1 - mask if job.invert_mask else mask


def _check_format(output: Path | None, source: SourceImage) -> None:
    if output is None or not source.has_alpha:
        return
    suffix = output.suffix.lower()
    if suffix in (*_LOSSY, ".bmp"):
        raise SdeditError(f"cannot write {output}: {source.name} has transparency; name a .png, .webp or .tiff file")


def _alter(
    job: EditJob, source: SourceImage, layer: Image.Image, mask: np.ndarray | None, options: CropOptions
) -> Overlay:
    from sdedit.pipelines.overlay import with_patch, with_strokes

    if job.task == "edit":
        return with_strokes(source, layer, mask, options)
    return with_patch(source, layer, mask, options, job.at, job.scale)


def _summary(
    job: EditJob, model: ScoreModel, sampling: Sampling, source: SourceImage, overlay: Overlay, t0: float, seed: int
) -> Iterator[str]:
    for note in model.notes:
        yield f"{model.name}: {note}"
    if source.note:
        yield source.note
    crop = overlay.crop
    left, top, right, bottom = crop.box
    if (overlay.mask == 1).all():
        yield "the mask is white everywhere: this does what sdedit paint does"
    seeds = f"seed {seed}" if job.variants == 1 else f"seeds {seed} to {seed + job.variants - 1}"
    yield (
        f"{model.name}: region {right - left}x{bottom - top} px at {left},{top} of {source.size[0]}x{source.size[1]}, "
        f"painted at {crop.size[0]}x{crop.size[1]} px, t0 {t0:.4g}, sigma(t0) {model.schedule.sigma(t0):.4g}, "
        f"{sampling}, {seeds}"
    )
    if crop.scale > 1.5:
        yield f"the painted part is enlarged {crop.scale:.1f} times and will be softer than the picture round it"
    if job.output and Path(job.output).suffix.lower() in _LOSSY:
        yield f"{job.output} is a JPEG file, which changes every pixel a little; a PNG keeps them outside the mask"


def _recipe(job: EditJob, model: ScoreModel, sampling: Sampling, overlay: Overlay, t0: float, seed: int) -> Any:
    from sdedit.diffusion.device import precision_name
    from sdedit.io.recipe import RetouchRecipe, package_version

    return RetouchRecipe(
        version=package_version(),
        model=model.name,
        checksum=model.checksum,
        guide=Path(job.picture).name,
        width=overlay.crop.size[0],
        height=overlay.crop.size[1],
        t0=t0,
        sigma=model.schedule.sigma(t0),
        **asdict(sampling),
        repeats=job.repeats,
        seed=seed,
        precision=precision_name(model.dtype),
        sigma_max=model.schedule.sigma_max,
        raw_weights=job.model.raw_weights,
        task=job.task,
        layer=Path(job.layer).name,
        mask="" if job.mask is None else Path(job.mask).name,
        invert_mask=job.invert_mask,
        region=overlay.crop.box,
        context=job.context,
        grow=job.grow,
        feather=job.feather,
        at=job.at,
        scale=job.scale if job.task == "composite" else None,
    )
