"""What a training run shows of itself: the error per noise level, and sheets of strokes beside their paintings."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from sdedit.diffusion.algorithms import synthesise
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.tensors import to_image, to_tensor
from sdedit.pipelines.strokes import simulate_strokes

VALIDATION_SIGMAS = (0.025, 0.1, 0.3, 0.75, 2.0, 8.0)  # in units of images in [0, 1]
_BATCH = 16


@torch.inference_mode()
def validation_errors(model: ScoreModel, images: Tensor) -> dict[float, float]:
    """EDM-weighted denoising error at fixed noise levels, with the same noise at every call.

    Args:
        model: a model with EDM preconditioning.
        images: (N, 3, H, W) float32 in [0, 1].

    Returns:
        Mean error for each sigma; 1 is that of a network that always answers 0. Of a model with a finisher that one's,
        at its level alone.
    """
    assert isinstance(model.preconditioning, EDMPreconditioning)
    levels = (model.schedule.sigma_finish,) if model.finisher else VALIDATION_SIGMAS
    generator = torch.Generator().manual_seed(0)
    errors = {}
    for level in levels:
        total = 0.0
        for batch in images.split(_BATCH):
            y = batch.to(model.device)
            sigma = torch.full((len(y),), level, device=model.device)
            noise = torch.randn(batch.shape, generator=generator).to(model.device)
            squared = (model.finish(y + level * noise, sigma) - y).square().mean(dim=(1, 2, 3))
            total += float((model.preconditioning.loss_weight(sigma) * squared).sum())
        errors[level] = total / len(images)
    return errors


def preview_sheet(model: ScoreModel, images: Tensor, t0: float, steps: int) -> Image.Image:
    """Rows of photograph | simulated strokes | painted, from the exact-posterior sampler at fixed seeds."""
    strokes = [simulate_strokes(to_image(image)) for image in images]
    guides = torch.stack([to_tensor(stroke) for stroke in strokes])
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(guides))]
    sigmas = model.schedule.sigmas(t0, steps)
    painted = synthesise(model, guides, sigmas, generators, sampler="ancestral").to("cpu")
    columns = torch.stack([images, guides, painted], dim=1)
    return to_image(make_grid(columns.flatten(0, 1), nrow=3))
