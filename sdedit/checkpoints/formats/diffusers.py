"""Models in the layout of diffusers: a folder with a UNet2DModel and perhaps a scheduler.

Flat (config.json beside the weights, scheduler_config.json) as the published ones are, or with unet/ and scheduler/ as
newer pipelines are saved. The weights are read from safetensors or, failing that, from a torch file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from sdedit.checkpoints.checkpoint import Checkpoint, check_claims
from sdedit.checkpoints.formats import diffusers_ddpm
from sdedit.checkpoints.formats.containers import read_weights
from sdedit.checkpoints.formats.layout import Naming, Part, as_pixelwise, collect, sources, without_variance
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel
from sdedit.diffusion.vp_schedule import VPSchedule
from sdedit.errors import SdeditError
from sdedit.io.files import is_file, is_folder, write_atomically

MARK = "down_blocks."
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
INDEX = ".index.json"
_MOST_JSON = 1 << 20
_VE_SCHEDULER = "ScoreSdeVeScheduler"
NAMING = Naming(
    frequencies="weight",
    block={
        "norm0": "norm1",
        "conv0": "conv1",
        "project": "time_emb_proj",
        "norm1": "norm2",
        "conv1": "conv2",
        "shortcut": "conv_shortcut",
    },
    attention={"norm": ("group_norm",), "qkv": ("to_q", "to_k", "to_v"), "out": ("to_out.0",)},
)

_PREFIXES = {
    "embedding.features": "time_proj",
    "embedding.linear0": "time_embedding.linear_1",
    "embedding.linear1": "time_embedding.linear_2",
    "stem": "conv_in",
    "encoder.{level}.blocks.{index}": "down_blocks.{level}.resnets.{index}",
    "encoder.{level}.attentions.{index}": "down_blocks.{level}.attentions.{index}",
    "encoder.{level}.down": "down_blocks.{level}.resnet_down",
    "encoder.{level}.join.mix": "down_blocks.{level}.skip_conv",
    "middle.block0": "mid_block.resnets.0",
    "middle.attention": "mid_block.attentions.0",
    "middle.block1": "mid_block.resnets.1",
    "decoder.{step}.blocks.{index}": "up_blocks.{step}.resnets.{index}",
    "decoder.{step}.attention": "up_blocks.{step}.attentions.0",
    "decoder.{step}.to_image.norm": "up_blocks.{step}.skip_norm",
    "decoder.{step}.to_image.conv": "up_blocks.{step}.skip_conv",
    "decoder.{step}.up": "up_blocks.{step}.resnet_up",
}

_LAST = {"decoder.{step}.to_image.norm": "conv_norm_out", "decoder.{step}.to_image.conv": "conv_out"}

# Names of before diffusers 0.12.
_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

# Options of UNet2DModel that make it the published NCSN++, with the values diffusers assumes where a file is silent.
FIXED_OPTIONS: dict[str, tuple[Any, Any]] = {
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


def read_diffusers(path: Path) -> Checkpoint:
    """Read a folder, or a file of weights with or without its config.json beside it.

    Raises:
        SdeditError: if it is not the layout of a published NCSN++.
    """
    folder = network_folder(path) if is_folder(path) else path.parent
    configuration = read_json(folder / "config.json")
    files = weight_files(folder) if is_folder(path) else [path]
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_weights(file)
    check_claims(path, tensors, sum(file.stat().st_size for file in files))
    tensors = {_modern(name): tensor for name, tensor in tensors.items()}
    _refuse_latent(path, folder)
    if diffusers_ddpm.describes(configuration, tensors):
        return _read_ddpm(path, folder, configuration, tensors)
    config = infer_config(path, tensors)
    notes = []
    if configuration is not None:
        _check_options(folder / "config.json", configuration, config)
    else:
        notes.append("there is no config.json beside it: the options of the published networks are assumed")
    names = sources(config, NAMING, lambda _, part: prefix(part))
    size = (configuration or {}).get("sample_size")
    return Checkpoint(
        path,
        config,
        collect(path, tensors, names, _join),
        schedule=_read_schedule(folder),
        native_size=size if type(size) is int else None,
        card={"weights": "EMA"} if configuration is not None else {},
        notes=notes,
    )


def _read_ddpm(
    path: Path, folder: Path, configuration: Mapping[str, Any] | None, tensors: dict[str, Tensor]
) -> Checkpoint:
    """A DDPM or ADM network, whose options the file config.json says."""
    notes = []
    if configuration is None:
        config = diffusers_ddpm.config_of_google(path, tensors)
        notes.append("there is no config.json beside it: the options of google/ddpm-* are assumed")
    else:
        _check_class(folder / "config.json", configuration)
        config = diffusers_ddpm.config_from_options(folder / "config.json", configuration)
    training = diffusers_ddpm.Training(VPSchedule(), "eps")
    for file, options in _scheduler_files(folder):
        training = diffusers_ddpm.training_from_options(file, options)
        break
    else:
        notes.append("there is no scheduler_config.json beside it: DDPM's noise schedule is assumed")
    tensors = without_variance(tensors, "conv_out")
    names = sources(config, NAMING, lambda _, part: diffusers_ddpm.place(part))
    size = (configuration or {}).get("sample_size")
    return Checkpoint(
        path,
        config,
        collect(path, tensors, names, _join),
        VPPreconditioning(training.schedule, training.prediction),
        training.schedule,
        native_size=size if type(size) is int else None,
        notes=notes,
    )


def _refuse_latent(path: Path, folder: Path) -> None:
    """Refuse a pipeline whose network paints in the space of an autoencoder: that may have three channels too."""
    whole = folder.parent if folder.name == "unet" else folder
    index = read_json(whole / "model_index.json") or {}
    if {"vae", "vqvae"} & index.keys() or any(is_folder(whole / part) for part in ("vae", "vqvae")):
        raise SdeditError(
            f"{path} is a latent diffusion pipeline, in the space of an autoencoder; sdedit paints with "
            "models of pictures"
        )


def network_folder(folder: Path) -> Path:
    """Where in a model's folder the network is.

    Raises:
        SdeditError: if there is none.
    """
    for place in (folder, folder / "unet"):
        if is_file(place / "config.json"):
            return place
    raise SdeditError(f"{folder} is a folder without a model: it has no config.json and no unet/config.json")


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights in a folder: one, or the parts that an index file lists.

    Raises:
        SdeditError: if there are none, or the index names a file outside the folder.
    """
    for name in WEIGHTS:
        if is_file(folder / name):
            return [folder / name]
        index = read_json(folder / (name + INDEX))
        if index is not None:
            return [folder / part for part in index_parts(folder / (name + INDEX), index)]
    raise SdeditError(f"{folder} has a config.json but no weights; it lacks {WEIGHTS[0]}")


