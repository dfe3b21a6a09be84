"""Variance-preserving checkpoints in the layouts that people have."""

from __future__ import annotations

from typing import Any

from torch import Tensor

SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "num_train_timesteps": 1000,
    "beta_schedule": "linear",
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "prediction_type": "epsilon",
    "clip_sample": True,
    "variance_type": "fixed_small",
}


def google_options(channels: tuple[int, ...], attention: int, size: int) -> dict[str, Any]:
    """Options as the config.json of google/ddpm-* have them; of CelebA's network of ermongroup/ddim too."""
    kinds = ["Attn" if level == attention else "" for level in range(len(channels))]
    return {
        "sample_size": size,
        "block_out_channels": channels,
        "layers_per_block": 2,
        "down_block_types": tuple(f"{kind}DownBlock2D" for kind in kinds),
        "up_block_types": tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
        "attention_head_dim": None,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "norm_eps": 1e-6,
        "norm_num_groups": 32,
    }


def in_pytorch_diffusion_names(unet: dict[str, Tensor], levels: int) -> dict[str, Tensor]:
    """diffusers' tensors by the names of the official SDEdit's checkpoints."""
    layers = {"norm1": "norm1", "conv1": "conv1", "time_emb_proj": "temb_proj", "norm2": "norm2", "conv2": "conv2",
              "conv_shortcut": "nin_shortcut", "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v",
              "to_out.0": "proj_out"}  # fmt: skip
    whole = {"time_embedding.linear_1": "temb.dense.0", "time_embedding.linear_2": "temb.dense.1", "conv_in": "conv_in",
             "conv_norm_out": "norm_out", "conv_out": "conv_out", "mid_block.resnets.0": "mid.block_1",
             "mid_block.attentions.0": "mid.attn_1", "mid_block.resnets.1": "mid.block_2"}  # fmt: skip
    for level in range(levels):
        for side, place in (("down", level), ("up", levels - 1 - level)):
            for index in range(3):
                whole[f"{side}_blocks.{place}.resnets.{index}"] = f"{side}.{level}.block.{index}"
                whole[f"{side}_blocks.{place}.attentions.{index}"] = f"{side}.{level}.attn.{index}"
            whole[f"{side}_blocks.{place}.{side}samplers.0"] = f"{side}.{level}.{side}sample"
    renamed = {}
    for name, tensor in unet.items():
        body, _, leaf = name.rpartition(".")
        prefix = next(prefix for prefix in whole if body == prefix or body.startswith(prefix + "."))
        layer = body.removeprefix(prefix).removeprefix(".")
        if "attentions" in prefix and tensor.dim() == 2:
            tensor = tensor[:, :, None, None]
        renamed[".".join(filter(None, (whole[prefix], layers.get(layer, layer), leaf)))] = tensor
    assert len(renamed) == len(unet)
    return renamed
