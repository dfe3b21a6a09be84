"""Checkpoints of score_sde_pytorch (`.pth`): the network, its moving average, and the optimiser of its training.

{"model": tensors by name, "ema": {"shadow_params": [tensor, ...]}, "optimizer", "step"}, or the tensors by name alone.
Names are `all_modules.N.layer`, N counting the modules in the order they were made; which network it is follows from
that order and from the shapes. The moving average is a list without names: the trainable tensors in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdedit.checkpoints.checkpoint import Checkpoint, check_claims
from sdedit.checkpoints.formats.assumptions import NOTHING, Assumptions
from sdedit.checkpoints.formats.containers import only_tensors, plain_name
from sdedit.checkpoints.formats.layout import Naming, Part, as_pixelwise, collect, sources
from sdedit.checkpoints.formats.score_sde_modules import JOINTS, MARK, infer_config
from sdedit.diffusion.preconditioning import VPPreconditioning
from sdedit.diffusion.schedule import Schedule, VESchedule
from sdedit.errors import SdeditError

_ATTENTION_SIZE = 16  # pixels: the resolution at which all published models have self-attention
_MOST_SIGMAS = 100_000
_NAMING = Naming(
    frequencies="W",
    block={
        "norm0": "GroupNorm_0",
        "conv0": "Conv_0",
        "project": "Dense_0",
        "norm1": "GroupNorm_1",
        "conv1": "Conv_1",
        "shortcut": "Conv_2",
    },
    attention={"norm": ("GroupNorm_0",), "qkv": ("NIN_0", "NIN_1", "NIN_2"), "out": ("NIN_3",)},
)
_DDPM_NAMING = Naming(_NAMING.frequencies, {**_NAMING.block, "shortcut": "NIN_0"}, _NAMING.attention)
_LAYER_ORDER = [*_NAMING.block.values(), "NIN_0", "NIN_1", "NIN_2", "NIN_3"]


def is_training_checkpoint(content: Any) -> bool:
    """Whether a file holds what score_sde_pytorch's training writes, or tries to."""
    model = content.get("model") if isinstance(content, dict) else None
    return isinstance(model, dict) and any(MARK in str(name) for name in model)


def read_score_sde(path: Path, content: Any, raw_weights: bool, assumptions: Assumptions = NOTHING) -> Checkpoint:
    """Read what a score_sde_pytorch checkpoint holds.

    Args:
        path: the file, for messages.
        content: what was saved in it.
        raw_weights: take the network as it stood at the end of training, not its moving average.
        assumptions: of the user, on the schedule of a variance-preserving network.

    Raises:
        SdeditError: if it is not a network that sdedit knows.
    """
    tensors, shadow = _split(path, content, raw_weights)
    schedule: Schedule | None
    schedule, num_scales = _schedule(path, tensors.pop("sigmas", None))
    notes = []
    card = {"weights": "raw"}
    if shadow is None and not raw_weights:
        notes.append("it holds no moving average of the weights, so they are taken as they are")
    elif shadow is not None:
        tensors |= _named(path, shadow, tensors)
        card = {"weights": "EMA"}
    check_claims(path, tensors, path.stat().st_size)

    config = infer_config(path, tensors)
    preconditioning = None
    size = _ATTENTION_SIZE << config.attention_levels[0] if config.attention_levels else None
    if config.embedding == "positional" and config.input_pyramid == "none":
        # Every file has a table of variance-exploding noise levels; these networks do not use it.
        assumptions.take_only(path, "schedule", "timesteps", "size")
        schedule, num_scales = assumptions.vp_schedule("continuous")[0], None
        preconditioning = VPPreconditioning(schedule)
        notes.append(
            "the file does not say how variance is preserved: VP in continuous time is assumed, from which VP at "
            "discrete times differs by less than 1 % in sigma, and sub-VP, which looks the same, by more"
        )
    else:
        assumptions.take_only(path)
        if config.embedding == "positional":
            notes.append(
                "the file does not say that its variance explodes; that is assumed, as no file of vp/cifar10_ncsnpp, "
                "which looks the same, was published"
            )
    naming = _DDPM_NAMING if not config.resamples_in_blocks else _NAMING
    names = sources(config, naming, lambda number, part: f"{MARK}{number}{_joint(part)}")
    renamed = {_without_nin(name): tensor for name, tensor in tensors.items()}
    return Checkpoint(
        path,
        config,
        collect(path, renamed, names, _join),
        preconditioning,
        schedule,
        num_scales=num_scales,
        native_size=assumptions.size or size,
        card=card,
        notes=notes,
    )


