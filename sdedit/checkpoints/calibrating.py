"""Adding the photographs' denoising errors to a checkpoint, for `--t0 auto`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from sdedit.checkpoints.hub import built_in_models
from sdedit.checkpoints.loading import load_model
from sdedit.checkpoints.native import is_native, save_checkpoint
from sdedit.errors import SdeditError
from sdedit.model import ScoreModel
from sdedit.sweetspot import CALIBRATION, calibrate
from sdedit.training.data import load_squares


def calibrate_checkpoint(
    name: str, photos: Path, output: Path | None = None, overwrite: bool = False, limit: int = 100
) -> tuple[Path, int]:
    """Measure photographs with a model, and write the model again with what was measured in its card.

    Args:
        name: what `sdedit.load_model` takes.
        photos: a folder or tar archive of photographs that the model was not trained on.
        output: the .safetensors file to write; None for the model's own file, if it is one of sdedit's.
        overwrite: whether an output that exists, other than the model's own file, may be replaced.
        limit: at most so many photographs, evenly spread over all.

    Returns:
        The file written, and how many photographs were measured.

    Raises:
        SdeditError: if anything given cannot be used.
    """
    own = Path(name)
    if output is None:
        if name in built_in_models() or not (own.is_file() and is_native(own)):
            raise SdeditError(
                f"{name} is no file of sdedit's own that could be changed; name one to write with --output"
            )
        output = own
    elif output.suffix != ".safetensors":
        raise SdeditError(f"cannot write {output}: its name must end in .safetensors")
    elif output.exists() and not overwrite:
        raise SdeditError(f"{output} exists; add --overwrite to replace it, or name another output")
    model = load_model(name, precision="fp32")
    pictures, _ = load_squares(photos, model.native_size, limit)
    calibration = calibrate(model, pictures)
    calibrated = replace(model, card={**model.card, CALIBRATION: calibration.to_dict()})
    save_checkpoint(calibrated, output, _stored_type(model))
    return output, calibration.photographs


def _stored_type(model: ScoreModel) -> torch.dtype:
    """float16 if no weight loses anything by it, as in the files that training writes."""
    tensors = model.network.state_dict().values()
    return torch.float16 if all(torch.equal(tensor.half().float(), tensor) for tensor in tensors) else torch.float32
