"""Writing a model as a folder that diffusers reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from sdedit.checkpoints.formats.diffusers import ddpm, ncsnpp, scheduler
from sdedit.checkpoints.formats.diffusers.folder import WEIGHTS
from sdedit.checkpoints.formats.diffusers.names import NAMING, place_ddpm, place_ncsnpp
from sdedit.checkpoints.formats.layout import sources
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.writing import make_folder, write_atomically


def export_diffusers(model: ScoreModel, folder: Path) -> None:
    """Write a model as a folder that `UNet2DModel.from_pretrained` and a pipeline read: unet/ and scheduler/.

    Raises:
        SdeditError: if diffusers has no network that does the same, or the folder cannot be written.
    """
    config, preconditioning = model.network.config, model.preconditioning
    if isinstance(preconditioning, VPPreconditioning):
        lacking, place, options = ddpm.not_expressible(config, preconditioning), place_ddpm, ddpm.options_of
    else:
        lacking, place, options = ncsnpp.not_expressible(config, preconditioning), place_ncsnpp, ncsnpp.options_of
    if model.finisher is not None:
        lacking = lacking or "second network for the last step"
    if lacking:
        raise SdeditError(f"{model.name} cannot be written for diffusers: UNet2DModel has no {lacking}")
    weights: dict[str, Tensor] = {}
    own = model.network.state_dict()
    for name, group in sources(config, NAMING, lambda _, part: place(part)).items():
        tensor = own[name].detach().float().cpu()
        tensor = tensor[:, :, 0, 0] if name.endswith((".qkv.weight", ".out.weight")) else tensor
        weights |= {theirs: piece.contiguous() for theirs, piece in zip(group, tensor.chunk(len(group)), strict=True)}
    for part in ("unet", "scheduler"):
        make_folder(folder / part)
    data = safetensors.torch.save(weights, {"format": "pt"})
    write_atomically(folder / "unet" / WEIGHTS[0], lambda file: file.write(data))
    training = scheduler.options_of(model)
    _write_json(folder / "unet" / "config.json", options(config, model.native_size))
    _write_json(folder / "scheduler" / "scheduler_config.json", training)
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "DDPMPipeline" if place is place_ddpm else "ScoreSdeVePipeline",
            "unet": ["diffusers", "UNet2DModel"],
            "scheduler": ["diffusers", training["_class_name"]],
        },
    )


def _write_json(file: Path, table: Mapping[str, Any]) -> None:
    data = json.dumps(table, indent=2).encode() + b"\n"
    write_atomically(file, lambda opened: opened.write(data))
