"""Files of weights that sdedit cannot use, named as what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sdedit.errors import SdeditError

_USE = "sdedit paints with unconditional models of images"


def refuse_other(path: Path, content: Any) -> None:
    """Refuse what is known to be something else than a network that sdedit runs.

    Raises:
        SdeditError: in a sentence that says what it is.
    """
    if not isinstance(content, dict):
        return
    names = [name for name in content if isinstance(name, str)]

    def has(*parts: str) -> bool:
        return any(part in name for name in names for part in parts)

    if {"state", "param_groups"} <= set(names):
        raise SdeditError(f"{path} holds the state of an optimizer and no network; name the file of weights beside it")
    if has(".lora", "lora_", "hada_w1"):
        raise SdeditError(f"{path} holds changes to another model (LoRA), and no model of its own; {_USE}")
    if has("model.diffusion_model.", "first_stage_model."):
        raise SdeditError(f"{path} is a checkpoint of latent diffusion, in the space of an autoencoder; {_USE}")
    if has("quant_conv.", "decoder.up_blocks."):
        raise SdeditError(f"{path} is an autoencoder; {_USE}")
    if has(".transformer_blocks.", "add_embedding."):
        raise SdeditError(f"{path} is a network conditioned on text, as of Stable Diffusion; {_USE}")
    if "class_embedding.weight" in names:
        raise SdeditError(f"{path} is a class-conditional model, and sdedit has no classes; use the unconditional one")
