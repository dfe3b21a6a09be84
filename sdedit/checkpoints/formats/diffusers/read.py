"""Reading a folder of diffusers, or a file of weights with or without its config.json beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.checkpoints.checkpoint import Checkpoint, check_claims
from sdedit.checkpoints.formats.containers import read_weights
from sdedit.checkpoints.formats.diffusers import ddpm, ncsnpp, scheduler
from sdedit.checkpoints.formats.diffusers.folder import (
    check_class,
    network_folder,
    read_json,
    refuse_latent,
    weight_files,
)
from sdedit.checkpoints.formats.diffusers.names import NAMING, modern, place_ddpm, place_ncsnpp
from sdedit.checkpoints.formats.layout import collect, join_pixelwise, sources, without_variance
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.vp_schedule import VPSchedule
from sdedit.io.files import is_folder

MARK = "down_blocks."


def read_diffusers(path: Path) -> Checkpoint:
    """Read a folder, or a file of weights with or without its config.json beside it.

    Raises:
        SdeditError: if it is not the layout of a published network.
    """
    folder = network_folder(path) if is_folder(path) else path.parent
    configuration = read_json(folder / "config.json")
    files = weight_files(folder) if is_folder(path) else [path]
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_weights(file)
    check_claims(path, tensors, sum(file.stat().st_size for file in files))
    tensors = {modern(name): tensor for name, tensor in tensors.items()}
    refuse_latent(path, folder)
    preserving = ddpm.describes(configuration, tensors)
    checkpoint = (_read_ddpm if preserving else _read_ncsnpp)(path, folder, configuration, tensors)
    size = (configuration or {}).get("sample_size")
    checkpoint.native_size = size if type(size) is int else None
    return checkpoint


def _read_ncsnpp(
    path: Path, folder: Path, configuration: Mapping[str, Any] | None, tensors: dict[str, Tensor]
) -> Checkpoint:
    config = ncsnpp.infer_config(path, tensors)
    notes = []
    if configuration is not None:
        ncsnpp.check_options(folder / "config.json", configuration, config)
    else:
        notes.append("there is no config.json beside it: the options of the published networks are assumed")
    names = sources(config, NAMING, lambda _, part: place_ncsnpp(part))
    weights = collect(path, tensors, names, join_pixelwise)
    card = {"weights": "EMA"} if configuration is not None else {}
    return Checkpoint(path, config, weights, schedule=scheduler.ve_schedule(folder), card=card, notes=notes)


def _read_ddpm(
    path: Path, folder: Path, configuration: Mapping[str, Any] | None, tensors: dict[str, Tensor]
) -> Checkpoint:
    """A DDPM or ADM network, whose options the file config.json says."""
    notes = []
    if configuration is None:
        config = ddpm.config_of_google(path, tensors)
        notes.append("there is no config.json beside it: the options of google/ddpm-* are assumed")
    else:
        check_class(folder / "config.json", configuration)
        config = ddpm.config_from_options(folder / "config.json", configuration)
    training = scheduler.vp_training(folder)
    if training is None:
        notes.append("there is no scheduler_config.json beside it: DDPM's noise schedule is assumed")
        training = scheduler.Training(VPSchedule(), "eps")
    names = sources(config, NAMING, lambda _, part: place_ddpm(part))
    weights = collect(path, without_variance(tensors, "conv_out"), names, join_pixelwise)
    preconditioning = VPPreconditioning(training.schedule, training.prediction)
    return Checkpoint(path, config, weights, preconditioning, training.schedule, notes=notes)
