"""Whether a model works, and how well it denoises photographs: verifying and calibrating."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdedit.errors import SdeditError
from sdedit.io.files import is_file
from sdedit.io.outputs import plan_outputs
from sdedit.jobs.console import Console, counted
from sdedit.jobs.omitted import raise_for_omitted, tell_omitted

if TYPE_CHECKING:
    import torch

    from sdedit.diffusion.score_model import ScoreModel

_LARGEST_SIZE = 256  # pixels; more shows nothing else and takes minutes
_MOST_CHANGE = 3.0  # of D(x; sigma_min) against x, in units of sigma_min


@dataclass(frozen=True)
class Check:
    """One noise level: root mean square differences of D(x + sigma z; sigma), over pixels in [0, 1]."""

    sigma: float
    from_input: float  # to the noised image; about sigma where the denoiser removes the noise
    from_image: float  # to the clean image


def verify_model(model: ScoreModel) -> list[Check]:
    """Run the denoiser on a smooth image at sigma_min, at the geometric middle, and at sigma_max.

    A finisher is run at its level, between them.

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
    finish = [] if model.finisher is None else [model.schedule.sigma_finish]
    for sigma in sorted([low, math.sqrt(low * high), high, *finish]):
        noised = image + sigma * noise
        with torch.inference_mode():
            denoised = model.finish(noised, torch.full((1,), sigma, device=model.device))
        if not torch.isfinite(denoised).all():
            raise SdeditError(f"{model.name} does not work: its denoiser gives no finite image at sigma {sigma:g}")
        change, error = ((denoised - other).square().mean().sqrt().item() for other in (noised, image))
        checks.append(Check(sigma, change, error))
    if checks[0].from_input > _MOST_CHANGE * low:
        raise SdeditError(
            f"{model.name} does not work: at its lowest noise, sigma {low:g}, its denoiser changes an image by "
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

    tensors = [tensor for network in model.networks for tensor in network.state_dict().values()]
    return torch.float16 if all(torch.equal(tensor.half().float(), tensor) for tensor in tensors) else torch.float32
