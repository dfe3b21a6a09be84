"""What a training run must remember to go on after a kill, in one file of its folder written whole or not at all."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from sdedit.errors import SdeditError
from sdedit.io.files import exists
from sdedit.io.writing import write_atomically
from sdedit.training.counters import Counters
from sdedit.training.optimiser import Optimiser

STATE = "state.pt"


class Step(Protocol):
    """What is remembered of `sdedit.training.step.TrainingStep`."""

    generator: torch.Generator

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: dict[str, Any]) -> None: ...


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse to resume what is not there, and to write over the results of another run.

    Raises:
        SdeditError: if that is asked for.
    """
    state = folder / STATE
    results = [name for name in ("model.safetensors", "log.csv") if exists(folder / name)]
    if resume and not exists(state):
        remedy = "name the folder of the run" if results else "start it without --resume"
        raise SdeditError(f"there is no training run to resume in {folder}, it lacks {state.name}; {remedy}")
    if not resume and exists(state):
        raise SdeditError(f"{folder} already holds a training run; add --resume, or name another folder")
    if not resume and results:
        raise SdeditError(f"{folder} already holds {results[0]} of another run; name another folder, or move it away")


def state_writer(path: Path, optimiser: Optimiser, step: Step, progress: Counters) -> Callable[[], None]:
    """Copy the state of a run as it is now; what is returned writes the copy."""
    state: dict[str, Any] = {
        "layout": dict(optimiser.parameters.layout),
        "tensors": {name: tensor.detach().to("cpu", copy=True) for name, tensor in optimiser.tensors().items()},
        "device": step.generator.device.type,
        "generator": step.generator.get_state(),
        "step": copy.deepcopy(step.state()),
        "progress": dict(vars(progress)),
    }
    return lambda: write_atomically(path, lambda file: torch.save(state, file))


def load_state(path: Path, optimiser: Optimiser, step: Step, progress: Counters) -> None:
    """Put a saved state into its parts.

    Raises:
        SdeditError: if the file is damaged or belongs to another network or other averages.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors = optimiser.tensors()
        if state["layout"] != optimiser.parameters.layout or state["tensors"].keys() != tensors.keys():
            raise ValueError("it is of another network")
        vars(progress).update(vars(Counters(**state["progress"])))
        for name, tensor in tensors.items():
            tensor.copy_(state["tensors"][name])
        if state["device"] == step.generator.device.type:
            step.generator.set_state(state["generator"])
        else:
            step.generator.manual_seed(progress.batches)  # other devices draw other numbers
        step.load_state(state["step"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise SdeditError(
            f"{path} cannot be resumed with this configuration; use the one it was started with, or another folder"
        ) from error
    optimiser.parameters.refresh()
