"""SDEdit: perturb a guide with noise, then run the reverse SDE from there (Meng et al. 2021, arXiv 2108.01073)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.model import ScoreModel
from sdedit.samplers import Evaluation, Generators, gaussian_noise, sample


@torch.inference_mode()
def synthesise(
    model: ScoreModel,
    guide: Tensor,
    sigmas: Tensor,
    generator: Generators,
    sampler: str = "euler-maruyama",
    repeats: int = 1,
    on_step: Callable[[Evaluation], object] = lambda evaluation: None,
) -> Tensor:
    """Stroke-based synthesis: Algorithm 1, and with repeats K > 1 Algorithm 2.

    Args:
        model: the score model.
        guide: (B, 3, H, W) float32 in [0, 1], of any height and width; the edges are repeated to the next multiple
            the network takes, and cut off again.
        sigmas: (steps + 1,) noise levels from sigma(t0) down to 0, as from `model.schedule.levels`.
        generator: source of the noise, one for the batch or one per picture.
        sampler: a key of `sdedit.samplers.SAMPLERS`.
        repeats: K, how often the result is perturbed and denoised; more is more realistic and less faithful.
        on_step: called after each of the network evaluations, with the state at the padded size.

    Returns:
        (B, 3, H, W) float32 in [0, 1], on the model's device.
    """
    height, width = guide.shape[-2:]
    multiple = model.size_multiple
    x = guide.to(model.device, torch.float32)
    x = F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
    for _ in range(repeats):
        x = x + float(sigmas[0]) * gaussian_noise(x, generator)
        x = sample(model.denoise, x, sigmas, generator, sampler, on_step)
    return x[..., :height, :width].clamp(0, 1)
