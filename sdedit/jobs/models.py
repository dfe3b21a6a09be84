"""Models by name and by file: listed, described, converted, verified and calibrated."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit.errors import SdeditError
from sdedit.io.files import exists, is_file, is_folder
from sdedit.io.outputs import plan_outputs
from sdedit.io.recipe import read_recipe
from sdedit.jobs.console import Console, counted
from sdedit.jobs.omitted import raise_for_omitted, tell_omitted

if TYPE_CHECKING:
    import torch

    from sdedit.diffusion.score_model import ScoreModel

_LARGEST_SIZE = 256  # pixels; more shows nothing else and takes minutes
_ASSUMED = "assumed"  # in a model's card: what its original did not say
_MOST_CHANGE = 3.0  # of D(x; sigma_min) against x, in units of sigma_min


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
        "preconditioning": model.preconditioning.kind,
        **_training_facts(model),
        "parameters": count_parameters(model.network.state_dict()),
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
    """What a variance-preserving model was trained to tell, at which levels."""
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
        if not all(torch.isfinite(tensor.to(kind)).all() for tensor in model.network.state_dict().values()):
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


@dataclass(frozen=True)
class Check:
    """One noise level: root mean square differences of D(x + sigma z; sigma), over pixels in [0, 1]."""

    sigma: float
    from_input: float  # to the noised image; about sigma where the denoiser removes the noise
    from_picture: float  # to the clean image


def verify_model(model: ScoreModel) -> list[Check]:
    """Run the denoiser on a smooth image at sigma_min, at the geometric middle, and at sigma_max.

    Raises:
        SdeditError: if a result is not finite, or D(x; sigma_min) is far from x.
    """
    import torch

    multiple = model.size_multiple
    size = math.ceil(min(model.native_size, _LARGEST_SIZE) / multiple) * multiple
    across = torch.linspace(0, math.pi, size)
    image = (
        0.5
        + 0.3
        * torch.stack(
            [across.sin().outer(across.cos()), across.cos().outer(across.sin()), across.cos().outer(across.cos())]
        )[None]
    )
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    image, noise = image.to(model.device), noise.to(model.device)
    low, high = model.schedule.sigma_min, model.schedule.sigma_max
    checks = []
    for sigma in (low, math.sqrt(low * high), high):
        noised = image + sigma * noise
        with torch.inference_mode():
            denoised = model.denoise(noised, torch.full((1,), sigma, device=model.device))
        if not torch.isfinite(denoised).all():
            raise SdeditError(f"{model.name} does not work: its denoiser gives no finite picture at sigma {sigma:g}")
        change, error = ((denoised - other).square().mean().sqrt().item() for other in (noised, image))
        checks.append(Check(sigma, change, error))
    if checks[0].from_input > _MOST_CHANGE * low:
        raise SdeditError(
            f"{model.name} does not work: at its lowest noise, sigma {low:g}, its denoiser changes a picture by "
            f"{checks[0].from_input:.3g}, where about {low:g} is right"
        )
    return checks


def calibrate_checkpoint(
    name: str, photos: Path, output: str | None, overwrite: bool, console: Console, limit: int = 100
) -> None:
    """Measure photographs with a model, and write the model again with what was measured in its card.

    Args:
        name: what `sdedit.load_model` takes.
        photos: a folder or tar archive of photographs that the model was not trained on.
        output: the .safetensors file to write, or a folder; None for the model's own file, if it is one of sdedit's.
        overwrite: whether an output that exists, other than the model's own file, may be replaced.
        console: says what was measured.
        limit: at most so many photographs, evenly spread over all.

    Raises:
        SdeditError: if anything given cannot be used.
        SomeFailedError: at the end, if some photographs could not be read.
    """
    from sdedit.checkpoints.formats.native import is_native, save_checkpoint
    from sdedit.checkpoints.hub import built_in_models
    from sdedit.checkpoints.load import load_model
    from sdedit.io.photographs import load_squares
    from sdedit.pipelines.auto_t0 import CALIBRATION, calibrate

    own = Path(name)
    if output is None:
        if name in built_in_models() or not (is_file(own) and is_native(own)):
            raise SdeditError(
                f"{name} is no file of sdedit's own that could be changed; name one to write with --output"
            )
        file: Path | None = own
    else:
        default = Path(f"{own.stem if is_file(own) else 'model'}.safetensors")
        file = plan_outputs(output, default, [], [".safetensors"], overwrite=overwrite)[0]
    if file is None:
        raise SdeditError("a model is not written to standard output; name a .safetensors file")
    model = load_model(name, precision="fp32")
    images, omitted = load_squares(photos, model.native_size, limit)
    calibration = calibrate(model, images)
    calibrated = replace(model, card={**model.card, CALIBRATION: asdict(calibration)})
    save_checkpoint(calibrated, file, _stored_type(model))
    console.log(f"{file}: calibrated on {counted(calibration.photographs, 'photograph')}")
    tell_omitted(omitted, console)
    raise_for_omitted(omitted, len(images), "the calibration")


def _stored_type(model: ScoreModel) -> torch.dtype:
    """float16 if no weight loses anything by it, as in the files that training writes."""
    import torch

    tensors = model.network.state_dict().values()
    return torch.float16 if all(torch.equal(tensor.half().float(), tensor) for tensor in tensors) else torch.float32
