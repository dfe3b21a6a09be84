"""DDPM and ADM as a UNet2DModel of diffusers: what config.json says, both ways.

The files of google/ddpm-*, and what diffusers' `train_unconditional.py` and its many copies write: ordinary, attention
and resampling blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from sdedit.checkpoints.formats.assumptions import ADM, DDPM
from sdedit.checkpoints.formats.layout import count_numbers
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.errors import SdeditError

_MARK = re.compile(r"down_blocks\.\d+\.downsamplers\.")
# Options that must be so, with the values diffusers assumes where a file is silent.
_FIXED: dict[str, tuple[tuple[Any, ...], Any]] = {
    "in_channels": ((3,), 3),
    "out_channels": ((3, 6), 3),
    "center_input_sample": ((False,), False),
    "time_embedding_type": (("positional",), "positional"),
    "act_fn": (("silu", "swish"), "silu"),
    "mid_block_scale_factor": ((1,), 1),
    "mid_block_type": (("UNetMidBlock2D",), "UNetMidBlock2D"),
    "resnet_time_scale_shift": (("default", "scale_shift"), "default"),
    "downsample_padding": ((0, 1), 1),
    "downsample_type": (("conv", "resnet"), "conv"),
    "upsample_type": (("conv", "resnet"), "conv"),
    "add_attention": ((True,), True),
    "class_embed_type": ((None,), None),
    "num_class_embeds": ((None,), None),
    "num_train_timesteps": ((None,), None),
}
_DOWN = ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D")
_UP = ("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D")
_EMBEDDINGS: dict[tuple[bool, float], Literal["positional", "timestep"]] = {
    (False, 1): "positional",
    (True, 0): "timestep",
}  # by flip_sin_to_cos and freq_shift
# Widths and attention of the networks that are known without a config.json.
_GOOGLE = {((128, 128, 256, 256, 512, 512), (4,)), ((128, 256, 256, 256), (1,))}


def describes(options: Mapping[str, Any] | None, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a UNet2DModel is of this family, by its options, or by its tensors if it has none."""
    if options is None:
        return any(_MARK.match(name) for name in tensors)
    skips = any("Skip" in str(kind) for kind in _listed(options.get("down_block_types")))  # NCSN++'s image pyramids
    return not skips and options.get("time_embedding_type", "positional") != "fourier"


def config_from_options(file: Path, options: Mapping[str, Any]) -> NetworkConfig:
    """The network that a config.json describes.

    Raises:
        SdeditError: if diffusers would compute something that this network cannot.
    """

    def get(name: str, default: Any) -> Any:
        return options.get(name, default)

    for name, (allowed, default) in _FIXED.items():
        value = get(name, default)
        if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
            classes = name in ("class_embed_type", "num_class_embeds")
            why = ": it is a class-conditional model" if classes else ", which no network that sdedit runs has"
            raise SdeditError(f"{file} has {name} {value!r}{why}")
    channels, down, up = get("block_out_channels", ()), get("down_block_types", _DOWN), get("up_block_types", _UP)
    if not all(isinstance(row, (list, tuple)) and row for row in (channels, down, up)) or type(channels[0]) is not int:
        raise SdeditError(f"{file} has no list of block_out_channels, down_block_types or up_block_types")
    flip, shift = get("flip_sin_to_cos", True), get("freq_shift", 0)
    if not isinstance(flip, bool) or not isinstance(shift, (int, float)) or (flip, shift) not in _EMBEDDINGS:
        raise SdeditError(f"{file} has flip_sin_to_cos {flip!r} with freq_shift {shift!r}, which sdedit does not know")
    blocks, attention, in_blocks = [], [], set()
    for level, kinds in enumerate(zip(down, reversed(up), strict=False)):
        attends, resampling = zip(*(_block_kind(file, kind, options) for kind in kinds), strict=True)
        if attends[0] != attends[1]:
            raise SdeditError(f"{file} has attention at a level on the way down or up only")
        attention += [level] if attends[0] else []
        # The lowest level leads nowhere down, the highest nowhere up.
        in_blocks |= {resampling[0]} if level < len(down) - 1 else set()
        in_blocks |= {resampling[1]} if level > 0 else set()
        blocks.append(get("layers_per_block", 2))
    if not len(down) == len(up) == len(channels) or len(in_blocks) > 1:
        raise SdeditError(f"{file} has block types that do not fit together, or that sdedit has no network for")
    scale_shift = get("resnet_time_scale_shift", "default") == "scale_shift"
    groups, middle_groups = get("norm_num_groups", 32), get("attn_norm_num_groups", None)
    if middle_groups != groups and (scale_shift or middle_groups is not None):
        raise SdeditError(f"{file} has attn_norm_num_groups {middle_groups!r} beside norm_num_groups {groups!r}")
    if get("time_embedding_dim", None) not in (None, 4 * channels[0]):
        raise SdeditError(f"{file} has a time_embedding_dim of its own, which sdedit does not know")
    convolved = "conv" if get("downsample_padding", 1) == 0 else "conv-centred"
    try:
        return NetworkConfig(
            stem_channels=channels[0],
            channels=tuple(channels),
            blocks=tuple(blocks),
            attention_levels=tuple(attention),
            embedding=_EMBEDDINGS[flip, shift],
            resampling="mean" if in_blocks == {True} else convolved,  # type: ignore[arg-type]
            skip_rescale=False,
            resample_shortcut=in_blocks != {True},
            scale_shift=scale_shift,
            decoder_attention="every",
            head_channels=get("attention_head_dim", 8) or 0,
            norm_groups=groups,
            norm_eps=get("norm_eps", 1e-5),
        )
    except (TypeError, ValueError) as error:
        raise SdeditError(f"{file} describes a network that cannot be: {error}") from error


