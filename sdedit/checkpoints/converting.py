"""A model from one format into another."""

from __future__ import annotations

from pathlib import Path

from sdedit.checkpoints.diffusers_export import export_diffusers
from sdedit.checkpoints.native import save_checkpoint
from sdedit.errors import SdeditError
from sdedit.model import ScoreModel


def convert_model(model: ScoreModel, output: Path, overwrite: bool = False) -> None:
    """Write a model, its weights as float32: to a name ending in .safetensors as the project's own format, to any
    other name as a folder of diffusers.

    Raises:
        SdeditError: if the output exists or cannot be written, or diffusers has no network that does the same.
    """
    if output.exists() and not overwrite:
        raise SdeditError(f"{output} exists; add --overwrite to replace it, or name another output")
    if output.suffix == ".safetensors":
        if output.is_dir():
            raise SdeditError(f"cannot write {output}: it is a folder")
        save_checkpoint(model, output)
    elif output.suffix or (output.exists() and not output.is_dir()):
        raise SdeditError(f"cannot write {output}: name a file ending in .safetensors, or a folder for diffusers")
    else:
        export_diffusers(model, output)
