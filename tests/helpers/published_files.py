"""Files in the layouts of the published models, with random weights, written independently of the readers.

The networks come from diffusers, or from the references in `references.py`; the tables of names are typed out here from
the published layouts and share nothing with the readers' tables.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

State = dict[str, Tensor]

# Each line: a place in diffusers, then modules by number and name within it.
INDEX_256 = """
: 0 time_proj, 1 time_embedding.linear_1, 2 time_embedding.linear_2, 3 conv_in
down_blocks.0.: 4 resnets.0, 5 resnets.1, 6 resnet_down, 7 skip_conv
down_blocks.1.: 8 resnets.0, 9 resnets.1, 10 resnet_down, 11 skip_conv
down_blocks.2.: 12 resnets.0, 13 resnets.1, 14 resnet_down, 15 skip_conv
down_blocks.3.: 16 resnets.0, 17 resnets.1, 18 resnet_down, 19 skip_conv
down_blocks.4.: 20 resnets.0, 21 attentions.0, 22 resnets.1, 23 attentions.1, 24 resnet_down, 25 skip_conv
down_blocks.5.: 26 resnets.0, 27 resnets.1, 28 resnet_down, 29 skip_conv
down_blocks.6.: 30 resnets.0, 31 resnets.1
mid_block.: 32 resnets.0, 33 attentions.0, 34 resnets.1
up_blocks.0.: 35 resnets.0, 36 resnets.1, 37 resnets.2, 38 skip_norm, 39 skip_conv, 40 resnet_up
up_blocks.1.: 41 resnets.0, 42 resnets.1, 43 resnets.2, 44 skip_norm, 45 skip_conv, 46 resnet_up
up_blocks.2.: 47 resnets.0, 48 resnets.1, 49 resnets.2, 50 attentions.0, 51 skip_norm, 52 skip_conv, 53 resnet_up
up_blocks.3.: 54 resnets.0, 55 resnets.1, 56 resnets.2, 57 skip_norm, 58 skip_conv, 59 resnet_up
up_blocks.4.: 60 resnets.0, 61 resnets.1, 62 resnets.2, 63 skip_norm, 64 skip_conv, 65 resnet_up
up_blocks.5.: 66 resnets.0, 67 resnets.1, 68 resnets.2, 69 skip_norm, 70 skip_conv, 71 resnet_up
up_blocks.6.: 72 resnets.0, 73 resnets.1, 74 resnets.2
: 75 conv_norm_out, 76 conv_out
"""
INDEX_1024 = """
: 0 time_proj, 1 time_embedding.linear_1, 2 time_embedding.linear_2, 3 conv_in
down_blocks.0.: 4 resnets.0, 5 resnet_down, 6 skip_conv
down_blocks.1.: 7 resnets.0, 8 resnet_down, 9 skip_conv
down_blocks.2.: 10 resnets.0, 11 resnet_down, 12 skip_conv
down_blocks.3.: 13 resnets.0, 14 resnet_down, 15 skip_conv
down_blocks.4.: 16 resnets.0, 17 resnet_down, 18 skip_conv
down_blocks.5.: 19 resnets.0, 20 resnet_down, 21 skip_conv
down_blocks.6.: 22 resnets.0, 23 attentions.0, 24 resnet_down, 25 skip_conv
down_blocks.7.: 26 resnets.0
mid_block.: 27 resnets.0, 28 attentions.0, 29 resnets.1
up_blocks.0.: 30 resnets.0, 31 resnets.1, 32 skip_norm, 33 skip_conv, 34 resnet_up
up_blocks.1.: 35 resnets.0, 36 resnets.1, 37 attentions.0, 38 skip_norm, 39 skip_conv, 40 resnet_up
up_blocks.2.: 41 resnets.0, 42 resnets.1, 43 skip_norm, 44 skip_conv, 45 resnet_up
up_blocks.3.: 46 resnets.0, 47 resnets.1, 48 skip_norm, 49 skip_conv, 50 resnet_up
up_blocks.4.: 51 resnets.0, 52 resnets.1, 53 skip_norm, 54 skip_conv, 55 resnet_up
up_blocks.5.: 56 resnets.0, 57 resnets.1, 58 skip_norm, 59 skip_conv, 60 resnet_up
up_blocks.6.: 61 resnets.0, 62 resnets.1, 63 skip_norm, 64 skip_conv, 65 resnet_up
up_blocks.7.: 66 resnets.0, 67 resnets.1
: 68 conv_norm_out, 69 conv_out
"""
# Three levels, one block each, attention at the middle one: the same kinds of parts, in 2 million numbers.
INDEX_SMALL = """
: 0 time_proj, 1 time_embedding.linear_1, 2 time_embedding.linear_2, 3 conv_in
down_blocks.0.: 4 resnets.0, 5 resnet_down, 6 skip_conv
down_blocks.1.: 7 resnets.0, 8 attentions.0, 9 resnet_down, 10 skip_conv
down_blocks.2.: 11 resnets.0
mid_block.: 12 resnets.0, 13 attentions.0, 14 resnets.1
up_blocks.0.: 15 resnets.0, 16 resnets.1, 17 skip_norm, 18 skip_conv, 19 resnet_up
up_blocks.1.: 20 resnets.0, 21 resnets.1, 22 attentions.0, 23 skip_norm, 24 skip_conv, 25 resnet_up
up_blocks.2.: 26 resnets.0, 27 resnets.1
: 28 conv_norm_out, 29 conv_out
"""
# Name within a part here -> there, in the order in which the original registers them.
RESIDUAL = {
    "norm1": "GroupNorm_0",
    "conv1": "Conv_0",
    "time_emb_proj": "Dense_0",
    "norm2": "GroupNorm_1",
    "conv2": "Conv_1",
    "conv_shortcut": "Conv_2",
}
ATTENTION = {"group_norm": "GroupNorm_0", "to_q": "NIN_0", "to_k": "NIN_1", "to_v": "NIN_2", "to_out.0": "NIN_3"}
OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def unet_options(channels: tuple[int, ...], blocks: int, attention: int, size: int) -> dict[str, Any]:
    """Options of UNet2DModel as the published config.json have them; `attention` is the one level that has it."""
    kinds = ["Attn" if level == attention else "" for level in range(len(channels))]
    return {
        "sample_size": size,
        "block_out_channels": channels,
        "layers_per_block": blocks,
        "down_block_types": tuple(f"{kind}SkipDownBlock2D" for kind in kinds),
        "up_block_types": tuple(f"{kind}SkipUpBlock2D" for kind in reversed(kinds)),
        "center_input_sample": True,
        "time_embedding_type": "fourier",
        "norm_eps": 1e-6,
        "norm_num_groups": None,
        "attention_head_dim": None,
        "mid_block_scale_factor": 1.41421356237,
    }


OPTIONS_256 = unet_options((128, 128, 256, 256, 256, 256, 256), 2, 4, 256)
OPTIONS_1024 = unet_options((16, 32, 64, 128, 256, 512, 512, 512), 1, 6, 1024)
OPTIONS_SMALL = unet_options((32, 128, 128), 1, 1, 32)


def random_unet(options: Mapping[str, Any], seed: int = 0) -> UNet2DModel:
    """diffusers' network with random numbers everywhere, also where it would start at 0 or 1."""
    torch.manual_seed(seed)
    unet = UNet2DModel(**options).eval().requires_grad_(False)
    for name, tensor in unet.named_parameters():
        if tensor.dim() == 1 and "time_proj" not in name:
            tensor += 0.2 * torch.randn_like(tensor)
    return unet


