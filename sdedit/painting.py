"""Paint: a stroke painting in, a realistic picture out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from sdedit.editing import synthesise
from sdedit.guide import fit_guide, working_size
from sdedit.model import ScoreModel
from sdedit.pixels import to_picture, to_tensor
from sdedit.samplers import Evaluation, step_count

Guide = TypeVar("Guide", Tensor, Image.Image)


def paint(
    model: ScoreModel,
    guide: Guide,
    t0: float = 0.5,
    steps: int = 500,
    sampler: str = "euler-maruyama",
    seed: int = 0,
    repeats: int = 1,
    size: int | tuple[int, int] | None = None,
    grid: str = "uniform",
    on_step: Callable[[Evaluation], object] = lambda evaluation: None,
) -> Guide:
    """Stroke-based synthesis (Meng et al. 2021, arXiv 2108.01073, Algorithms 1 and 2).

    Args:
        model: the score model, as from `sdedit.load_model`.
        guide: a picture, painted at the model's native size with its aspect ratio kept; or a tensor (3, H, W) or
            (B, 3, H, W) in [0, 1], painted at the size it has.
        t0: how much of the guide is given up to noise, in (0, 1]; [0.3, 0.6] is the useful range.
        steps: N, the number of network evaluations, at every t0.
        sampler: a key of `sdedit.samplers.SAMPLERS`.
        seed: of the noise; picture i of a batch has seed + i and is what it would be alone, to rounding.
        repeats: K, how often the result is perturbed and denoised again; evaluations are N x K.
        size: for pictures: length of the shorter side in pixels, or (width, height). None is the native size.
        grid: how the steps are spread over the noise levels, a member of `sdedit.schedule.GRIDS`.
        on_step: called after each network evaluation.

    Returns:
        A picture for a picture; for a tensor, a float32 tensor of its shape in [0, 1] on the model's device.

    Raises:
        ValueError: if an argument is out of range.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    sigmas = model.schedule.levels(t0, step_count(sampler, steps), grid)
    if isinstance(guide, Image.Image):
        fitted = fit_guide(guide, working_size(guide.size, size or model.native_size))
        batch = to_tensor(fitted)[None]
    else:
        if guide.dim() not in (3, 4) or guide.shape[-3] != 3 or size is not None:
            raise ValueError(f"a guide tensor is (3, H, W) or (B, 3, H, W) at its final size, not {tuple(guide.shape)}")
        batch = guide.reshape(-1, *guide.shape[-3:])
    generators = [torch.Generator().manual_seed(seed + index) for index in range(len(batch))]
    painted = synthesise(model, batch, sigmas, generators, sampler, repeats, on_step)
    if isinstance(guide, Image.Image):
        return to_picture(painted[0])
    return painted.reshape(guide.shape)
