"""Which network a checkpoint of score_sde_pytorch holds: from the kinds of its modules in order, and their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sdedit.checkpoints.formats.assumptions import DDPM
from sdedit.checkpoints.formats.layout import parts
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.errors import SdeditError

MARK = "all_modules."
JOINTS = {"mix": ".Conv_0", "residual": ".Conv2d_0"}  # joints of the input pyramid wrap one convolution


@dataclass(frozen=True)
class _Module:
    """One entry of `all_modules`, as far as shapes tell."""

    kind: str
    channels: int = 0  # that it puts out
    resamples: bool = False  # as does a residual block with a shortcut between equal channels, or DDPM's convolution


def infer_config(path: Path, tensors: Mapping[str, Tensor]) -> NetworkConfig:
    """Which network `all_modules` is, by the kinds of its modules in order and by their shapes.

    Raises:
        SdeditError: if it is none that sdedit knows.
    """
    modules = _modules(path, tensors)
    kinds = [module.kind for module in modules]
    fourier = kinds[:1] == ["fourier"]
    stem = 3 if fourier else 2
    changes = [number for number, module in enumerate(modules) if module.resamples]
    downs = changes[: len(changes) // 2]  # the other half leads up again
    channels: list[int] = []
    blocks: list[int] = []
    attention: list[int] = []
    try:
        for level, (begin, end) in enumerate(zip([stem, *downs], [*downs, len(modules)], strict=True)):
            inside = [module for module in modules[begin + 1 : end] if module.kind not in JOINTS]
            channels.append(inside[0].channels)
            # The middle follows the last level without a mark, but all levels have as many blocks.
            last = level == len(downs)
            blocks.append(blocks[0] if last else sum(module.kind == "block" for module in inside))
            if len(inside) > 1 and inside[1].kind == "attention":
                attention.append(level)
        ddpm = any(modules[number].kind == "conv" for number in changes)
        # Without a pyramid the network is DDPM++, which takes means, or DDPM.
        preserving = not fourier and "mix" not in kinds and "residual" not in kinds
        options = {**DDPM, "decoder_attention": "last"} if ddpm else {"resampling": "mean"} if preserving else {}
        config = NetworkConfig(
            stem_channels=modules[stem].channels,
            channels=tuple(channels),
            blocks=tuple(blocks),
            attention_levels=tuple(attention),
            **{"embedding": "fourier" if fourier else "positional", **options},
            input_pyramid="skip" if "mix" in kinds else "residual" if "residual" in kinds else "none",
            output_pyramid="skip" if kinds.count("norm") > 1 else "none",
        )
    except (IndexError, ValueError) as error:
        raise SdeditError(f"{path} holds a network that is no NCSN++ of the published kinds") from error
    if [part.kind for part in parts(config)] != kinds:
        raise SdeditError(f"{path} holds a network whose modules stand in another order than in the published NCSN++")
    return config


def _modules(path: Path, tensors: Mapping[str, Tensor]) -> list[_Module]:
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, layer = name.removeprefix(MARK).partition(".")
        if not name.startswith(MARK) or not number.isdecimal() or not layer:
            raise SdeditError(f"{path} has a tensor that no score_sde_pytorch network has: {name[:80]}")
        entries.setdefault(int(number[:6]), {})[layer] = tensor
    if sorted(entries) != list(range(len(entries))):
        raise SdeditError(f"{path} lacks some modules of its network; download it again")
    return [_module(path, number, entries[number]) for number in range(len(entries))]


def _module(path: Path, number: int, layers: Mapping[str, Tensor]) -> _Module:
    def shape(name: str) -> tuple[int, ...]:
        return tuple(layers[name].shape) if name in layers else ()

    if "W" in layers:
        return _Module("fourier")
    if "NIN_3.W" in layers:
        return _Module("attention")
    if "GroupNorm_0.weight" in layers and len(shape("Conv_0.weight")) == 4:
        shortcut = shape("Conv_2.weight")
        return _Module("block", shape("Conv_0.weight")[0], len(shortcut) == 4 and shortcut[0] == shortcut[1])
    if shape("Conv_0.weight")[2:] == (3, 3):  # leads to another level of DDPM
        return _Module("conv", shape("Conv_0.weight")[0], resamples=True)
    if "Conv_0.weight" in layers:
        return _Module("mix")
    if "Conv2d_0.weight" in layers:
        return _Module("residual")
    kind = {1: "norm", 2: "linear", 4: "conv"}.get(len(shape("weight")))
    if kind is None:
        raise SdeditError(f"module {number} in {path} is of no kind that a published NCSN++ has")
    return _Module(kind, shape("weight")[0])
