"""Networks that NVlabs published with EDM (`.pkl`): pickles that carry Python source, which is left unread here.

The object under "ema" is a preconditioning (VEPrecond, VPPrecond or EDMPrecond) around a SongUNet, which is NCSN++ or
DDPM++ with names that say where a layer is: `enc.32x32_block0.conv0`. Its images are in [-1, 1], so its noise levels
are twice those here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.checkpoints.checkpoint import Checkpoint, check_claims
from sdedit.checkpoints.formats.layout import Naming, Part, as_pixelwise, collect, sources
from sdedit.checkpoints.formats.pickle_objects import Record
from sdedit.diffusion.ncsnpp import NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning, Preconditioning, VEPreconditioning, VPPreconditioning
from sdedit.diffusion.schedule import Schedule, VESchedule
from sdedit.diffusion.vp_schedule import VPSchedule
from sdedit.errors import SdeditError

_MOST_MODULES = 10_000
_NAMING = Naming(
    frequencies="freqs",
    block={
        "norm0": "norm0",
        "conv0": "conv0",
        "project": "affine",
        "norm1": "norm1",
        "conv1": "conv1",
        "shortcut": "skip",
    },
    attention={"norm": ("norm2",), "qkv": ("qkv",), "out": ("proj",)},
)
# {here}, {below} and {above} are the resolution of a part's level, half of it, and twice it.
_PREFIXES = {
    "embedding.features": "map_noise",
    "embedding.linear0": "map_layer0",
    "embedding.linear1": "map_layer1",
    "stem": "enc.{here}x{here}_conv",
    "encoder.{level}.blocks.{index}": "enc.{here}x{here}_block{index}",
    "encoder.{level}.attentions.{index}": "enc.{here}x{here}_block{index}",
    "encoder.{level}.down": "enc.{below}x{below}_down",
    "encoder.{level}.join.mix": "enc.{below}x{below}_aux_skip",
    "encoder.{level}.join.conv": "enc.{below}x{below}_aux_residual",
    "middle.block0": "dec.{here}x{here}_in0",
    "middle.attention": "dec.{here}x{here}_in0",
    "middle.block1": "dec.{here}x{here}_in1",
    "decoder.{step}.blocks.{index}": "dec.{here}x{here}_block{index}",
    "decoder.{step}.attention": "dec.{here}x{here}_block{index}",
    "decoder.{step}.to_image.norm": "dec.{here}x{here}_aux_norm",
    "decoder.{step}.to_image.conv": "dec.{here}x{here}_aux_conv",
    "decoder.{step}.up": "dec.{above}x{above}_up",
    "head.norm": "dec.{here}x{here}_aux_norm",
    "head.conv": "dec.{here}x{here}_aux_conv",
}


def read_edm(path: Path, content: Any) -> Checkpoint:
    """Read what an EDM pickle holds, as `read_pickle` returns it.

    Raises:
        SdeditError: if it is not an unconditional NCSN++ with a preconditioning that sdedit knows.
    """
    network = content.get("ema") if isinstance(content, dict) else content
    kind, state = _persistent(network)
    if state is None:
        raise SdeditError(f"{path} is a pickle, but holds no network of EDM's; nothing in it was run")
    tensors: dict[str, Tensor] = {}
    _flatten(path, state, "", tensors, [0])
    check_claims(path, tensors, path.stat().st_size)
    if not tensors or any(not name.startswith("model.") for name in tensors):
        raise SdeditError(f"{path} holds {kind}, which is no preconditioned network of EDM's")
    tensors = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    if any(name.startswith("map_label") for name in tensors):
        raise SdeditError(f"{path} is a class-conditional model, and sdedit has no classes; use the unconditional one")

    config, size = infer_config(path, tensors)
    names = sources(config, _NAMING, lambda _, part: _prefix(part, size))
    wanted = {
        name: tensor
        for name, tensor in tensors.items()
        # The filters are constants of the network here; the augmentation's labels are zero outside of training.
        if not name.endswith(".resample_filter") and not name.startswith("map_augment.")
    }
    preconditioning, schedule, notes = _preconditioning(path, kind, state)
    return Checkpoint(
        path,
        config,
        collect(path, wanted, names, _join),
        preconditioning,
        schedule,
        native_size=size,
        card={"weights": "EMA"},
        notes=notes,
    )


def infer_config(path: Path, tensors: Mapping[str, Tensor]) -> tuple[NetworkConfig, int]:
    """Which network a SongUNet is, and its native size in pixels, by the names and shapes of its tensors.

    Raises:
        SdeditError: if it is none that sdedit knows.
    """
    found = {int(match[1]) for name in tensors if (match := re.match(r"enc\.(\d{1,5})x\1_", name))}
    sizes = sorted(found, reverse=True)
    if not sizes or sizes != [sizes[0] >> level for level in range(len(sizes))]:
        raise SdeditError(f"{path} holds a network that is no NCSN++")

    def present(pattern: str) -> bool:
        return any(re.fullmatch(pattern, name) for name in tensors)

    filters = {tensor.shape[-1] for name, tensor in tensors.items() if name.endswith(".resample_filter")}
    try:
        config = NetworkConfig(
            stem_channels=tensors[f"enc.{sizes[0]}x{sizes[0]}_conv.weight"].shape[0],
            channels=tuple(tensors[f"enc.{size}x{size}_block0.conv0.weight"].shape[0] for size in sizes),
            blocks=tuple(
                sum(bool(re.fullmatch(rf"enc\.{size}x{size}_block\d+\.conv0\.weight", name)) for name in tensors)
                for size in sizes
            ),
            attention_levels=tuple(
                level for level, size in enumerate(sizes) if f"enc.{size}x{size}_block0.qkv.weight" in tensors
            ),
            embedding="fourier" if "map_noise.freqs" in tensors else "positional",
            resampling="mean" if filters == {2} else "fir",
            input_pyramid="skip"
            if present(r"enc\.\w+_aux_skip\.weight")
            else "residual"
            if present(r"enc\.\w+_aux_residual\.weight")
            else "none",
            output_pyramid="skip" if f"dec.{sizes[-1]}x{sizes[-1]}_aux_norm.weight" in tensors else "none",
        )
    except (KeyError, IndexError, ValueError) as error:
        raise SdeditError(f"{path} holds a network that is no NCSN++ of EDM's kinds") from error
    return config, sizes[0]


def _prefix(part: Part, size: int) -> str:
    here = size >> part.level
    return _PREFIXES[part.pattern].format(here=here, below=here // 2, above=2 * here, index=part.index)


def _persistent(value: Any) -> tuple[str, dict[str, Any] | None]:
    """Class name and state of an object saved with its source."""
    if not isinstance(value, Record) or not isinstance(value.arguments, tuple) or len(value.arguments) != 1:
        return "", None
    meta = value.arguments[0]
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        return "", None
    return str(meta.get("class_name"))[:80], meta["state"]


def _flatten(path: Path, state: Mapping[str, Any], prefix: str, tensors: dict[str, Tensor], seen: list[int]) -> None:
    """Gather the tensors of a module's state and of the modules in it, by dotted names."""
    seen[0] += 1
    if seen[0] > _MOST_MODULES or prefix.count(".") > 8:
        raise SdeditError(f"{path} nests more modules than any network; it may be hostile")
    for group in ("_parameters", "_buffers"):
        for name, tensor in _mapping(state, group).items():
            if isinstance(tensor, Tensor):
                tensors[f"{prefix}{name}"] = tensor
    for name, module in _mapping(state, "_modules").items():
        inner = _persistent(module)[1]
        if inner is None and isinstance(module, Record):
            inner = module.state
        if isinstance(inner, dict):
            _flatten(path, inner, f"{prefix}{name}.", tensors, seen)


