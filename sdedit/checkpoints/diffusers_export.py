"""Writing a model in the layout of diffusers, for `UNet2DModel.from_pretrained` and its pipelines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from sdedit.checkpoints.diffusers import FIXED_OPTIONS, NAMING, WEIGHTS, narrow_attention, prefix
from sdedit.checkpoints.layout import sources
from sdedit.errors import SdeditError
from sdedit.files import write_atomically
from sdedit.model import ScoreModel


def export_diffusers(model: ScoreModel, folder: Path) -> None:
    """Write a model as a folder that `UNet2DModel.from_pretrained` and a pipeline read: unet/ and scheduler/.

    Raises:
        SdeditError: if diffusers has no network that does the same, or the folder cannot be written.
    """
    config = model.network.config
    if reason := _not_expressible(model):
        raise SdeditError(f"{model.name} cannot be written for diffusers: UNet2DModel has no {reason}")
    weights: dict[str, Tensor] = {}
    own = model.network.state_dict()
    for name, group in sources(config, NAMING, lambda _, part: prefix(part)).items():
        tensor = own[name].detach().float().cpu()
        tensor = tensor[:, :, 0, 0] if name.endswith((".qkv.weight", ".out.weight")) else tensor
        weights |= {theirs: piece.contiguous() for theirs, piece in zip(group, tensor.chunk(len(group)), strict=True)}
    unet, scheduler = folder / "unet", folder / "scheduler"
    unet.mkdir(parents=True, exist_ok=True)
    scheduler.mkdir(exist_ok=True)
    data = safetensors.torch.save(weights, {"format": "pt"})
    write_atomically(unet / WEIGHTS[0], lambda file: file.write(data))
    _write_json(unet / "config.json", _configuration(model))
    _write_json(
        scheduler / "scheduler_config.json",
        {
            "_class_name": "ScoreSdeVeScheduler",
            "num_train_timesteps": 2000,
            "sigma_min": model.schedule.sigma_min,
            "sigma_max": model.schedule.sigma_max,
            "sampling_eps": 1e-5,
            "snr": 0.15,
            "correct_steps": 1,
        },
    )
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "ScoreSdeVePipeline",
            "unet": ["diffusers", "UNet2DModel"],
            "scheduler": ["diffusers", "ScoreSdeVeScheduler"],
        },
    )


def _not_expressible(model: ScoreModel) -> str:
    config = model.network.config
    if model.preconditioning.kind != "ve" or config.embedding != "fourier":
        return f"{model.preconditioning.kind!r} preconditioning, only that of the published models for continuous sigma"
    if config.patch != 1 or config.stem_channels != config.channels[0]:
        return "stem that joins pixels into patches or differs in width from the first level"
    if len(set(config.blocks)) != 1:
        return "levels with different numbers of blocks"
    if (config.input_pyramid, config.output_pyramid, config.resampling) != ("skip", "skip", "fir"):
        return "NCSN++ without both image pyramids and the [1, 3, 3, 1] filter"
    if narrow := narrow_attention(config):
        return narrow
    if not config.skip_rescale or config.image_channels != 3:
        return "NCSN++ without rescaled sums or with other than 3 image channels"
    return ""


def _configuration(model: ScoreModel) -> dict[str, Any]:
    config = model.network.config
    attends = ["Attn" if level in config.attention_levels else "" for level in range(config.levels)]
    return {
        "_class_name": "UNet2DModel",
        **{name: value for name, (value, _) in FIXED_OPTIONS.items()},
        "sample_size": model.native_size,
        "in_channels": config.image_channels,
        "out_channels": config.image_channels,
        "block_out_channels": list(config.channels),
        "layers_per_block": config.blocks[0],
        "attention_head_dim": None,
        "down_block_types": [f"{attention}SkipDownBlock2D" for attention in attends],
        "up_block_types": [f"{attention}SkipUpBlock2D" for attention in reversed(attends)],
    }


def _write_json(file: Path, table: Mapping[str, Any]) -> None:
    data = json.dumps(table, indent=2).encode() + b"\n"
    write_atomically(file, lambda opened: opened.write(data))