def in_score_sde_names(unet: State, index: str) -> State:
    """diffusers' tensors as `all_modules.N.…`, in the order of registration."""
    found: State = {}
    for line in index.strip().splitlines():
        place, _, entries = line.partition(": ")
        for entry in entries.split(", "):
            number, _, name = entry.partition(" ")
            theirs, ours = f"{place.strip(':')}{name}", f"all_modules.{number}"
            if name == "time_proj":
                found[f"{ours}.W"] = unet[f"{theirs}.weight"]
            elif "attentions" in name:
                for layer, other in ATTENTION.items():
                    nin = other.startswith("NIN")
                    weight = unet[f"{theirs}.{layer}.weight"]
                    found[f"{ours}.{other}.{'W' if nin else 'weight'}"] = weight.T.contiguous() if nin else weight
                    found[f"{ours}.{other}.{'b' if nin else 'bias'}"] = unet[f"{theirs}.{layer}.bias"]
            else:
                layers = RESIDUAL if "resnet" in name else {"": "Conv_0"} if name == "skip_conv" else {"": ""}
                if name == "skip_conv" and "up_blocks" in place:
                    layers = {"": ""}
                for layer, other in layers.items():
                    for leaf in ("weight", "bias"):
                        tensor = unet.get(".".join(filter(None, (theirs, layer, leaf))))
                        if tensor is not None:
                            found[".".join(filter(None, (ours, other, leaf)))] = tensor
    assert sum(tensor.numel() for tensor in found.values()) == sum(tensor.numel() for tensor in unet.values())
    return found