def config_of_google(path: Path, tensors: Mapping[str, Tensor]) -> NetworkConfig:
    """The network of weights without a config.json, if its widths and attention are those of google/ddpm-*.

    Raises:
        SdeditError: if they are not: the tensors alone do not tell padding, eps, embedding and heads.
    """
    levels = range(count_numbers(tensors, r"down_blocks\.(\d{1,3})\."))
    widths = tuple(_rows(tensors, f"down_blocks.{level}.resnets.0.conv1.weight") for level in levels)
    attention = tuple(level for level in levels if f"down_blocks.{level}.attentions.0.to_q.weight" in tensors)
    if (widths, attention) not in _GOOGLE:
        raise SdeditError(f"{path} has no config.json beside it, which its network needs; download that too")
    return NetworkConfig(widths[0], widths, (2,) * len(widths), attention, **DDPM)


def not_expressible(config: NetworkConfig, preconditioning: VPPreconditioning) -> str:
    """What keeps UNet2DModel and its schedulers from doing the same, in words; empty if nothing does."""
    family = ADM if config.resamples_in_blocks else DDPM
    same = ("resample_shortcut",) if config.resamples_in_blocks else ()
    if any(getattr(config, name) != family[name] for name in ("skip_rescale", "decoder_attention", *same)):
        return "DDPM++, and no attention after only the last block of a level"
    pyramids = (config.input_pyramid, config.output_pyramid)
    if config.resampling == "fir" or config.norm_groups == 0 or pyramids != ("none", "none"):
        return "network of this kind with image pyramids, filters or groups of its own"
    if config.embedding not in _EMBEDDINGS.values() or config.embedding_unit != config.stem_channels:
        return "noise embedding such as this"
    if config.patch != 1 or config.image_channels != 3 or config.stem_channels != config.channels[0]:
        return "stem that joins pixels into patches or differs in width from the first level"
    if len(set(config.blocks)) != 1 or (config.heads > 1 and not config.head_channels and not _same_width(config)):
        return "levels with different numbers of blocks, or heads of different widths"
    if preconditioning.schedule.betas == "continuous" or preconditioning.label_scale != 1:
        return "training in continuous time, or at labels of another scale"
    return ""


def options_of(config: NetworkConfig, size: int) -> dict[str, Any]:
    """The config.json of a network for which `not_expressible` is empty, of a native size in pixels."""
    flip, shift = next(pair for pair, kind in _EMBEDDINGS.items() if kind == config.embedding)
    attends = [level in config.attention_levels for level in range(config.levels)]
    plain = ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D") if config.resamples_in_blocks else _DOWN[:1] + _UP[-1:]
    head_channels = config.head_channels or (config.channels[-1] // config.heads if config.heads > 1 else None)
    return {
        "_class_name": "UNet2DModel",
        "sample_size": size,
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": list(config.channels),
        "layers_per_block": config.blocks[0],
        "down_block_types": ["AttnDownBlock2D" if attention else plain[0] for attention in attends],
        "up_block_types": ["AttnUpBlock2D" if attention else plain[1] for attention in reversed(attends)],
        "downsample_type": "resnet" if config.resamples_in_blocks else "conv",
        "upsample_type": "resnet" if config.resamples_in_blocks else "conv",
        "downsample_padding": 0 if config.resampling == "conv" else 1,
        "time_embedding_type": "positional",
        "flip_sin_to_cos": flip,
        "freq_shift": shift,
        "center_input_sample": False,
        "act_fn": "silu",
        "attention_head_dim": head_channels,
        "norm_num_groups": config.norm_groups,
        "attn_norm_num_groups": config.norm_groups if config.scale_shift else None,
        "norm_eps": config.norm_eps,
        "mid_block_scale_factor": 1,
        "resnet_time_scale_shift": "scale_shift" if config.scale_shift else "default",
        "add_attention": True,
    }


def _same_width(config: NetworkConfig) -> bool:
    return len({config.channels[level] for level in (*config.attention_levels, -1)}) == 1


def _block_kind(file: Path, kind: Any, options: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether a type of block has attention, and whether residual blocks lead on from it."""
    kinds = {
        "DownBlock2D": (False, False),
        "UpBlock2D": (False, False),
        "ResnetDownsampleBlock2D": (False, True),
        "ResnetUpsampleBlock2D": (False, True),
        "AttnDownBlock2D": (True, options.get("downsample_type", "conv") == "resnet"),
        "AttnUpBlock2D": (True, options.get("upsample_type", "conv") == "resnet"),
    }
    found = kinds.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise SdeditError(f"{file} has blocks of type {str(kind)[:60]}, which no network that sdedit runs has")
    return found


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else ()


def _rows(tensors: Mapping[str, Tensor], name: str) -> int:
    return tensors[name].shape[0] if name in tensors and tensors[name].dim() else 0
