"""NCSN++ as a UNet2DModel of diffusers: what its tensors and its config.json say, both ways."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.checkpoints.formats.diffusers.folder import check_class
from sdedit.checkpoints.formats.layout import count_numbers
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.diffusion.preconditioning import Preconditioning
from sdedit.errors import SdeditError

# Options of UNet2DModel that make it the published NCSN++, with the values diffusers assumes where a file is silent.
_FIXED: dict[str, tuple[Any, Any]] = {
    "center_input_sample": (True, False),
    "time_embedding_type": ("fourier", "positional"),
    "act_fn": ("silu", "silu"),
    "norm_eps": (1e-6, 1e-5),
    "norm_num_groups": (None, 32),
    "attn_norm_num_groups": (None, None),
    "mid_block_scale_factor": (math.sqrt(2), 1),
    "mid_block_type": ("UNetMidBlock2D", "UNetMidBlock2D"),
    "resnet_time_scale_shift": ("default", "default"),
    "add_attention": (True, True),
    "class_embed_type": (None, None),
    "num_class_embeds": (None, None),
}


def infer_config(path: Path, tensors: Mapping[str, Tensor]) -> NetworkConfig:
    """Which network it is, by the names and shapes of its tensors.

    Raises:
        SdeditError: if it is none that sdedit knows.
    """
    levels = range(count_numbers(tensors, r"down_blocks\.(\d{1,3})\."))
    try:
        return NetworkConfig(
            stem_channels=tensors["conv_in.weight"].shape[0],
            channels=tuple(tensors[f"down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels),
            blocks=tuple(count_numbers(tensors, rf"down_blocks\.{level}\.resnets\.(\d{{1,3}})\.") for level in levels),
            attention_levels=tuple(
                level for level in levels if f"down_blocks.{level}.attentions.0.to_q.weight" in tensors
            ),
            input_pyramid="skip",
            output_pyramid="skip",
        )
    except (KeyError, IndexError, ValueError) as error:
        raise SdeditError(f"{path} holds a UNet2DModel that is no NCSN++ of the published kind") from error


def check_options(file: Path, options: Mapping[str, Any], config: NetworkConfig) -> None:
    """Refuse options that would make diffusers compute something else than the published networks do.

    Raises:
        SdeditError: naming the first of them.
    """
    check_class(file, options)
    for name, (value, default) in _FIXED.items():
        given = options.get(name, default)
        same = math.isclose(given, value) if isinstance(given, float) and isinstance(value, float) else given == value
        if not same:
            raise SdeditError(f"{file} has {name} {given!r}, where the published NCSN++ have {value!r}")
    if narrow := _narrow_attention(config):
        raise SdeditError(f"{file} describes a {narrow}; the published NCSN++ have wider ones")
    width = options.get("attention_head_dim", 8)
    if width is not None and any(width != config.channels[level] for level in (*config.attention_levels, -1)):
        raise SdeditError(f"{file} has attention of several heads, where the published NCSN++ have one")


def not_expressible(config: NetworkConfig, preconditioning: Preconditioning) -> str:
    """What keeps UNet2DModel from doing the same, in words; empty if nothing does."""
    if preconditioning.kind != "ve" or config.embedding != "fourier":
        return f"{preconditioning.kind!r} preconditioning, only that of the published models for continuous sigma"
    if config.patch != 1 or config.stem_channels != config.channels[0]:
        return "stem that joins pixels into patches or differs in width from the first level"
    if len(set(config.blocks)) != 1:
        return "levels with different numbers of blocks"
    if (config.input_pyramid, config.output_pyramid, config.resampling) != ("skip", "skip", "fir"):
        return "NCSN++ without both image pyramids and the [1, 3, 3, 1] filter"
    if narrow := _narrow_attention(config):
        return narrow
    if not config.skip_rescale or config.image_channels != 3:
        return "NCSN++ without rescaled sums or with other than 3 image channels"
    return ""


def options_of(config: NetworkConfig, size: int) -> dict[str, Any]:
    """The config.json of a network for which `not_expressible` is empty, of a native size in pixels."""
    attends = ["Attn" if level in config.attention_levels else "" for level in range(config.levels)]
    return {
        "_class_name": "UNet2DModel",
        **{name: value for name, (value, _) in _FIXED.items()},
        "sample_size": size,
        "in_channels": config.image_channels,
        "out_channels": config.image_channels,
        "block_out_channels": list(config.channels),
        "layers_per_block": config.blocks[0],
        "attention_head_dim": None,
        "down_block_types": [f"{attention}SkipDownBlock2D" for attention in attends],
        "up_block_types": [f"{attention}SkipUpBlock2D" for attention in reversed(attends)],
    }


def _narrow_attention(config: NetworkConfig) -> str:
    """What keeps UNet2DModel from doing the same attention, in words; empty if nothing does."""
    # diffusers normalises before attention in 32 groups always, NCSN++ in at most a quarter of the channels.
    if any(config.channels[level] < 128 for level in config.attention_levels):
        return "level of fewer than 128 channels with attention that is normalised as in NCSN++"
    return ""