def _split(path: Path, content: Any, raw_weights: bool) -> tuple[dict[str, Tensor], list[Any] | dict[str, Any] | None]:
    """The tensors by name, and the moving average, a list or by name, if there is one and it is wanted."""
    if not isinstance(content, dict) or "model" not in content:
        return only_tensors(path, content), None
    average = content.get("ema")
    if average is None or raw_weights:
        return only_tensors(path, content["model"]), None
    shadow = average.get("shadow_params", average.get("shadow", average)) if isinstance(average, dict) else average
    if isinstance(shadow, dict):  # beside its decay and the number of its updates
        shadow = {plain_name(str(name)): tensor for name, tensor in shadow.items() if isinstance(tensor, Tensor)}
    if not isinstance(shadow, (list, dict)) or not shadow:
        raise SdeditError(f"{path} holds a moving average in a form that sdedit does not read; add --raw-weights")
    return only_tensors(path, content["model"]), shadow


def _named(path: Path, shadow: list[Any] | dict[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The moving average by name; a list has every tensor but the Fourier frequencies, as they were registered."""

    def place(name: str) -> tuple[int, int, bool]:
        number, _, layer = name.removeprefix(MARK).partition(".")
        layer, _, last = layer.rpartition(".")
        order = _LAYER_ORDER.index(layer) if layer in _LAYER_ORDER else -1
        return int(number) if number.isdecimal() else -1, order, last in ("bias", "b")

    if isinstance(shadow, dict):
        shadow.pop("sigmas", None)  # the network's own table
        missing = [name for name in tensors if name not in shadow and name != f"{MARK}0.W"]
        if missing or not shadow.keys() <= tensors.keys():
            raise SdeditError(
                f"the moving average in {path} does not have the network's tensors, such as "
                f"{(missing or sorted(shadow.keys() - tensors.keys()))[0]}; add --raw-weights to use the network itself"
            )
        return _fitting(path, list(shadow), list(shadow.values()), tensors)
    trainable = sorted((name for name in tensors if name != f"{MARK}0.W"), key=place)
    if len(shadow) != len(trainable):
        raise SdeditError(
            f"the moving average in {path} has {len(shadow)} tensors where the network has {len(trainable)}; "
            "add --raw-weights to use the network itself"
        )
    return _fitting(path, trainable, shadow, tensors)


def _fitting(path: Path, names: list[str], shadow: list[Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A moving average by name, its tensors of the shapes that the network's have."""
    for name, tensor in zip(names, shadow, strict=True):
        if not isinstance(tensor, Tensor) or tensor.shape != tensors[name].shape:
            raise SdeditError(
                f"the moving average in {path} does not fit the network at {name}; add --raw-weights to use the "
                "network itself"
            )
    return only_tensors(path, dict(zip(names, shadow, strict=True)))


def _schedule(path: Path, sigmas: Tensor | None) -> tuple[VESchedule | None, int | None]:
    """Schedule and number N of noise levels out of the network's own table, highest first; None if it has none."""
    if sigmas is None:
        return None, None
    count = sigmas.numel()
    if sigmas.dim() != 1 or not 2 <= count <= _MOST_SIGMAS or not sigmas.is_floating_point():
        raise SdeditError(f"{path} has a table of noise levels of impossible shape")
    highest, lowest = float(sigmas[0]), float(sigmas[-1])
    try:
        # Stored in double precision, but computed through a logarithm: 380 comes back as 379.99999999999994.
        return VESchedule(float(f"{lowest:.9g}"), float(f"{highest:.9g}")), count
    except ValueError as error:
        raise SdeditError(f"{path} has impossible noise levels, {lowest:g} to {highest:g}") from error


def _joint(part: Part) -> str:
    if part.pattern.endswith((".down.conv", ".up.conv")):
        return ".Conv_0"
    return JOINTS.get(part.kind, "")


def _without_nin(name: str) -> str:
    if name.endswith(".b"):
        return name.removesuffix("b") + "bias"
    return name.removesuffix("W") + "weight" if ".NIN_" in name else name


def _join(own: str, group: list[Tensor]) -> Tensor:
    if own.endswith((".qkv.weight", ".out.weight", ".shortcut.weight")):  # a NIN is a matrix (in, out)
        group = [as_pixelwise(tensor.T) if tensor.dim() == 2 else tensor for tensor in group]
    return torch.cat(group) if len(group) > 1 else group[0]
