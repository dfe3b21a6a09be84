"""The project's checkpoint format: one safetensors file whose metadata says everything but the weights.

Metadata, each value JSON: `sdedit` (format version), `network`, `preconditioning`, `schedule`, `native_size`, `card`.
Reading one parses JSON and numbers; nothing in the file is executed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from sdedit.errors import SdeditError
from sdedit.files import reason, write_atomically
from sdedit.model import ScoreModel
from sdedit.network import NCSNpp, NetworkConfig
from sdedit.preconditioning import preconditioning_from_dict, preconditioning_to_dict
from sdedit.schedule import VESchedule

FORMAT_VERSION = 1
_LARGEST_NATIVE_SIZE = 4096


def save_checkpoint(model: ScoreModel, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a model, its weights stored as `dtype`.

    Raises:
        SdeditError: if the file cannot be written.
    """
    metadata = {
        "sdedit": FORMAT_VERSION,
        "network": model.network.config.to_dict(),
        "preconditioning": preconditioning_to_dict(model.preconditioning),
        "schedule": {"sigma_min": model.schedule.sigma_min, "sigma_max": model.schedule.sigma_max},
        "native_size": model.native_size,
        "card": dict(model.card),
    }
    weights = {
        name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in model.network.state_dict().items()
    }
    data = safetensors.torch.save(weights, {key: json.dumps(value) for key, value in metadata.items()})
    write_atomically(path, lambda file: file.write(data))


def load_checkpoint(path: Path) -> ScoreModel:
    """Read a model onto the CPU, in float32.

    Raises:
        SdeditError: if the file is missing, truncated, of another kind, or its tensors do not match its configuration.
    """
    metadata, weights = _read(path)
    try:
        parts = {key: json.loads(value) for key, value in metadata.items()}
        if parts["sdedit"] != FORMAT_VERSION:
            raise SdeditError(f"{path} has checkpoint format {parts['sdedit']}; this version reads {FORMAT_VERSION}")
        config = NetworkConfig.from_dict(parts["network"])
        preconditioning = preconditioning_from_dict(parts["preconditioning"])
        schedule = VESchedule(**parts["schedule"])
        native_size = parts["native_size"]
        if type(native_size) is not int or not 1 <= native_size <= _LARGEST_NATIVE_SIZE:
            raise ValueError(f"native size cannot be {native_size!r}")
        card = parts["card"]
        if not isinstance(card, dict):
            raise ValueError("its model card is not a table")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        text = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SdeditError(f"{path} is not a usable sdedit checkpoint: {text}") from error

    with torch.device("meta"):  # names and shapes only: a lying configuration allocates nothing
        network = NCSNpp(config)
    _check_weights(path, network, weights)
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, assign=True)
    network.eval().requires_grad_(False)
    return ScoreModel(network, preconditioning, schedule, native_size, card, checksum(path))


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if path.is_dir():
        raise SdeditError(f"{path} is a folder; name a checkpoint file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            if "sdedit" not in metadata:
                raise SdeditError(f"{path} is a safetensors file, but not an sdedit checkpoint")
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise SdeditError(f"there is no file {path}") from error
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except safetensors.SafetensorError as error:
        raise SdeditError(f"{path} is not a complete safetensors file, so no sdedit checkpoint: {error}") from error


def _check_weights(path: Path, network: NCSNpp, weights: dict[str, torch.Tensor]) -> None:
    expected = network.state_dict()
    if missing := sorted(expected.keys() - weights.keys()):
        raise SdeditError(f"{path} lacks {len(missing)} tensors its configuration asks for, such as {missing[0]}")
    if extra := sorted(weights.keys() - expected.keys()):
        raise SdeditError(f"{path} has {len(extra)} tensors its configuration does not ask for, such as {extra[0]}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, its configuration asks for {tuple(expected[name].shape)}"
            raise SdeditError(f"tensor {name} in {path} has shape {shapes}")
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise SdeditError(f"tensor {name} in {path} holds values that are not finite numbers")
