"""Painting files: where pictures come from and go to, and the order in which things can fail cheaply."""

from __future__ import annotations

import io
import json
import math
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sdedit import __version__
from sdedit.errors import SdeditError
from sdedit.files import reason, write_atomically
from sdedit.guide import PICTURE_SUFFIXES, fit_guide, open_picture, working_size
from sdedit.recipe import Recipe, save_picture

if TYPE_CHECKING:
    from PIL import Image

_OUTPUT_SUFFIXES = PICTURE_SUFFIXES - {".gif"}
_DEFAULT_T0 = 0.5


@dataclass(frozen=True)
class PaintJob:
    """What `sdedit paint` is asked to do; its options by the same names."""

    guide: str
    output: str | None = None
    t0: float | None = None
    sigma: float | None = None
    model: str = "landscapes-128"
    steps: int = 250
    sampler: str = "euler-maruyama"
    repeats: int = 1
    variants: int = 1
    seed: int | None = None
    size: int | tuple[int, int] | None = None
    background: str = "white"
    device: str = "auto"
    precision: str = "auto"
    raw_weights: bool = False
    sigma_max: float | None = None
    offline: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class PaintedFile:
    """One picture that was painted and written."""

    output: str
    recipe: Recipe

    def to_json(self) -> str:
        return json.dumps({"output": self.output, **self.recipe.to_dict()})


def run_paint_job(job: PaintJob, say: Callable[[str], object], show_progress: bool) -> Iterator[PaintedFile]:
    """Paint a guide file, once for each variant, and write the pictures.

    Args:
        job: the options.
        say: takes lines about what is done.
        show_progress: draw a progress bar on standard error if it is a terminal.

    Raises:
        SdeditError: if anything given cannot be used; pictures already written stay, and each is whole.
    """
    outputs = _outputs(job)
    guide = _read_guide(job)

    # Only now what takes seconds: everything above can fail at once.
    from tqdm import tqdm

    from sdedit.checkpoints import load_model
    from sdedit.painting import paint
    from sdedit.runtime import keep_freed_memory, precision_name

    keep_freed_memory()
    model = load_model(
        job.model,
        job.device,
        job.precision,
        raw_weights=job.raw_weights,
        sigma_max=job.sigma_max,
        offline=job.offline,
        show_progress=show_progress,
    )
    for note in model.notes:
        say(f"{model.name}: {note}")
    try:
        t0 = job.t0 or (_DEFAULT_T0 if job.sigma is None else model.schedule.t(job.sigma))
        if t0 == 0:
            raise ValueError(f"sigma must lie above {model.schedule.sigma_min:g}, the model's lowest noise level")
        width, height = working_size(guide.size, job.size or model.native_size)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    sigma = model.schedule.sigma(t0)
    seed = secrets.randbelow(2**32) if job.seed is None else job.seed
    seeds = f"seed {seed}" if job.variants == 1 else f"seeds {seed} to {seed + job.variants - 1}"
    resized = "" if guide.size == (width, height) else f" (guide {guide.width}x{guide.height})"
    say(
        f"{model.name}: {width}x{height} px{resized}, t0 {t0:.4g}, sigma(t0) {sigma:.4g}, "
        f"{job.steps} steps of {job.sampler}, {seeds}"
    )
    stable_steps = math.floor(2 * model.schedule.log_ratio * t0) + 1
    if job.sampler == "euler-maruyama-t" and job.steps < stable_steps:
        say(f"{job.sampler} is unstable at this t0 with fewer than {stable_steps} steps, and wants many times more")
    fitted = fit_guide(guide, (width, height))
    evaluations = job.steps * job.repeats * job.variants
    with tqdm(total=evaluations, unit="step", leave=False, disable=None if show_progress else True) as bar:
        for variant, output in enumerate(outputs):
            # Variants run one by one: a batch would round differently from a run of its own.
            picture = paint(
                model,
                fitted,
                t0,
                job.steps,
                job.sampler,
                seed + variant,
                job.repeats,
                (width, height),
                on_step=lambda evaluation: bar.update(),
            )
            recipe = Recipe(
                __version__,
                model.name,
                model.checksum,
                Path(job.guide).name,
                width,
                height,
                t0,
                sigma,
                job.steps,
                job.sampler,
                job.repeats,
                seed + variant,
                precision_name(model.dtype),
                model.schedule.sigma_max,
                job.raw_weights,
            )
            if output is None:
                data = io.BytesIO()
                save_picture(picture, data, ".png", recipe)
                sys.stdout.buffer.write(data.getvalue())
                sys.stdout.buffer.flush()
            else:
                write_atomically(output, partial(save_picture, picture, suffix=output.suffix.lower(), recipe=recipe))
            yield PaintedFile(str(output or "-"), recipe)


def _outputs(job: PaintJob) -> list[Path | None]:
    """The files to write, None standing for standard output; fails if any of them cannot or must not be written."""
    if job.output == "-":
        return [None]
    guide = Path("guide.png" if job.guide == "-" else job.guide)
    if job.output is None:
        first = guide.with_name(f"{guide.stem}-painted.png")
    else:
        first = Path(job.output)
        if first.is_dir():
            first = first / f"{guide.stem}.png"
    if first.suffix.lower() not in _OUTPUT_SUFFIXES:
        raise SdeditError(f"cannot write {first}: its name must end in one of {', '.join(sorted(_OUTPUT_SUFFIXES))}")
    if not first.parent.is_dir():
        raise SdeditError(f"cannot write {first}: there is no folder {first.parent}")
    if not os.access(first.parent, os.W_OK):
        raise SdeditError(f"cannot write {first}: the folder {first.parent} is read-only")
    files = [first]
    if job.variants > 1:
        files = [first.with_name(f"{first.stem}-{number}{first.suffix}") for number in range(1, job.variants + 1)]
    for file in files:
        if file.exists() and guide.exists() and file.samefile(guide):
            raise SdeditError(f"{file} is the guide itself; name another output")
        if file.is_dir():
            raise SdeditError(f"cannot write {file}: it is a folder")
        if file.exists() and not job.overwrite:
            raise SdeditError(f"{file} exists; add --overwrite to replace it, or name another output")
    return list(files)


def _read_guide(job: PaintJob) -> Image.Image:
    if job.guide == "-":
        return open_picture(io.BytesIO(sys.stdin.buffer.read()), "standard input", job.background)
    path = Path(job.guide)
    try:
        if path.is_dir():
            pictures = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
            if not pictures:
                raise SdeditError(f"there are no pictures in the folder {path}; name a picture")
            raise SdeditError(f"{path} is a folder; name one of its pictures, such as {pictures[0]}")
        with path.open("rb") as file:
            return open_picture(file, str(path), job.background)
    except FileNotFoundError as error:
        raise SdeditError(f"there is no file {path}") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
