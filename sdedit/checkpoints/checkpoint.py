"""What a reader finds in a file, and the one place that makes a model of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import Preconditioning
from sdedit.diffusion.schedule import Schedule
from sdedit.diffusion.score_model import Finisher, ScoreModel
from sdedit.errors import SdeditError


@dataclass
class CheckpointFinisher:
    """A finisher as a file describes it; its attributes are those of `Checkpoint`."""

    config: NetworkConfig
    weights: dict[str, Tensor]
    preconditioning: Preconditioning


@dataclass
class Checkpoint:
    """A network as a file describes it, before any memory is spent on it.

    Attributes:
        file: where it comes from, for messages.
        config: the network's shape.
        weights: the network's tensors by the names of `NCSNpp.state_dict`; they may be views of a mapped file.
        preconditioning: how the network becomes a denoiser; None for the published models' own.
        schedule: sigma(t) of its SDE; None if the file does not say.
        num_scales: N, the number of noise levels it was trained at, for networks that take their index; None if unsaid.
        native_size: height and width of its training images, in pixels; None if the file does not say.
        card: what is known of it: name, domain, licence, which weights.
        notes: sentences about what the file does not say and was assumed.
        finisher: the network of sampling's last step, if the file has one.
    """

    file: Path
    config: NetworkConfig
    weights: dict[str, Tensor]
    preconditioning: Preconditioning | None = None
    schedule: Schedule | None = None
    num_scales: int | None = None
    native_size: int | None = None
    card: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    finisher: CheckpointFinisher | None = None


def build_model(checkpoint: Checkpoint, sha256: str) -> ScoreModel:
    """A model with its own float32 copy of the weights, so that the file may change or go afterwards.

    Args:
        checkpoint: with everything known, as from `complete`.
        sha256: of the file.

    Raises:
        SdeditError: if the weights are not those that the configuration asks for, or are not finite.
    """
    assert checkpoint.preconditioning is not None
    assert checkpoint.schedule is not None
    assert checkpoint.native_size is not None
    found = checkpoint.finisher
    if (found is not None) != (checkpoint.schedule.sigma_finish > 0):
        raise SdeditError(f"{checkpoint.file} has a finisher without its noise level, or a level without a finisher")
    finisher = None
    if found is not None:
        finisher = Finisher(_build_network(checkpoint.file, found.config, found.weights), found.preconditioning)
    return ScoreModel(
        _build_network(checkpoint.file, checkpoint.config, checkpoint.weights),
        checkpoint.preconditioning,
        checkpoint.schedule,
        checkpoint.native_size,
        checkpoint.card,
        sha256,
        tuple(checkpoint.notes),
        finisher,
    )


def _build_network(file: Path, config: NetworkConfig, weights: Mapping[str, Tensor]) -> NCSNpp:
    with torch.device("meta"):  # names and shapes only: a lying configuration allocates nothing
        network = NCSNpp(config)
    check_weights(file, weights, network.state_dict())
    network.load_state_dict({name: _copy(tensor) for name, tensor in weights.items()}, assign=True)
    return network.eval().requires_grad_(False)


def check_weights(file: Path, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare names and shapes with those of a network, and look for values that are not finite.

    Raises:
        SdeditError: naming the first tensor that is wrong.
    """
    if missing := sorted(expected.keys() - weights.keys()):
        raise SdeditError(f"{file} lacks {len(missing)} tensors its configuration asks for, such as {missing[0]}")
    if extra := sorted(weights.keys() - expected.keys()):
        raise SdeditError(f"{file} has {len(extra)} tensors its configuration does not ask for, such as {extra[0]}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, its configuration asks for {tuple(expected[name].shape)}"
            raise SdeditError(f"tensor {name} in {file} has shape {shapes}")
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise SdeditError(f"tensor {name} in {file} holds values that are not finite numbers")


def check_claims(file: Path, tensors: Mapping[str, Tensor], held: int) -> None:
    """Refuse tensors that claim more memory than the file has bytes, as a few repeated numbers can.

    Raises:
        SdeditError: if they claim more than `held` bytes.
    """
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > held:
        raise SdeditError(f"{file} claims more numbers than it holds; it is damaged or hostile")


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _copy(tensor: Tensor) -> Tensor:
    # In the order of memory that convolutions want, so that nothing is copied again.
    order = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
    return tensor.to(torch.float32, copy=True, memory_format=order)
