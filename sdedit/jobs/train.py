"""A training run from files: recipe and photographs in, a folder with the model out."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from sdedit.checkpoints.load import load_model
from sdedit.diffusion.device import find_device, tune_allocator
from sdedit.errors import InterruptedWorkError, SdeditError
from sdedit.io.photographs import load_pairs, load_photographs
from sdedit.jobs.console import counted
from sdedit.training.config import load_train_config
from sdedit.training.teachers import Contrast, Guidance
from sdedit.training.trainer import Trainer

_HELD_OUT_EVERY = 20
_SECONDS_PER_LINE = 30


def run_training(
    config_file: Path,
    data: Sequence[Path],
    validation: Path | None,
    folder: Path,
    device: str,
    resume: bool,
    compiled: bool,
    start: str | None,
    strong: str | None,
    weak: str | None,
    painted: Path | None,
    say: Callable[[str], object],
    show_progress: bool,
) -> None:
    """Train until the recipe's budget is used.

    Args:
        config_file: the recipe, TOML.
        data: folders or tar archives of photographs to learn from.
        validation: folder or tar archive of those to measure on; None holds out every 20th of the first of `data`.
        folder: where the run is kept.
        device: a name that `sdedit.diffusion.device.find_device` knows.
        resume: go on with the run in `folder`.
        compiled: compile the network first.
        start: file or name of a model whose weights the run begins with; None for random ones.
        strong, weak: files or names of two models; the network learns to go away from the weak one, by the difference
            from the strong one. None for no weak one, and for `start` as the strong one.
        painted: folder or tar archive of what `start` painted after the first of `data`, by the same names; the network
            learns to go away from it and towards the photographs. None for nothing of the kind.
        say: takes lines about what is done.
        show_progress: report progress: as one changing line on a terminal, elsewhere through `say` now and then.

    Raises:
        SdeditError: if the recipe, the photographs, a model or the folder cannot be used.
        InterruptedWorkError: if a signal ended the run; its state is saved.
    """
    config = load_train_config(config_file)
    tune_allocator()
    target = find_device(device)
    if start is None and (strong or weak or painted):
        raise SdeditError("there is no model to improve on; name it with --start")
    if painted is not None and (weak is not None or len(data) > 1):
        raise SdeditError("paintings are learnt from with one --data, whose names they have, and without --weak")
    if strong is not None and weak is None:
        raise SdeditError("a strong model guides away from a weak one; name it with --weak")
    first = None if start is None else load_model(start, device, "fp32")
    teacher: Guidance | Contrast | None = None
    if start is not None and weak is not None:
        improved = load_model(start, device)
        better = improved if strong is None else load_model(strong, device)
        teacher = Guidance(improved, better, load_model(weak, device), **vars(config.guidance))
    elif start is not None and painted is not None:
        teacher = Contrast(load_model(start, device), **vars(config.guidance))
    shortest = config.data.size
    if painted is None:
        photographs, bad = load_photographs(data[0], shortest)
    else:
        photographs, bad = load_pairs(data[0], painted, shortest)
    if validation is not None:
        held_out, bad_too = load_photographs(validation, shortest)
        bad += bad_too
    else:
        held_out = [picture[..., :3] for picture in photographs[::_HELD_OUT_EVERY]]
        del photographs[::_HELD_OUT_EVERY]
        if not photographs:
            raise SdeditError(f"there is only one picture in {data[0]}; training needs more")
    for path in data[1:]:
        more, bad_too = load_photographs(path, shortest)
        photographs += more
        bad += bad_too
    for name in bad:
        say(f"left out {name}: it is not a whole picture" + (", or of no photograph" if painted else ""))
    learnt = counted(len(photographs), "photograph")
    say(f"{learnt} to learn from, {len(held_out)} to measure on; the run is kept in {folder}")

    trainer = Trainer(config, photographs, held_out, folder, target, resume, compiled, first, teacher)
    terminal = show_progress and sys.stderr.isatty()
    logged = time.monotonic()
    with tqdm(bar_format="{desc}", disable=not terminal) as bar:

        def show(line: str) -> None:
            nonlocal logged
            if terminal:
                bar.set_description_str(line)
            elif show_progress and time.monotonic() - logged >= _SECONDS_PER_LINE:
                logged = time.monotonic()
                say(line)

        received = trainer.run(show)
    if received is not None:
        name = signal.Signals(received).name
        raise InterruptedWorkError(
            f"{name} ended the training; its state is saved, go on with --resume", 128 + received
        )
    say(f"the model is {folder / 'model.safetensors'}")