def index_parts(file: Path, index: Mapping[str, Any]) -> list[str]:
    """The names of the files that an index lists.

    Raises:
        SdeditError: if one is not a plain name: an index could reach into any folder.
    """
    listed = index.get("weight_map")
    names = set(listed.values()) if isinstance(listed, dict) and all(map(_is_text, listed.values())) else set()
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*\.(safetensors|bin)", name):
            raise SdeditError(f"{file} names weights outside its folder, {name[:80]!r}; it may be hostile")
    if not names:
        raise SdeditError(f"{file} is no index of weights")
    return sorted(names)


def infer_config(path: Path, tensors: Mapping[str, Tensor]) -> NetworkConfig:
    """Which network it is, by the names and shapes of its tensors.

    Raises:
        SdeditError: if it is none that sdedit knows.
    """

    def count(pattern: str) -> int:
        found = {int(match[1]) for name in tensors if (match := re.match(pattern, name))}
        return len(found)

    levels = range(count(r"down_blocks\.(\d{1,3})\."))
    try:
        return NetworkConfig(
            stem_channels=tensors["conv_in.weight"].shape[0],
            channels=tuple(tensors[f"down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels),
            blocks=tuple(count(rf"down_blocks\.{level}\.resnets\.(\d{{1,3}})\.") for level in levels),
            attention_levels=tuple(
                level for level in levels if f"down_blocks.{level}.attentions.0.to_q.weight" in tensors
            ),
            input_pyramid="skip",
            output_pyramid="skip",
        )
    except (KeyError, IndexError, ValueError) as error:
        raise SdeditError(f"{path} holds a UNet2DModel that is no NCSN++ of the published kind") from error


def narrow_attention(config: NetworkConfig) -> str:
    """What keeps UNet2DModel from doing the same attention, in words; empty if nothing does."""
    # diffusers normalises before attention in 32 groups always, NCSN++ in at most a quarter of the channels.
    if any(config.channels[level] < 128 for level in config.attention_levels):
        return "level of fewer than 128 channels with attention that is normalised as in NCSN++"
    return ""


def _check_options(file: Path, options: Mapping[str, Any], config: NetworkConfig) -> None:
    """Refuse options that would make diffusers compute something else than the published networks do."""
    _check_class(file, options)
    for name, (value, default) in FIXED_OPTIONS.items():
        given = options.get(name, default)
        same = math.isclose(given, value) if isinstance(given, float) and isinstance(value, float) else given == value
        if not same:
            raise SdeditError(f"{file} has {name} {given!r}, where the published NCSN++ have {value!r}")
    if narrow := narrow_attention(config):
        raise SdeditError(f"{file} describes a {narrow}; the published NCSN++ have wider ones")
    width = options.get("attention_head_dim", 8)
    if width is not None and any(width != config.channels[level] for level in (*config.attention_levels, -1)):
        raise SdeditError(f"{file} has attention of several heads, where the published NCSN++ have one")


def _check_class(file: Path, options: Mapping[str, Any]) -> None:
    if options.get("_class_name", "UNet2DModel") != "UNet2DModel":
        raise SdeditError(f"{file} describes a {str(options['_class_name'])[:60]}; sdedit reads UNet2DModel")


def _scheduler_files(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The scheduler's file beside the weights or in scheduler/ beside their folder, and what it says."""
    for file in (folder / "scheduler_config.json", folder.parent / "scheduler" / "scheduler_config.json"):
        options = read_json(file)
        if options is not None:
            yield file, options


def _read_schedule(folder: Path) -> VESchedule | None:
    for file, options in _scheduler_files(folder):
        kind = options.get("_class_name")
        if kind not in (None, _VE_SCHEDULER):
            raise SdeditError(f"{file} is of a {str(kind)[:60]}, where the published NCSN++ have a {_VE_SCHEDULER}")
        if "sigma_max" in options:
            try:
                return VESchedule(float(options.get("sigma_min", 0.01)), float(options["sigma_max"]))
            except (TypeError, ValueError) as error:
                raise SdeditError(f"{file} has impossible noise levels: {error}") from error
    return None


def read_json(file: Path) -> dict[str, Any] | None:
    """The table in a JSON file; None if there is no such file."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_JSON + 1)
    except OSError:
        return None
    try:
        table = json.loads(data) if len(data) <= _MOST_JSON else None
    except (ValueError, RecursionError) as error:
        raise SdeditError(f"{file} is damaged: it is not JSON") from error
    if not isinstance(table, dict):
        raise SdeditError(f"{file} is not the small table that a model's folder has")
    return table


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def prefix(part: Part) -> str:
    """What the layout calls a part of the network."""
    if part.level == 0 and part.pattern in _LAST:
        return _LAST[part.pattern]
    return part.place(_PREFIXES[part.pattern])


def _modern(name: str) -> str:
    """A tensor's name as diffusers writes it today."""
    if name == "time_proj.W":
        return "time_proj.weight"
    if ".attentions." not in name:
        return name
    block, _, last = name.rpartition(".")
    block, _, layer = block.rpartition(".")
    return f"{block}.{_OLD.get(layer, layer)}.{last}"


def _join(own: str, group: list[Tensor]) -> Tensor:
    if own.endswith((".qkv.weight", ".out.weight")):
        group = [as_pixelwise(tensor) for tensor in group]
    return torch.cat(group) if len(group) > 1 else group[0]


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
    preserving = isinstance(model.preconditioning, VPPreconditioning)
    place = diffusers_ddpm.place if preserving else prefix
    for name, group in sources(config, NAMING, lambda _, part: place(part)).items():
        tensor = own[name].detach().float().cpu()
        tensor = tensor[:, :, 0, 0] if name.endswith((".qkv.weight", ".out.weight")) else tensor
        weights |= {theirs: piece.contiguous() for theirs, piece in zip(group, tensor.chunk(len(group)), strict=True)}
    unet, scheduler = folder / "unet", folder / "scheduler"
    unet.mkdir(parents=True, exist_ok=True)
    scheduler.mkdir(exist_ok=True)
    data = safetensors.torch.save(weights, {"format": "pt"})
    write_atomically(unet / WEIGHTS[0], lambda file: file.write(data))
    training = _scheduler(model)
    _write_json(unet / "config.json", _configuration(model))
    _write_json(scheduler / "scheduler_config.json", training)
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "DDPMPipeline" if preserving else "ScoreSdeVePipeline",
            "unet": ["diffusers", "UNet2DModel"],
            "scheduler": ["diffusers", training["_class_name"]],
        },
    )


def _scheduler(model: ScoreModel) -> dict[str, Any]:
    if isinstance(model.preconditioning, VPPreconditioning):
        return diffusers_ddpm.scheduler_of(model.preconditioning)
    return {
        "_class_name": _VE_SCHEDULER,
        "num_train_timesteps": 2000,
        "sigma_min": model.schedule.sigma_min,
        "sigma_max": model.schedule.sigma_max,
        "sampling_eps": 1e-5,
        "snr": 0.15,
        "correct_steps": 1,
    }


def _not_expressible(model: ScoreModel) -> str:
    config = model.network.config
    if isinstance(model.preconditioning, VPPreconditioning):
        return diffusers_ddpm.not_expressible(config, model.preconditioning)
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
    if isinstance(model.preconditioning, VPPreconditioning):
        return diffusers_ddpm.options_of(config, model.native_size)
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
