"""A training run from files: recipe and photographs in, a folder with the model out."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from sdedit.checkpoints.load import load_model
from sdedit.diffusion.device import find_device, tune_allocator
from sdedit.errors import InterruptedWorkError, SdeditError
from sdedit.io.photograph_files import Omitted
from sdedit.io.photographs import Pixels, load_pairs, load_photographs
from sdedit.jobs.batch.ranks import find_rank
from sdedit.jobs.console import SILENT, Console, counted
from sdedit.jobs.omitted import tell_omitted
from sdedit.training.config import BudgetConfig, load_train_config
from sdedit.training.processes import Processes
from sdedit.training.state import check_folder
from sdedit.training.teachers import Contrast, Guidance
from sdedit.training.trainer import Trainer

_HELD_OUT_EVERY = 20
_SECONDS_PER_LINE = 30


def run_training(
    config_file: Path,
    data: Sequence[tuple[str, Path]],
    validation: Path | None,
    folder: Path,
    device: str,
    resume: bool,
    start: str | None,
    strong: str | None,
    weak: str | None,
    painted: Path | None,
    guides: Path | None,
    minutes: float | None,
    console: Console,
) -> None:
    """Train until the recipe's budget is used, alone or as one of the processes that torchrun has started.

    Args:
        config_file: the recipe, TOML.
        data: folders or tar archives of photographs to learn from, each with the name of its set, which may be "".
        validation: folder or tar archive of those to measure on; None holds out every 20th of the first of `data`.
        folder: where the run is kept.
        device: a name that `sdedit.diffusion.device.find_device` knows.
        resume: go on with the run in `folder`.
        start: file or name of a model whose weights the run begins with; None for random ones.
        strong, weak: files or names of two models; the network learns to be guided away from the weak one, by its
            difference from the strong one. None for no weak one, and for `start` as the strong one.
        painted: folder or tar archive of what `start` painted after the first of `data`, by the same names; the network
            learns to be guided away from it and towards the photographs, or by the recipe's adversary to make of it
            what passes for one. None for nothing of the kind.
        guides: folder or tar archive of strokes of the first of `data`, by the same names: what sampling begins with,
            for a recipe that trains a finisher; None for others.
        minutes: of training in all, instead of the recipe's budget.
        console: reports progress, as one changing line on a terminal, elsewhere as a line now and then.

    Raises:
        SdeditError: if the recipe, the photographs, a model or the folder cannot be used.
        InterruptedWorkError: if a signal ended the run; its state is saved.
    """
    config = load_train_config(config_file)
    check_folder(folder, resume)
    if minutes is not None:
        config = replace(config, budget=BudgetConfig(minutes=minutes))
    tune_allocator()
    rank = find_rank(os.environ, remedy="start it with torchrun, or unset what says so")
    target = find_device(rank.device(device))
    if target.type == "cuda" and target.index is not None:
        torch.cuda.set_device(target)
    if rank.index > 0:
        console = SILENT
    if start is None and (strong or weak or painted or guides):
        raise SdeditError("there is no model to improve on; name it with --start")
    beside = painted if guides is None else guides
    if beside is not None and (weak is not None or len(data) > 1 or (painted is not None and guides is not None)):
        raise SdeditError(
            "paintings, or guides, are learnt from with one --data, whose names they have, and without --weak"
        )
    if weak is not None and config.adversary.weight:
        raise SdeditError(f"{config_file} has an adversary, which takes no weak model; leave out --weak")
    if (config.optimiser.trains == "finisher") != (guides is not None):
        words = "needs guides; name them with --guides" if guides is None else "is what takes --guides; leave it out"
        raise SdeditError(f"a recipe that trains a finisher {words}")
    if strong is not None and weak is None:
        raise SdeditError("a strong model guides away from a weak one; name it with --weak")
    first = None if start is None else load_model(start, str(target), "fp32")
    teacher: Guidance | Contrast | None = None
    if start is not None and weak is not None:
        improved = load_model(start, str(target))
        better = improved if strong is None else load_model(strong, str(target))
        teacher = Guidance(improved, better, load_model(weak, str(target)), **vars(config.guidance))
    elif start is not None and painted is not None and config.adversary.weight == 0:
        teacher = Contrast(load_model(start, str(target)), **vars(config.guidance))
    sets, held_out, omitted = _photographs(data, beside, validation)
    tell_omitted(omitted, console)
    learnt = counted(sum(map(len, sets.values())), "photograph")
    console.log(f"{learnt} to learn from, {len(held_out)} to measure on; the run is kept in {folder}")

    processes = Processes(rank.index, rank.count)
    trainer = Trainer(config, sets, held_out, folder, target, resume, first, teacher, processes, console.log)
    terminal = console.bars and sys.stderr is not None and sys.stderr.isatty()
    logged = time.monotonic()
    with tqdm(bar_format="{desc}", disable=not terminal) as bar:

        def show(line: str) -> None:
            nonlocal logged
            if terminal:
                bar.set_description_str(line)
            elif time.monotonic() - logged >= _SECONDS_PER_LINE:
                logged = time.monotonic()
                console.log(line)

        received = trainer.run(show)
    if received is not None:
        name = signal.Signals(received).name
        raise InterruptedWorkError(
            f"{name} ended the training; its state is saved, go on with --resume", 128 + received
        )
    without = f", learnt without {counted(len(omitted.failed), 'image')}" if omitted.failed else ""
    console.log(f"the model is {folder / 'model.safetensors'}{without}")


def _photographs(
    data: Sequence[tuple[str, Path]], beside: Path | None, validation: Path | None
) -> tuple[dict[str, list[Pixels]], list[Pixels], Omitted]:
    """Photographs to learn from, by the name of their set, those to measure on, and what was not taken."""
    sets: dict[str, list[Pixels]] = {}
    held_out, omitted = load_photographs(validation) if validation is not None else ([], Omitted())
    for number, (name, path) in enumerate(data):
        photographs, more = load_photographs(path) if beside is None else load_pairs(path, beside)
        omitted.add(more)
        if number == 0 and validation is None:
            held_out = [image[..., :3] for image in photographs[::_HELD_OUT_EVERY]]
            del photographs[::_HELD_OUT_EVERY]
            if not photographs:
                raise SdeditError(f"there is only one image in {path}; training needs more")
        sets[name] = sets.get(name, []) + photographs
    return sets, held_out, omitted
