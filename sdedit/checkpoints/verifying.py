"""Whether a model works: does its denoiser give sensible pictures at low, middle and high noise?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from sdedit.errors import SdeditError
from sdedit.model import ScoreModel

_LARGEST_SIZE = 256  # pixels; more shows nothing else and takes minutes
_MOST_CHANGE = 3.0  # of D(x; sigma_min) against x, in units of sigma_min


@dataclass(frozen=True)
class Check:
    """One noise level: root mean square differences of D(x + sigma z; sigma), over pixels in [0, 1]."""

    sigma: float
    from_input: float  # to the noised picture; about sigma where the denoiser removes the noise
    from_picture: float  # to the clean picture


@torch.inference_mode()
def verify_model(model: ScoreModel) -> list[Check]:
    """Run the denoiser on a smooth picture at sigma_min, at the geometric middle, and at sigma_max.

    Raises:
        SdeditError: if a result is not finite, or D(x; sigma_min) is far from x.
    """
    multiple = model.size_multiple
    size = math.ceil(min(model.native_size, _LARGEST_SIZE) / multiple) * multiple
    across = torch.linspace(0, math.pi, size)
    picture = (
        0.5
        + 0.3
        * torch.stack(
            [across.sin().outer(across.cos()), across.cos().outer(across.sin()), across.cos().outer(across.cos())]
        )[None]
    )
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    picture, noise = picture.to(model.device), noise.to(model.device)
    low, high = model.schedule.sigma_min, model.schedule.sigma_max
    checks = []
    for sigma in (low, math.sqrt(low * high), high):
        noised = picture + sigma * noise
        denoised = model.denoise(noised, torch.full((1,), sigma, device=model.device))
        if not torch.isfinite(denoised).all():
            raise SdeditError(f"{model.name} does not work: its denoiser gives no finite picture at sigma {sigma:g}")
        change, error = ((denoised - other).square().mean().sqrt().item() for other in (noised, picture))
        checks.append(Check(sigma, change, error))
    if checks[0].from_input > _MOST_CHANGE * low:
        raise SdeditError(
            f"{model.name} does not work: at its lowest noise, sigma {low:g}, its denoiser changes a picture by "
            f"{checks[0].from_input:.3g}, where about {low:g} is right"
        )
    return checks
