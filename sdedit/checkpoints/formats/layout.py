"""The parts of a network in the order the originals register them, and how formats name their tensors.

All published formats hold the same network under different names. Each reader says what it calls a part and the layers
within it; the walk over the parts is here, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.errors import SdeditError

Kind = Literal["fourier", "linear", "conv", "norm", "mix", "residual", "block", "attention"]


@dataclass(frozen=True)
class Part:
    """A layer or block; `pattern` formatted with the numbers is its prefix among the network's tensor names."""

    kind: Kind
    pattern: str
    level: int = 0  # 0 is the highest resolution
    step: int = 0  # place of a decoder level in the order it runs
    index: int = 0  # of a block within its level

    def place(self, pattern: str) -> str:
        """A prefix of another format, written with the fields {level}, {step} and {index}."""
        return pattern.format(level=self.level, step=self.step, index=self.index)

    @property
    def name(self) -> str:
        return self.place(self.pattern)


@dataclass(frozen=True)
class Naming:
    """How a format names the tensors of one part after the part's prefix; layers have `.weight` and `.bias`."""

    frequencies: str
    block: Mapping[str, str]  # layer of a residual block here -> there
    attention: Mapping[str, tuple[str, ...]]  # layer of an attention here -> there; qkv may be three, to be joined


def parts(config: NetworkConfig) -> Iterator[Part]:
    """The parts of a network in the order in which score_sde_pytorch registers its modules, and the others run."""
    change: tuple[Kind, str] = ("block", "") if config.resamples_in_blocks else ("conv", ".conv")
    if config.embedding == "fourier":
        yield Part("fourier", "embedding.features")
    yield Part("linear", "embedding.linear0")
    yield Part("linear", "embedding.linear1")
    yield Part("conv", "stem")
    last = config.levels - 1
    for level in range(config.levels):
        for index in range(config.blocks[level]):
            yield Part("block", "encoder.{level}.blocks.{index}", level, index=index)
            if level in config.attention_levels:
                yield Part("attention", "encoder.{level}.attentions.{index}", level, index=index)
        if level < last:
            yield Part(change[0], "encoder.{level}.down" + change[1], level)
            if config.input_pyramid == "skip":
                yield Part("mix", "encoder.{level}.join.mix", level)
            elif config.input_pyramid == "residual":
                yield Part("residual", "encoder.{level}.join.conv", level)
    yield Part("block", "middle.block0", last)
    yield Part("attention", "middle.attention", last)
    yield Part("block", "middle.block1", last)
    for step, level in enumerate(reversed(range(config.levels))):
        for index in range(config.blocks[level] + 1):
            yield Part("block", "decoder.{step}.blocks.{index}", level, step, index)
            if level in config.attention_levels and config.decoder_attention == "every":
                yield Part("attention", "decoder.{step}.attentions.{index}", level, step, index)
        if level in config.attention_levels and config.decoder_attention == "last":
            yield Part("attention", "decoder.{step}.attention", level, step, config.blocks[level])
        if config.output_pyramid == "skip":
            yield Part("norm", "decoder.{step}.to_image.norm", level, step)
            yield Part("conv", "decoder.{step}.to_image.conv", level, step)
        if level > 0:
            yield Part(change[0], "decoder.{step}.up" + change[1], level, step)
    if config.output_pyramid == "none":
        yield Part("norm", "head.norm")
        yield Part("conv", "head.conv")


def sources(config: NetworkConfig, naming: Naming, prefix: Callable[[int, Part], str]) -> dict[str, tuple[str, ...]]:
    """For each tensor of the network, by its name here, the names it has in a format; three for a joined qkv.

    Args:
        config: the network.
        naming: names within a part.
        prefix: the format's prefix of a part, given its number in the walk.
    """
    with torch.device("meta"):
        present = NCSNpp(config).state_dict()
    found: dict[str, tuple[str, ...]] = {}
    for number, part in enumerate(parts(config)):
        theirs = prefix(number, part)
        if part.kind == "fourier":
            found[f"{part.name}.frequencies"] = (f"{theirs}.{naming.frequencies}",)
            continue
        layers: dict[str, tuple[str, ...]] = {part.name: (theirs,)}
        if part.kind == "block":
            layers = {f"{part.name}.{own}": (f"{theirs}.{name}",) for own, name in naming.block.items()}
        elif part.kind == "attention":
            layers = {
                f"{part.name}.{own}": tuple(f"{theirs}.{name}" for name in names)
                for own, names in naming.attention.items()
            }
        for own, names in layers.items():
            if f"{own}.weight" in present:  # not every block has a shortcut
                found[f"{own}.weight"] = tuple(f"{name}.weight" for name in names)
                found[f"{own}.bias"] = tuple(f"{name}.bias" for name in names)
    return found


def collect(
    file: Path,
    tensors: Mapping[str, Tensor],
    names: Mapping[str, tuple[str, ...]],
    join: Callable[[str, list[Tensor]], Tensor],
) -> dict[str, Tensor]:
    """The network's tensors out of a format's.

    Args:
        file: for messages.
        tensors: the format's tensors.
        names: from `sources`.
        join: makes a tensor of the network, given its name, out of those of the format.

    Raises:
        SdeditError: if one is missing or left over.
    """
    wanted = {name for group in names.values() for name in group}
    if missing := sorted(wanted - tensors.keys()):
        raise SdeditError(f"{file} lacks {len(missing)} tensors of its network, such as {missing[0]}")
    if extra := sorted(tensors.keys() - wanted):
        raise SdeditError(f"{file} has {len(extra)} tensors that its network does not have, such as {extra[0]}")
    found: dict[str, Tensor] = {}
    for own, group in names.items():
        try:
            found[own] = join(own, [tensors[name] for name in group])
        except (RuntimeError, IndexError) as error:
            raise SdeditError(f"{file} has tensors of impossible shapes, such as {group[0]}") from error
    return found


def without_variance(tensors: dict[str, Tensor], layer: str) -> dict[str, Tensor]:
    """The tensors with the first half of a last convolution of six channels, three of noise and three of its variance.

    The variance of Nichol and Dhariwal (2021, arXiv 2102.09672) is of use to DDPM's own sampler only.
    """
    weight, bias = (tensors.get(f"{layer}.{leaf}") for leaf in ("weight", "bias"))
    if weight is None or bias is None or weight.dim() != 4 or (len(weight), tuple(bias.shape)) != (6, (6,)):
        return tensors
    return {**tensors, f"{layer}.weight": weight[:3], f"{layer}.bias": bias[:3]}


def count_numbers(names: Iterable[str], pattern: str) -> int:
    """How many different numbers the first group of a pattern has among names that begin like it."""
    return len({int(match[1]) for name in names if (match := re.match(pattern, name))})


def join_pixelwise(own: str, group: list[Tensor]) -> Tensor:
    """For `collect`: parts of q, k and v one after another, and the matrices of attention as 1 x 1 convolutions."""
    if own.endswith((".qkv.weight", ".out.weight")):
        group = [as_pixelwise(tensor) for tensor in group]
    return torch.cat(group) if len(group) > 1 else group[0]


def as_pixelwise(tensor: Tensor) -> Tensor:
    """A matrix (out, in) as the 1 x 1 convolution (out, in, 1, 1) that does the same; others as they are."""
    return tensor[:, :, None, None] if tensor.dim() == 2 else tensor
