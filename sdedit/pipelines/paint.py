"""Paint: a stroke painting in, a realistic image out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from sdedit.diffusion.coarse_to_fine import synthesise_coarse_to_fine
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling, as_sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.images import OwnSize, as_rgb, fit_guide, working_size
from sdedit.io.tensors import check_values, to_image, to_tensor

Guide = TypeVar("Guide", Tensor, Image.Image)


def paint(
    model: ScoreModel,
    guide: Guide,
    t0: float = 0.5,
    *,
    sampling: Sampling | str | None = None,
    seed: int = 0,
    repeats: int = 1,
    size: int | tuple[int, int] | None = None,
    passes: int | None = None,
    on_step: Callable[[Step], object] | None = None,
) -> Guide:
    """Stroke-based synthesis (Meng et al. 2021, arXiv 2108.01073, Algorithms 1 and 2).

    Args:
        model: the score model, as from `sdedit.load_model`.
        guide: an image of any mode, taken as its file would be (profile, orientation, transparency on white) and
            painted at its own size, from the model's native size to the largest its card names; or a tensor of floating
            point (3, H, W) or (B, 3, H, W) in [0, 1], painted at the size it has.
        t0: how much of the guide is given up to noise, in (0, 1]; [0.3, 0.6] is the useful range.
        sampling: how the reverse SDE is solved: "fast", "balanced" or "best", the name of a sampler for its own number
            of steps, or `sdedit.Sampling(sampler, steps, grid)`. None is the model's own default.
        seed: of the noise; image i of a batch has seed + i and is what it would be alone, to rounding.
        repeats: K, how often the result is perturbed and denoised again; evaluations are N x K in each pass.
        size: for images: length of the shorter side in pixels, or (width, height). None is the guide's own.
        passes: at so many sizes, coarse to fine; None is 1 at the native size and one more for each doubling.
        on_step: called after each network evaluation.

    Returns:
        An image for an image; for a tensor, a float32 tensor of its shape in [0, 1] on the model's device.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if the guide is neither an image nor a tensor.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    sampling = as_sampling(sampling, model.default_sampling)
    if not isinstance(guide, Tensor):
        image = as_rgb(guide, "the guide")
        wanted = own_size(model) if size is None else size
        fitted = fit_guide(image, working_size(image.size, wanted))
        batch = to_tensor(fitted)[None]
    else:
        if guide.dim() not in (3, 4) or guide.shape[-3] != 3 or size is not None:
            raise ValueError(f"a guide tensor is (3, H, W) or (B, 3, H, W) at its final size, not {tuple(guide.shape)}")
        check_values(guide, "a guide tensor")
        batch = guide.reshape(-1, *guide.shape[-3:])
    generators = [torch.Generator().manual_seed(seed + index) for index in range(len(batch))]
    painted = synthesise_coarse_to_fine(model, batch, t0, sampling, generators, repeats, passes, on_step)
    if isinstance(guide, Image.Image):
        return to_image(painted[0])
    return painted.reshape(guide.shape)


def own_size(model: ScoreModel) -> OwnSize:
    """The size of images where none is asked for: the guide's, within what the model is good at."""
    return OwnSize(model.native_size, model.largest_size)