def sigma_table(sigma_max: float, count: int) -> Tensor:
    """The buffer `sigmas` as the original computes it: float64, highest first."""
    return torch.tensor(np.exp(np.linspace(np.log(sigma_max), np.log(0.01), count)))


def training_checkpoint(
    state: State, average: State | None, sigmas: Tensor | None, prefix: str = "module.", moments: bool = False
) -> dict[str, Any]:
    """What the original saves: the network, the moving average of its trainable tensors, and Adam's state."""
    model = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    if sigmas is not None:
        model = {f"{prefix}sigmas": sigmas, **model}
    content: dict[str, Any] = {"model": model, "step": 1_000_000}
    trainable = [name for name in state if not name.endswith("all_modules.0.W")]
    if average is not None:
        shadow = [average[name] for name in trainable]
        content["ema"] = {"decay": 0.999, "num_updates": 1_000_000, "shadow_params": shadow}
    adam = {}
    if moments:
        adam = {
            number: {"step": 1, "exp_avg": torch.zeros_like(state[name]), "exp_avg_sq": torch.ones_like(state[name])}
            for number, name in enumerate(trainable)
        }
    content["optimizer"] = {"state": adam, "param_groups": [{"lr": 2e-4, "betas": (0.9, 0.999), "params": [*adam]}]}
    return content


def with_old_attention_names(state: State) -> State:
    """As diffusers wrote the names before 0.12."""
    renamed = {}
    for name, tensor in state.items():
        if ".attentions." in name:
            for new, old in OLD_ATTENTION.items():
                name = name.replace(f".{new}.", f".{old}.")
        renamed["time_proj.W" if name == "time_proj.weight" else name] = tensor
    return renamed


class Persistent(nn.Module):
    """A module that is pickled with its source, as EDM's are."""

    source = "raise SystemExit('the source in a checkpoint was run')"

    def __init__(self, class_name: str, **attributes: Any) -> None:
        super().__init__()
        self.class_name = class_name
        self.__dict__.update(attributes)

    def __reduce__(self) -> Any:
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": self.class_name,
            "state": dict(self.__dict__),
        }
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def write_edm(path: Path, state: State, precond: str = "VEPrecond", size: int = 32, **attributes: Any) -> None:
    """A network snapshot as NVlabs publishes them; `state` by the names within `model.`."""
    network = Persistent("SongUNet", skip_scale=np.sqrt(0.5))
    for name, tensor in state.items():
        *places, leaf = name.split(".")
        node: nn.Module = network
        for depth, place in enumerate(places):
            if place not in node._modules:
                container = depth == 0 and place in ("enc", "dec")
                node._modules[place] = nn.ModuleDict() if container else Persistent("UNetBlock")
            node = node._modules[place]  # type: ignore[assignment]
        if leaf in ("freqs", "resample_filter"):
            node.register_buffer(leaf, tensor)
        else:
            node.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
    outer = Persistent(precond, img_resolution=size, label_dim=0, **{"sigma_min": 0.02, "sigma_max": 100, **attributes})
    outer._modules["model"] = network
    content = {"ema": outer, "loss_fn": Persistent("VELoss"), "augment_pipe": None, "dataset_kwargs": {"path": "x.zip"}}
    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")

    def _reconstruct_persistent_obj(meta: Any) -> None:
        raise AssertionError("the source in a checkpoint was run")

    _reconstruct_persistent_obj.__module__, _reconstruct_persistent_obj.__qualname__ = (
        "torch_utils.persistence",
        "_reconstruct_persistent_obj",
    )
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    sys.modules |= {"torch_utils": package, "torch_utils.persistence": module}
    try:
        with path.open("wb") as file:
            pickle.dump(content, file)
    finally:
        del sys.modules["torch_utils"], sys.modules["torch_utils.persistence"]
