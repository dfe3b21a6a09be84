"""Models by name and by file: listed, described, downloaded and converted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit.errors import SdeditError
from sdedit.io.files import exists, is_file, is_folder
from sdedit.io.recipe import read_recipe

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel

_ASSUMED = "assumed"  # in a model's card: what its original did not say


def describe(
    name_or_path: str, *, raw_weights: bool = False, sigma_max: float | None = None, offline: bool = False
) -> dict[str, Any]:
    """Facts about an image or a checkpoint, in the order they are shown.

    Args:
        name_or_path: an image painted by sdedit, or what `sdedit.load_model` takes.
        raw_weights: as in `sdedit.load_model`, like the rest.
        sigma_max: as there.
        offline: as there.

    Raises:
        SdeditError: if there is no such file or model, or it is neither a painted image nor a checkpoint.
    """
    path = Path(name_or_path)
    if is_file(path) and (recipe := read_recipe(path)) is not None:
        return recipe

    from sdedit.checkpoints.load import load_model
    from sdedit.checkpoints.registry import count_parameters
    from sdedit.pipelines.auto_t0 import CALIBRATION, calibration_of

    model = load_model(
        name_or_path,
        precision="fp32",
        raw_weights=raw_weights,
        sigma_max=sigma_max,
        offline=offline,
        show_progress=True,
    )
    config = model.network.config
    if (config.input_pyramid, config.output_pyramid) == ("none", "none"):
        heads = f"{config.head_channels} channels each" if config.head_channels else str(config.heads)
        network = {"resampling": config.resampling, "attention heads": heads}
    else:
        network = {"pyramids": f"input {config.input_pyramid}, output {config.output_pyramid}"}
    facts = {
        "model": model.name,
        **{key: value for key, value in model.card.items() if key not in ("name", CALIBRATION, _ASSUMED)},
        "native size": f"{model.native_size} px",
        "size multiple": f"{model.size_multiple} px",
        "sigma": f"{model.schedule.sigma_min:g} to {model.schedule.sigma_max:g}",
        "sigma(0.5)": f"{model.schedule.sigma(0.5):.4g}",
        **({"finisher": f"from sigma = {model.schedule.sigma_finish:g}"} if model.finisher else {}),
        "preconditioning": model.preconditioning.kind,
        **_training_facts(model),
        "parameters": sum(count_parameters(network.state_dict()) for network in model.networks),
        "channels": ", ".join(map(str, config.channels)),
        "blocks": ", ".join(map(str, config.blocks)),
        "attention": ", ".join(f"level {level}" for level in config.attention_levels) or "middle only",
        "noise embedding": config.embedding,
        **network,
        "checksum": model.checksum,
    }
    if CALIBRATION in model.card:
        facts["calibrated"] = f"on {calibration_of(model).photographs} photographs"
    before = str(model.card.get(_ASSUMED, ""))  # when it was converted
    if assumed := [*filter(None, [before]), *(note for note in model.notes if note not in before)]:
        facts[_ASSUMED] = "; ".join(assumed)
    return facts


def _training_facts(model: ScoreModel) -> dict[str, Any]:
    """What a variance-preserving model was trained to predict, at which levels."""
    from sdedit.diffusion.preconditioning import VPPreconditioning

    preconditioning = model.preconditioning
    if not isinstance(preconditioning, VPPreconditioning):
        return {}
    schedule = preconditioning.schedule
    return {"schedule": f"{schedule.betas}, {schedule.timesteps} levels", "prediction": preconditioning.prediction}


def list_models() -> list[dict[str, Any]]:
    """The models that can be asked for by name, those that come along first."""
    from sdedit.checkpoints.formats.native import read_native
    from sdedit.checkpoints.hub import built_in_models, is_downloaded
    from sdedit.checkpoints.registry import published_models

    rows = []
    for name, file in built_in_models().items():
        checkpoint = read_native(file)
        assert checkpoint.schedule is not None
        rows.append(
            {
                "name": name,
                "domain": checkpoint.card.get("domain", ""),
                "size": checkpoint.native_size,
                "sigma(0.5)": round(checkpoint.schedule.sigma(0.5), 3),
                "here": "built in",
                "licence": checkpoint.card.get("licence", ""),
            }
        )
    for model in published_models().values():
        here = "downloaded" if is_downloaded(model) else "no" if model.hub else "by hand"
        rows.append(
            {
                "name": model.name,
                "domain": model.domain,
                "size": model.size,
                "sigma(0.5)": round(model.schedule.sigma(0.5), 3),
                "here": here,
                "licence": model.licence,
            }
        )
    return rows


def pull_model(name: str, show_progress: bool = False) -> Path:
    """Download a model, compare its checksum, and return the folder or file it is kept in.

    Raises:
        SdeditError: if it cannot be downloaded, or arrives damaged.
    """
    from sdedit.checkpoints.hub import find_model
    from sdedit.checkpoints.load import verified_checksum

    source = find_model(name, show_progress=show_progress)
    verified_checksum(source)
    return source.path


def convert_model(model: ScoreModel, output: Path, overwrite: bool = False, dtype: str = "float32") -> None:
    """Write a model: to a name ending in .safetensors as the project's own format, its weights as float32 or float16;
    to any other name as a folder of diffusers.

    Raises:
        SdeditError: if the output exists or cannot be written, a weight is too large for float16, or diffusers has no
            network that does the same, which is written as float32 only.
    """
    import torch

    from sdedit.checkpoints.formats.diffusers.write import export_diffusers
    from sdedit.checkpoints.formats.native import save_checkpoint

    check_conversion(output, overwrite, dtype)
    if output.suffix == ".safetensors":
        kind = torch.float16 if dtype == "float16" else torch.float32
        tensors = (tensor for network in model.networks for tensor in network.state_dict().values())
        if not all(torch.isfinite(tensor.to(kind)).all() for tensor in tensors):
            raise SdeditError(f"{model.name} has weights that float16 cannot hold; leave out --dtype")
        said = {_ASSUMED: "; ".join(model.notes)} if model.notes else {}
        save_checkpoint(replace(model, card={**model.card, **said}), output, kind)
    else:
        export_diffusers(model, output)


def check_conversion(output: Path, overwrite: bool, dtype: str) -> None:
    """Refuse what can be refused without a model.

    Raises:
        SdeditError: if the output cannot be, or must not be written, or not as this type.
    """
    if exists(output) and not overwrite:
        raise SdeditError(f"{output} exists; add --overwrite to replace it, or name another output")
    if output.suffix == ".safetensors":
        if is_folder(output):
            raise SdeditError(f"cannot write {output}: it is a folder")
    elif dtype != "float32":
        raise SdeditError(f"{output} is a folder for diffusers, which has float32; leave out --dtype {dtype}")
    elif output.suffix or (exists(output) and not is_folder(output)):
        raise SdeditError(f"cannot write {output}: name a file ending in .safetensors, or a folder for diffusers")
