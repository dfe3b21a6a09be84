"""Everything a training run must remember to go on after a kill, in one file written whole or not at all."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from sdedit.errors import SdeditError
from sdedit.io.files import write_atomically
from sdedit.training.optimiser import Optimiser


@dataclass
class Counters:
    """What has been done so far, over all sittings."""

    batches: int = 0
    pictures: int = 0
    seconds: float = 0.0


def save_state(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimiser: Optimiser,
    generator: torch.Generator,
    progress: Counters,
) -> None:
    state = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generator": generator.get_state(),
        "progress": vars(progress),
    }
    write_atomically(path, lambda file: torch.save(state, file))


def load_state(
    path: Path, network: nn.Module, average: nn.Module, optimiser: Optimiser, generator: torch.Generator
) -> Counters:
    """Put a saved state into its parts, and return how far it had come.

    Raises:
        SdeditError: if the file is damaged or belongs to another network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"])
        return Counters(**state["progress"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise SdeditError(
            f"{path} cannot be resumed with this configuration; use the one it was started with, or another folder"
        ) from error
