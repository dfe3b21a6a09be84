"""ADM and improved-DDPM networks by the names of guided-diffusion and improved-diffusion (`.pt`): tensors by name.

Names count the steps of the walk: `input_blocks.N` from the stem down, `middle_block`, `output_blocks.M` up, with the
parts of a step within it: `output_blocks.3.0` a residual block, `.1` its attention, the last one the way up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.checkpoints.checkpoint import Checkpoint, check_claims
from sdedit.checkpoints.formats.assumptions import ADM, IMPROVED_DDPM, NOTHING, Assumptions, told
from sdedit.checkpoints.formats.containers import only_tensors
from sdedit.checkpoints.formats.layout import Naming, collect, parts, sources, without_variance
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.errors import SdeditError

MARK = "input_blocks.0.0.weight"
_NAMING = Naming(
    frequencies="",
    block={
        "norm0": "in_layers.0",
        "conv0": "in_layers.2",
        "project": "emb_layers.1",
        "norm1": "out_layers.0",
        "conv1": "out_layers.3",
        "shortcut": "skip_connection",
    },
    attention={"norm": ("norm",), "qkv": ("qkv",), "out": ("proj_out",)},
)
_FIXED = {
    "embedding.linear0": "time_embed.0",
    "embedding.linear1": "time_embed.2",
    "stem": "input_blocks.0.0",
    "middle.block0": "middle_block.0",
    "middle.attention": "middle_block.1",
    "middle.block1": "middle_block.2",
    "head.norm": "out.0",
    "head.conv": "out.2",
}
_SIZES = {7: 512, 6: 256, 5: 128}  # pixels, by the number of levels


@dataclass(frozen=True)
class _Step:
    """One `output_blocks.M`."""

    width: int
    attends: bool
    leads_up: bool
    by_block: bool  # the way up is a residual block


def read_guided(path: Path, content: Any, assumptions: Assumptions = NOTHING) -> Checkpoint:
    """Read what a file of one of the two kinds holds.

    Raises:
        SdeditError: if it is no unconditional network of images that sdedit knows.
    """
    tensors = only_tensors(path, content)
    check_claims(path, tensors, path.stat().st_size)
    _refuse_conditional(path, tensors)
    config, notes = infer_config(path, tensors, assumptions)
    cosine = config.levels == 4 and not config.resamples_in_blocks
    if config.resamples_in_blocks and len(tensors["out.2.weight"]) == 3 and assumptions.schedule is None:
        raise SdeditError(
            f"{path} is an ADM network without variance, as are those of consistency models and EDM, which are told "
            "the noise otherwise and look the same; if it is a DDPM, say so: sdedit models convert FILE "
            "OUT.safetensors --schedule linear"
        )
    preconditioning, assumed = (
        assumptions.training("cosine betas with 4000 levels", "cosine", 4000)
        if cosine
        else assumptions.training("linear betas with 1000 levels")
    )
    notes += assumed
    tensors = without_variance(tensors, "out.2")
    size = assumptions.size or _SIZES.get(config.levels) or (32 if len(set(config.channels)) == 2 else 64)
    if assumptions.size is None:
        notes.append(f"the file does not say its native size; {size} px is assumed")
    places = _places(config)

    def join(own: str, group: list[Tensor]) -> Tensor:
        (tensor,) = group
        heads = config.heads_of(tensor.shape[0] // 3) if ".qkv." in own else 0
        if assumptions.attention_order != "new" and heads and tensor.shape[0] % (3 * heads) == 0:
            # Head by head q, k and v; here q of all heads first.
            tensor = tensor.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2)
        pixelwise = own.endswith((".qkv.weight", ".out.weight")) and tensor.dim() == 3
        return tensor[..., None] if pixelwise else tensor

    return Checkpoint(
        path,
        config,
        collect(path, tensors, sources(config, _NAMING, lambda _, part: places[part.name]), join),
        preconditioning,
        preconditioning.schedule,
        native_size=size,
        notes=notes,
    )


def infer_config(
    path: Path, tensors: Mapping[str, Tensor], assumptions: Assumptions = NOTHING
) -> tuple[NetworkConfig, list[str]]:
    """Which network it is, by the names and shapes of the way up, and notes of what they do not tell.

    The way down does not tell: a block of ADM that halves the size has the tensors of an ordinary one.

    Raises:
        SdeditError: if it is none that sdedit knows.
    """
    try:
        steps = _steps(tensors)
        ends = [number for number, step in enumerate(steps[:-1]) if step.leads_up] + [len(steps) - 1]
        begins = [0, *(end + 1 for end in ends[:-1])]
        upwards = [steps[begin : end + 1] for begin, end in zip(begins, ends, strict=True)]
        levels = upwards[::-1]  # the highest resolution first
        by_block = any(step.by_block for step in steps)
        first = tensors["output_blocks.0.0.emb_layers.1.weight"].shape[0]
        scale_shift = first == 2 * tensors["output_blocks.0.0.out_layers.3.weight"].shape[0]
        stem = tensors["input_blocks.0.0.weight"].shape[0]
        heads, head_channels = assumptions.heads or 1, assumptions.head_channels or 0
        taken = {}
        if not assumptions.given() & {"heads", "head_channels"}:
            if by_block and stem >= 128:
                head_channels = 64
            elif by_block or scale_shift:
                heads = 4
            taken["its attention heads"] = (
                f"{head_channels} channels each" if head_channels else "one" if heads == 1 else str(heads)
            )
            if (head_channels or heads > 1) and assumptions.attention_order is None:
                taken["their order"] = "q, k and v head by head"
        config = NetworkConfig(
            stem_channels=stem,
            channels=tuple(level[0].width for level in levels),
            blocks=tuple(len(level) - 1 for level in levels),
            attention_levels=tuple(number for number, level in enumerate(levels) if level[0].attends),
            embedding_channels=tensors["time_embed.0.weight"].shape[1],
            scale_shift=scale_shift,
            heads=heads,
            head_channels=head_channels,
            **(ADM if by_block else IMPROVED_DDPM),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise SdeditError(
            f"{path} holds a network that is no ADM or improved DDPM of the published kinds: {error}"
        ) from error
    return config, told(taken)


def _steps(tensors: Mapping[str, Tensor]) -> list[_Step]:
    found: dict[int, set[str]] = {}
    for name in tensors:
        if match := re.fullmatch(r"output_blocks\.(\d{1,4})\.(\d\.[a-z_]+(\.\d)?\.(?:weight|bias))", name):
            found.setdefault(int(match[1]), set()).add(match[2])

    def step(number: int) -> _Step:
        layers = found[number]
        by_block = any(re.fullmatch(r"[12]\.in_layers\.0\.weight", layer) for layer in layers)
        return _Step(
            width=tensors[f"output_blocks.{number}.0.out_layers.3.weight"].shape[0],
            attends=any(layer.endswith(".qkv.weight") for layer in layers),
            leads_up=by_block or any(re.fullmatch(r"[12]\.conv\.weight", layer) for layer in layers),
            by_block=by_block,
        )

    return [step(number) for number in range(len(found))]


def _places(config: NetworkConfig) -> dict[str, str]:
    """For each part of the network by its name here, its prefix in the file."""
    places: dict[str, str] = {}
    down, up = 0, -1
    for part in parts(config):
        side, _, rest = part.name.partition(".")
        if side == "encoder":
            down += part.kind != "attention"
            index = int(part.kind == "attention")
            places[part.name] = f"input_blocks.{down}.{index}" + (".op" if part.name.endswith(".down.conv") else "")
        elif side == "decoder" and ".up" in rest:
            attends = part.level in config.attention_levels
            places[part.name] = f"output_blocks.{up}.{1 + attends}" + (".conv" if rest.endswith(".conv") else "")
        elif side == "decoder":
            up += part.kind != "attention"
            places[part.name] = f"output_blocks.{up}.{int(part.kind == 'attention')}"
        else:
            places[part.name] = _FIXED[part.name]
    return places


def _refuse_conditional(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if "label_emb.weight" in tensors:
        raise SdeditError(f"{path} is a class-conditional model, and sdedit has no classes; use the unconditional one")
    if any(".encoder_kv." in name or ".transformer_blocks." in name for name in tensors):
        raise SdeditError(
            f"{path} is conditioned on text or other input, which sdedit does not give; use an "
            "unconditional model of images"
        )
    channels = tensors[MARK].shape[1] if tensors[MARK].dim() == 4 else 0
    if channels == 6:
        raise SdeditError(f"{path} is an upsampler, conditioned on a small image; use an unconditional model")
    if channels != 3:
        raise SdeditError(
            f"{path} takes {channels} channels, as latent and inpainting models do; sdedit paints with models of "
            "images alone"
        )
    last = tensors.get("out.2.weight")
    rows = 0 if last is None or last.dim() == 0 else len(last)
    if rows not in (3, 6):
        raise SdeditError(f"{path} puts out {rows} channels, not an image: perhaps a classifier, or part of a model")
