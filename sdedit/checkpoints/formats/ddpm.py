"""DDPM U-Nets by the names of pytorch_diffusion: the checkpoints of the official SDEdit, and of ermongroup/ddim.

A mapping of tensors (`.ckpt`), or the list that ddim's training writes: [network, optimizer, epoch, step, moving
average]. Names say where a layer is, `down.0.block.1.conv1`; the network is that of Ho et al. 2020 (arXiv 2006.11239).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.checkpoints.checkpoint import Checkpoint, check_claims
from sdedit.checkpoints.formats.assumptions import DDPM, NOTHING, Assumptions
from sdedit.checkpoints.formats.containers import only_tensors
from sdedit.checkpoints.formats.layout import Naming, collect, count_numbers, join_pixelwise, sources
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.errors import SdeditError

MARK = "down.0.block.0."
_ATTENTION_SIZE = 16  # pixels, of all published ones
_NAMING = Naming(
    frequencies="",
    block={
        "norm0": "norm1",
        "conv0": "conv1",
        "project": "temb_proj",
        "norm1": "norm2",
        "conv1": "conv2",
        "shortcut": "nin_shortcut",
    },
    attention={"norm": ("norm",), "qkv": ("q", "k", "v"), "out": ("proj_out",)},
)
_PREFIXES = {
    "embedding.linear0": "temb.dense.0",
    "embedding.linear1": "temb.dense.1",
    "stem": "conv_in",
    "encoder.{level}.blocks.{index}": "down.{level}.block.{index}",
    "encoder.{level}.attentions.{index}": "down.{level}.attn.{index}",
    "encoder.{level}.down.conv": "down.{level}.downsample.conv",
    "middle.block0": "mid.block_1",
    "middle.attention": "mid.attn_1",
    "middle.block1": "mid.block_2",
    "decoder.{step}.blocks.{index}": "up.{level}.block.{index}",
    "decoder.{step}.attentions.{index}": "up.{level}.attn.{index}",
    "decoder.{step}.up.conv": "up.{level}.upsample.conv",
    "head.norm": "norm_out",
    "head.conv": "conv_out",
}


def is_training_list(content: Any) -> bool:
    """Whether a file holds what ddim's training writes."""
    return isinstance(content, list) and 4 <= len(content) <= 5 and isinstance(content[0], dict)


def read_ddpm(path: Path, content: Any, raw_weights: bool, assumptions: Assumptions = NOTHING) -> Checkpoint:
    """Read what a file of one of the two kinds holds.

    Args:
        path: the file, for messages.
        content: what was saved in it.
        raw_weights: of a training's list take the network, not its moving average.
        assumptions: of the user.

    Raises:
        SdeditError: if it is not a network that sdedit knows.
    """
    assumptions.take_only(path, "schedule", "timesteps", "prediction", "size")
    notes: list[str] = []
    if isinstance(content, list):
        average = isinstance(content[-1], dict) and all(isinstance(value, Tensor) for value in content[-1].values())
        if not average:
            notes.append("it holds no moving average of the weights, so they are taken as they are")
        card = {"weights": "raw" if raw_weights or not average else "EMA"}
        content = content[0 if card["weights"] == "raw" else -1]
    else:
        card = {}
    tensors = only_tensors(path, content)
    check_claims(path, tensors, path.stat().st_size)
    config = infer_config(path, tensors)
    preconditioning, assumed = assumptions.training("DDPM's beta from 1e-4 to .02 in 1000 steps")
    size = _ATTENTION_SIZE << config.attention_levels[0] if config.attention_levels else None
    return Checkpoint(
        path,
        config,
        collect(
            path, tensors, sources(config, _NAMING, lambda _, part: part.place(_PREFIXES[part.pattern])), join_pixelwise
        ),
        preconditioning,
        preconditioning.schedule,
        native_size=assumptions.size or size,
        card=card,
        notes=[*notes, *assumed],
    )


def infer_config(path: Path, tensors: Mapping[str, Tensor]) -> NetworkConfig:
    """Which network it is, by the names and shapes of its tensors.

    Raises:
        SdeditError: if it is none that sdedit knows.
    """
    levels = range(count_numbers(tensors, r"down\.(\d{1,3})\."))
    try:
        if tensors["conv_in.weight"].shape[1] != 3 or tensors["conv_out.weight"].shape[0] != 3:
            raise SdeditError(f"{path} holds a network of other than images; sdedit takes 3 channels in and out")
        return NetworkConfig(
            stem_channels=tensors["conv_in.weight"].shape[0],
            channels=tuple(tensors[f"down.{level}.block.0.conv1.weight"].shape[0] for level in levels),
            blocks=tuple(count_numbers(tensors, rf"down\.{level}\.block\.(\d{{1,3}})\.") for level in levels),
            attention_levels=tuple(level for level in levels if f"down.{level}.attn.0.q.weight" in tensors),
            **DDPM,
        )
    except (KeyError, IndexError, ValueError) as error:
        raise SdeditError(f"{path} holds a network that is no DDPM U-Net (VP) of the published kind") from error
