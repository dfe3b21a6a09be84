"""What the layout of diffusers calls the parts of a network."""

from __future__ import annotations

from sdedit.checkpoints.formats.layout import Naming, Part

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
_SHARED = {
    "embedding.linear0": "time_embedding.linear_1",
    "embedding.linear1": "time_embedding.linear_2",
    "stem": "conv_in",
    "encoder.{level}.blocks.{index}": "down_blocks.{level}.resnets.{index}",
    "encoder.{level}.attentions.{index}": "down_blocks.{level}.attentions.{index}",
    "middle.block0": "mid_block.resnets.0",
    "middle.attention": "mid_block.attentions.0",
    "middle.block1": "mid_block.resnets.1",
    "decoder.{step}.blocks.{index}": "up_blocks.{step}.resnets.{index}",
}
_NCSNPP = {
    **_SHARED,
    "embedding.features": "time_proj",
    "encoder.{level}.down": "down_blocks.{level}.resnet_down",
    "encoder.{level}.join.mix": "down_blocks.{level}.skip_conv",
    "decoder.{step}.attention": "up_blocks.{step}.attentions.0",
    "decoder.{step}.to_image.norm": "up_blocks.{step}.skip_norm",
    "decoder.{step}.to_image.conv": "up_blocks.{step}.skip_conv",
    "decoder.{step}.up": "up_blocks.{step}.resnet_up",
}
_LAST = {"decoder.{step}.to_image.norm": "conv_norm_out", "decoder.{step}.to_image.conv": "conv_out"}
_DDPM = {
    **_SHARED,
    "encoder.{level}.down": "down_blocks.{level}.downsamplers.0",
    "encoder.{level}.down.conv": "down_blocks.{level}.downsamplers.0.conv",
    "decoder.{step}.attentions.{index}": "up_blocks.{step}.attentions.{index}",
    "decoder.{step}.up": "up_blocks.{step}.upsamplers.0",
    "decoder.{step}.up.conv": "up_blocks.{step}.upsamplers.0.conv",
    "head.norm": "conv_norm_out",
    "head.conv": "conv_out",
}
# Names of before diffusers 0.12.
_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def place_ncsnpp(part: Part) -> str:
    """The prefix of a part of NCSN++."""
    if part.level == 0 and part.pattern in _LAST:
        return _LAST[part.pattern]
    return part.place(_NCSNPP[part.pattern])


def place_ddpm(part: Part) -> str:
    """The prefix of a part of DDPM or ADM."""
    return part.place(_DDPM[part.pattern])


def modern(name: str) -> str:
    """A tensor's name as diffusers writes it today."""
    if name == "time_proj.W":
        return "time_proj.weight"
    if ".attentions." not in name:
        return name
    block, _, last = name.rpartition(".")
    block, _, layer = block.rpartition(".")
    return f"{block}.{_OLD.get(layer, layer)}.{last}"