def _mapping(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = state.get(name)
    return value if isinstance(value, dict) else {}


def _preconditioning(
    path: Path, kind: str, state: Mapping[str, Any]
) -> tuple[Preconditioning, Schedule | None, list[str]]:
    def number(name: str, default: float) -> float:
        value = state.get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

    try:
        if kind == "VEPrecond":
            sigma_min, sigma_max = number("sigma_min", 0.02), number("sigma_max", 100.0)
            return VEPreconditioning(), VESchedule(sigma_min / 2, sigma_max / 2), []
        if kind == "VPPrecond":
            # Equation 33 of Song et al. (2021): beta from beta_min to beta_min + beta_d, told in M levels.
            beta_d, beta_min, count = number("beta_d", 19.9), number("beta_min", 0.1), int(number("M", 1000))
            vp = VPSchedule("continuous", count, beta_min / count, (beta_min + beta_d) / count)
            return VPPreconditioning(vp), vp, []
        if kind == "EDMPrecond":
            # It has no schedule of its own; these are the ends of the sampler it was published with.
            note = "EDM's preconditioning names no noise levels; its sampler's largest, 80 on [-1, 1], is assumed"
            return EDMPreconditioning(number("sigma_data", 0.5)), VESchedule(0.01, 40.0), [note]
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise SdeditError(f"{path} has impossible noise levels: {error}") from error
    known = "EDM's VEPrecond, VPPrecond and EDMPrecond"
    raise SdeditError(f"{path} holds {kind or 'no preconditioning'}; sdedit reads {known}")


def _join(own: str, group: list[Tensor]) -> Tensor:
    (tensor,) = group
    if ".qkv." in own and tensor.dim() and tensor.shape[0] % 3 == 0:
        # Rows alternate between q, k and v; here they follow one another.
        tensor = tensor.unflatten(0, (-1, 3)).transpose(0, 1).flatten(0, 1)
    return as_pixelwise(tensor) if ".out." in own else tensor
