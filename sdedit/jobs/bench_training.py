"""How fast training is on a device: against the device's own convolutions, and beside a plain loop in the same run."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from sdedit.checkpoints.formats.diffusers.write import export_diffusers
from sdedit.diffusion.device import (
    fastest_convolutions,
    find_device,
    find_dtype,
    peak_memory,
    precision_name,
    synchronize,
    tune_allocator,
)
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning, VEPreconditioning
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.jobs.bench import PEAK_SHAPES, digits, operations, warnings
from sdedit.jobs.bench_peers import Peer, peer
from sdedit.jobs.options import ModelOptions
from sdedit.training.config import BatchConfig, BudgetConfig, DataConfig, TrainConfig, load_train_config
from sdedit.training.trainer import Trainer

_BATCH = 48  # of a model without a recipe
_IMAGES = 64  # of noise, in place of photographs
_PLAIN_LOOP = "diffusers, plain loop"


def bench_training(
    recipe: Path | None,
    model: ModelOptions,
    size: int | None,
    batch: int | None,
    repeats: int,
    log: Callable[[str], object],
) -> list[dict[str, Any]]:
    """`benchmark_training` for a command's own process: of a recipe, or of a model's network at a size.

    Raises:
        SdeditError: if there is no such recipe, model or device.
    """
    if recipe is None:
        known = model.load(show_progress=True)
        config, device = recipe_for(known, size or known.native_size, batch), known.device
    else:
        tune_allocator()
        config, device = load_train_config(recipe), find_device(model.device)
        if config.optimiser.trains == "finisher":
            raise SdeditError(f"{recipe} trains a finisher, which takes a model and guides; time another recipe")
    for line in warnings(device):
        log(line)
    return benchmark_training(config, device, batch, repeats, log)


def recipe_for(model: ScoreModel, side: int, batch: int | None) -> TrainConfig:
    """A recipe that trains a model's network on whole scenes."""
    known = model.preconditioning
    return TrainConfig(
        model.network.config,
        known if isinstance(known, EDMPreconditioning) else EDMPreconditioning(),
        VESchedule(),
        DataConfig(side),
        (BatchConfig(side=side, shrink_to=side, batch=batch or _BATCH),),
        budget=BudgetConfig(minutes=1.0),
    )


def benchmark_training(
    config: TrainConfig, device: torch.device, batch: int | None, repeats: int, log: Callable[[str], object]
) -> list[dict[str, Any]]:
    """Time the batches of a recipe on noise in place of photographs, each kind beside a plain loop.

    The plain loop is that of diffusers' unconditional training script, with bfloat16 and channels_last: UNet2DModel of
    the same weights if it can be that, else of the same widths, and AdamW. It has its images on the device already.

    Args:
        config: the recipe.
        device: where it would run.
        batch: images in a batch, in place of the recipe's numbers.
        repeats: how often each contestant is timed; medians are reported.
        log: takes a line about what is left out.

    Returns:
        A row of facts for each kind of batch and contestant.

    Raises:
        SdeditError: as `Trainer`.
    """
    if batch is not None:
        config = replace(config, batches=tuple(replace(kind, batch=batch) for kind in config.batches))
    rows = []
    with tempfile.TemporaryDirectory(prefix="sdedit-") as folder:
        trainer = Trainer(config, _noise(config.batches), _noise(config.batches)[""][:1], Path(folder), device, log=log)
        started = time.perf_counter()
        trainer.step.prepare(log)
        synchronize(device)
        seconds_to_start = time.perf_counter() - started
        steps = 10 if device.type == "cuda" else 1
        for number, kind in enumerate(config.batches):

            def train(number: int = number) -> float:
                before = time.perf_counter()
                for _ in range(steps):
                    trainer.step(number, 1000, 0.0)
                trainer.step.take_losses()  # waits for the device
                return (time.perf_counter() - before) / steps

            train()
            memory = peak_memory(device)
            with _plain_loop(config.network, kind, device, steps) as plain:
                contestants = {"sdedit": train} if plain is None else {"sdedit": train, _PLAIN_LOOP: plain.run}
                times: dict[str, list[float]] = {name: [] for name in contestants}
                peaks = []
                for _ in range(repeats):
                    for name, run in contestants.items():
                        times[name].append(run())
                    peaks.append(training_peak(device, find_dtype(device, "auto")))
            if plain is None:
                log("diffusers does not run here or has no memory left: there is no plain loop to compare with")
            shape = torch.Size((1, 3, kind.side, kind.side))
            own_work = 3 * operations(config.network, config.preconditioning, shape)
            works = {"sdedit": own_work, _PLAIN_LOOP: plain.facts["work"] if plain else 0}
            memories = {"sdedit": memory, _PLAIN_LOOP: plain.facts["memory"] if plain else None}
            for name, measured in times.items():
                seconds = statistics.median(measured)
                rate = works[name] * kind.batch / seconds
                used = memories[name]
                rows.append(
                    {
                        "contestant": name,
                        "size": kind.side,
                        "batch": kind.batch,
                        "precision": precision_name(find_dtype(device, "auto")),
                        "s/batch": digits(seconds),
                        "images/s": digits(kind.batch / seconds),
                        "times as long": digits(seconds / statistics.median(times["sdedit"])),
                        "GFLOP/image": digits(works[name] / 1e9),
                        "TFLOP/s": digits(rate / 1e12),
                        "share of peak": digits(rate / statistics.median(peaks)),
                        "memory MB": "" if used is None else round(used / 1e6),
                        "s to start": digits(seconds_to_start) if name == "sdedit" else "",
                    }
                )
    return rows


