"""The sampling loop: the reverse-time SDE, step by step, from a noised image to a clean one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sdedit.diffusion.samplers import SAMPLERS
from sdedit.diffusion.schedule import Schedule, VESchedule

Denoise = Callable[[Tensor, Tensor], Tensor]  # x (B, C, H, W), sigma (1,) -> D (B, C, H, W)
Path = Callable[[Tensor, float, float], Tensor]  # like, s, s_next -> the z of that step: a given Brownian path
Generators = torch.Generator | Sequence[torch.Generator]


class Step(NamedTuple):
    """A network evaluation: the state x (B, C, H, W) at noise level sigma, and denoised = D(x; sigma)."""

    sigma: float
    x: Tensor
    denoised: Tensor


def check_sampler(sampler: str, schedule: Schedule) -> None:
    """Refuse a sampler that means something else with this schedule.

    Raises:
        ValueError: for `euler-maruyama-t` with any but a variance-exploding schedule.
    """
    if sampler == "euler-maruyama-t" and not isinstance(schedule, VESchedule):
        raise ValueError(
            "euler-maruyama-t steps in the time of a variance-exploding SDE, and this model is variance-preserving; "
            "use ancestral or euler-maruyama"
        )


def gaussian_noise(like: Tensor, generator: Generators) -> Tensor:
    """z ~ N(0, I) of the shape and device of `like` (B, C, H, W).

    Drawn on the generator's own device, so that a CPU generator gives the same noise whatever device the network is
    on. With one generator per image, an image's noise does not depend on the batch it is in.
    """
    if isinstance(generator, torch.Generator):
        return torch.randn(like.shape, generator=generator, device=generator.device).to(like.device)
    if len(generator) != len(like):
        raise ValueError(f"{len(generator)} generators for {len(like)} images")
    return torch.stack([torch.randn(like.shape[1:], generator=g, device=g.device) for g in generator]).to(like.device)


def sample(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    generator: Generators | Path,
    sampler: str = "euler-maruyama",
    on_step: Callable[[Step], object] | None = None,
    constrain: Callable[[Tensor, float], Tensor] = lambda x, sigma: x,
    finish: Denoise | None = None,
) -> Tensor:
    """Run the reverse SDE.

    Args:
        denoise: D(x; sigma); called once for each step, by `heun` twice but for the last.
        x: (B, C, H, W) float32, at noise level sigmas[0].
        sigmas: (steps + 1,) float64, falling noise levels in units of x, the last one 0.
        generator: source of the noise, one for the batch or one per image; or a function of (x, s, s_next) that
            gives the z of each step.
        sampler: a key of SAMPLERS.
        on_step: called after each network evaluation.
        constrain: called after each step with the state and the level it has reached; its answer takes the state's
            place. Algorithm 3 (Meng et al. 2021) puts the kept pixels back here.
        finish: called in place of `denoise` for the last step, to 0; None is `denoise`.

    Returns:
        (B, C, H, W), a sample at noise level 0.

    Raises:
        ValueError: if the sampler is unknown or the noise levels do not fall to 0.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, not {sampler!r}")
    levels: list[float] = sigmas.double().tolist()
    if len(levels) < 2 or levels[-1] != 0 or not all(s >= s_next and s > 0 for s, s_next in pairwise(levels)):
        raise ValueError("noise levels must fall and end in 0")

    def evaluate(x: Tensor, s: float, by: Denoise = denoise) -> Tensor:
        d = by(x, torch.full((1,), s, dtype=x.dtype, device=x.device))
        if on_step is not None:
            on_step(Step(s, x, d))
        return d

    s_before, d_before = math.inf, x
    for s, s_next in pairwise(levels):
        if s_next == 0:
            x_next = d = evaluate(x, s, finish or denoise)
        else:
            d = evaluate(x, s)
            a, b, c = SAMPLERS[sampler](s_before, s, s_next)
            x_next = d + a * (x - d)
            if sampler == "heun":
                slope = (x_next - evaluate(x_next, s_next)) / s_next
                x_next = (x + x_next + (s_next - s) * slope) / 2
            if c != 0:
                x_next = x_next + c * (d - d_before)
            if b != 0:
                z = generator(x, s, s_next) if callable(generator) else gaussian_noise(x, generator)
                x_next = x_next + b * z
        x = constrain(x_next, s_next)
        s_before, d_before = s, d
    return x
