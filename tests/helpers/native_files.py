"""Checkpoint files of sdedit's own, changed on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

Metadata = dict[str, Any]
Weights = dict[str, torch.Tensor]


def rewritten(source: Path, target: Path, change: Callable[[Metadata, Weights], None]) -> Path:
    with safetensors.safe_open(source, framework="pt") as file:
        metadata = {key: json.loads(value) for key, value in file.metadata().items()}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(metadata, weights)
    safetensors.torch.save_file(weights, target, {key: json.dumps(value) for key, value in metadata.items()})
    return target


def put(metadata: Metadata, table: str, option: str, value: Any) -> None:
    metadata[table][option] = value
