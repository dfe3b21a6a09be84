"""A model by its name or its file, ready to run on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from sdedit import runtime
from sdedit.checkpoints.native import load_checkpoint
from sdedit.errors import SdeditError
from sdedit.model import ScoreModel

BUILT_IN = "landscapes-128"
_MODELS = Path(__file__).parent.parent / "models"


def load_model(name_or_path: str | Path = BUILT_IN, device: str = "cpu", precision: str = "auto") -> ScoreModel:
    """Load a score model and put it on a device.

    Args:
        name_or_path: the name of a model that comes with the package, or a checkpoint file.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps"; "auto" takes a GPU if there is one.
        precision: "fp32", "bf16", or "auto" for bf16 where the device is fast at it. The noise embedding, the
            sampler's state and the denoiser's output are float32 either way.

    Raises:
        SdeditError: if there is no such model or device, or the file is not a usable checkpoint.
    """
    target = runtime.find_device(device)
    path = Path(name_or_path)
    if not path.exists():
        path = _MODELS / f"{name_or_path}.safetensors"
        if not path.is_file():
            names = ", ".join(sorted(file.stem for file in _MODELS.glob("*.safetensors")))
            raise SdeditError(f"there is no model or checkpoint file {name_or_path}; models that come along: {names}")
    model = load_checkpoint(path)
    model.network.body_to(runtime.find_dtype(target, precision))
    model.network.to(target).to(memory_format=torch.channels_last)
    return model
