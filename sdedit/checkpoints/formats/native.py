"""The project's checkpoint format: one safetensors file whose metadata says everything but the weights.

Metadata, each value JSON: `sdedit` (format version), `network`, `preconditioning`, `schedule`, `native_size`, `card`.
With a finisher also `finisher`, a table of its `network` and `preconditioning`; its tensors' names begin with it.
Reading one parses JSON and numbers; nothing in the file is executed.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from sdedit.checkpoints.checkpoint import Checkpoint, CheckpointFinisher
from sdedit.checkpoints.formats.containers import read_safetensors
from sdedit.checkpoints.formats.metadata import (
    preconditioning_from_table,
    preconditioning_to_table,
    schedule_from_table,
    schedule_to_table,
)
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.tables import from_table
from sdedit.io.writing import write_atomically

FORMAT_VERSION = 1
_MARK = "sdedit"
_FINISHER = "finisher"
_PREFIX = f"{_FINISHER}."


def save_checkpoint(model: ScoreModel, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a model, its weights stored as `dtype`.

    Raises:
        SdeditError: if the file cannot be written.
    """
    metadata = {
        _MARK: FORMAT_VERSION,
        "network": asdict(model.network.config),
        "preconditioning": preconditioning_to_table(model.preconditioning),
        "schedule": schedule_to_table(model.schedule),
        "native_size": model.native_size,
        "card": dict(model.card),
    }
    tensors = dict(model.network.state_dict())
    if model.finisher is not None:
        network = model.finisher.network
        metadata[_FINISHER] = {
            "network": asdict(network.config),
            "preconditioning": preconditioning_to_table(model.finisher.preconditioning),
        }
        tensors |= {_PREFIX + name: tensor for name, tensor in network.state_dict().items()}
    weights = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(weights, {key: json.dumps(value) for key, value in metadata.items()})
    write_atomically(path, lambda file: file.write(data))


def is_native(path: Path) -> bool:
    """Whether a safetensors file is the project's own. A damaged one is not, and its reader says so."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return _MARK in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError):
        return False


def read_native(path: Path) -> Checkpoint:
    """Read a file of the project's own.

    Raises:
        SdeditError: if it is not a usable checkpoint.
    """
    metadata, weights = read_safetensors(path)
    try:
        parts: dict[str, Any] = {key: json.loads(value) for key, value in metadata.items()}
        if parts[_MARK] != FORMAT_VERSION:
            raise SdeditError(f"{path} has checkpoint format {parts[_MARK]}; this version reads {FORMAT_VERSION}")
        native_size = parts["native_size"]
        if type(native_size) is not int:
            raise ValueError(f"native size cannot be {native_size!r}")
        card = parts["card"]
        if not isinstance(card, dict):
            raise ValueError("its model card is not a table")
        preconditioning = preconditioning_from_table(parts["preconditioning"])
        schedule = schedule_from_table(parts["schedule"])
        if isinstance(preconditioning, VPPreconditioning) and preconditioning.schedule != schedule:
            raise ValueError("its schedule is not that of its preconditioning")
        finisher = None
        if _FINISHER in parts:
            finisher = CheckpointFinisher(
                from_table(NetworkConfig, parts[_FINISHER]["network"], "its finisher's network"),
                {name.removeprefix(_PREFIX): weights.pop(name) for name in list(weights) if name.startswith(_PREFIX)},
                preconditioning_from_table(parts[_FINISHER]["preconditioning"]),
            )
        return Checkpoint(
            path,
            from_table(NetworkConfig, parts["network"], "its network"),
            weights,
            preconditioning,
            schedule,
            native_size=native_size,
            card=card,
            finisher=finisher,
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        text = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SdeditError(f"{path} is not a usable sdedit checkpoint: {text}") from error
