"""SDEdit: perturb a guide with noise, then run the reverse SDE from there (Meng et al. 2021, arXiv 2108.01073)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.reverse_sde import Generators, Step, check_sampler, gaussian_noise, sample
from sdedit.diffusion.schedule import Schedule


class Denoiser(Protocol):
    """What the algorithms ask of a model; `sdedit.ScoreModel` is one, and says what each is."""

    @property
    def schedule(self) -> Schedule: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def size_multiple(self) -> int: ...
    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor: ...
    def finish(self, x: Tensor, sigma: Tensor) -> Tensor: ...


@torch.inference_mode()
def synthesise(
    model: Denoiser,
    guide: Tensor,
    sigmas: Tensor,
    generator: Generators,
    sampler: str = "euler-maruyama",
    repeats: int = 1,
    on_step: Callable[[Step], object] | None = None,
) -> Tensor:
    """Stroke-based synthesis: Algorithm 1, and with repeats K > 1 Algorithm 2.

    Args:
        model: the denoiser, such as a score model.
        guide: (B, 3, H, W) float32 in [0, 1], of any height and width; the edges are repeated to the next multiple
            the network takes, and cut off again.
        sigmas: (steps + 1,) noise levels from sigma(t0) down to 0, as from `model.schedule.sigmas`.
        generator: source of the noise, one for the batch or one per image.
        sampler: a key of `sdedit.diffusion.samplers.SAMPLERS`.
        repeats: K, how often the result is perturbed and denoised; more is more realistic and less faithful.
        on_step: called after each of the network evaluations, with the state at the padded size.

    Returns:
        (B, 3, H, W) float32 in [0, 1], on the model's device.

    Raises:
        ValueError: if the model's schedule does not allow the sampler.
    """
    check_sampler(sampler, model.schedule)
    height, width = guide.shape[-2:]
    x = pad(guide, model)
    for _ in range(repeats):
        x = x + float(sigmas[0]) * gaussian_noise(x, generator)
        x = sample(model.denoise, x, sigmas, generator, sampler, on_step, finish=model.finish)
    return x[..., :height, :width].clamp(0, 1)


@torch.inference_mode()
def inpaint(
    model: Denoiser,
    source: Tensor,
    mask: Tensor,
    sigmas: Tensor,
    generator: Generators,
    sampler: str = "euler-maruyama",
    repeats: int = 1,
    on_step: Callable[[Step], object] | None = None,
) -> Tensor:
    """Stroke-based editing and image compositing: Algorithm 3.

    A pixel is kept, that is replaced by source + sigma z with fresh noise, whenever a step has reached a level sigma
    above `start_levels` of its mask; from the first level at or below it on, it is free. So white pixels are free from
    the start, black ones never, and a grey value m starts at time m t0. One that starts below a finisher's level, which
    can only start there, takes its answer in proportion. The paper's text puts the kept pixels back at
    the level the step came from, one step too noisy; here it is the level just reached. This is the paper's way of
    telling the free pixels about the kept ones, not exact sampling of the former given the latter: it follows them
    somewhat less.

    Args:
        model: the denoiser, such as a score model.
        source: (B, 3, H, W) float32 in [0, 1], the image with strokes or pasted parts on it.
        mask: (B, 1, H, W) in [0, 1]; 1 may change fully, 0 is kept.
        sigmas: (steps + 1,) noise levels from sigma(t0) down to 0, as from `model.schedule.sigmas`.
        generator: as in `synthesise`, like the rest; with repeats, a grey pixel starts again from what it has become.

    Returns:
        (B, 3, H, W) float32 in [0, 1], on the model's device; equal to `source` where the mask is 0.

    Raises:
        ValueError: if the mask has not the shape of one channel of the source, or a value outside [0, 1]; if the
            model's schedule does not allow the sampler.
    """
    check_sampler(sampler, model.schedule)
    if mask.shape != (len(source), 1, *source.shape[-2:]):
        raise ValueError(f"a mask for {tuple(source.shape)} is one channel of it, not {tuple(mask.shape)}")
    if not ((mask >= 0) & (mask <= 1)).all():
        raise ValueError("a mask's values lie in [0, 1]")
    height, width = source.shape[-2:]
    x, m = pad(source, model), pad(mask, model)
    start = start_levels(model.schedule, m, float(sigmas[0]))
    finish = model.schedule.sigma_finish
    share = (start / finish).clamp(max=1).to(x.dtype) if finish and float(sigmas[-2]) == finish else torch.ones_like(x)
    for _ in range(repeats):
        clean = x

        def put_back(x: Tensor, sigma: float, clean: Tensor = clean) -> Tensor:
            if sigma == 0:
                x = torch.where(share < 1, clean + share * (x - clean), x)
            kept = (start < sigma) | (m == 0)
            if not kept.any():  # an all-white mask draws the noise of `synthesise`, and gives its result
                return x
            noised = clean + sigma * gaussian_noise(x, generator) if sigma > 0 else clean
            return torch.where(kept, noised, x)

        x = x + float(sigmas[0]) * gaussian_noise(x, generator)
        x = sample(model.denoise, x, sigmas, generator, sampler, on_step, put_back, model.finish)
    return x[..., :height, :width].clamp(0, 1)


def start_levels(schedule: Schedule, mask: Tensor, sigma: float) -> Tensor:
    """The noise level sigma(m t0) at which a pixel of mask value m starts to change, sigma(t0) = `sigma`; mask's shape.

    0 where m is 0, and exactly `sigma` where m is 1.
    """
    times = mask.double() * schedule.t(sigma)
    return torch.where(mask == 1, sigma, schedule.sigma(times))


def pad(image: Tensor, model: Denoiser) -> Tensor:
    """Repeat the edges to the next multiple of pixels the network takes; on the model's device."""
    height, width = image.shape[-2:]
    multiple = model.size_multiple
    image = image.to(model.device, torch.float32)
    return F.pad(image, (0, -width % multiple, 0, -height % multiple), mode="replicate")