def training_peak(device: torch.device, dtype: torch.dtype) -> float:
    """The most floating-point operations per second that 3 x 3 convolutions reach here, with their two gradients."""
    best = 0.0
    batch, rounds = (4, 1) if device.type == "cpu" else (64, 5)  # what fills it
    for channels, side in PEAK_SHAPES:
        x = torch.randn(batch, channels, side, side, device=device).to(dtype, memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
        inputs = x.requires_grad_(), weight.requires_grad_()
        work = 3 * 2 * weight.numel() * len(x) * side**2 * rounds
        for timed in (False, True, True):
            started = time.perf_counter()
            with fastest_convolutions():
                for _ in range(rounds):
                    y = F.conv2d(x, weight, padding=1)
                    torch.autograd.grad(y, inputs, y.detach())
            synchronize(device)
            best = max(best, work / (time.perf_counter() - started)) if timed else best
    return best


@contextmanager
def _plain_loop(network: NetworkConfig, kind: BatchConfig, device: torch.device, steps: int) -> Iterator[Peer | None]:
    """A process that trains diffusers' network of the same size; None if it cannot."""
    with tempfile.TemporaryDirectory(prefix="sdedit-") as folder:
        patch = _write_peer(network, kind.side, Path(folder))
        loop = "sdedit.jobs.bench_plain_loop"
        with peer(loop, folder, kind.side // patch, kind.batch, device, steps) as found:
            yield found


def _write_peer(network: NetworkConfig, side: int, folder: Path) -> int:
    """Describe UNet2DModel of a network's size in folder/unet; returns the side of the patches it is given."""
    twin = ScoreModel(NCSNpp(network), VEPreconditioning(), VESchedule(), side, {"name": "twin"})
    try:
        export_diffusers(twin, folder)
        return 1
    except SdeditError:
        pass
    attends = ["Attn" if level in network.attention_levels else "" for level in range(network.levels)]
    description = {
        "_class_name": "UNet2DModel",
        "sample_size": side // network.patch,
        "in_channels": network.image_channels * network.patch**2,
        "out_channels": network.image_channels * network.patch**2,
        "block_out_channels": network.channels,
        "layers_per_block": max(1, round(statistics.mean(network.blocks))),
        "norm_num_groups": math.gcd(32, *network.channels),
        "down_block_types": [f"{attention}DownBlock2D" for attention in attends],
        "up_block_types": [f"{attention}UpBlock2D" for attention in reversed(attends)],
    }
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "config.json").write_text(json.dumps(description))
    return network.patch


def _noise(kinds: Sequence[BatchConfig]) -> dict[str, list[np.ndarray]]:
    """Photographs for every set that the kinds name, large enough for all of them."""
    least = max(max(kind.side, kind.shrink_to) for kind in kinds)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (least, least * 3 // 2, 3), np.uint8) for _ in range(_IMAGES)]
    return {name: images for kind in kinds for name in ("", *kind.data)}
