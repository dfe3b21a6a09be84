"""Samplers of the reverse-time SDE: from a noised picture to a clean one along given noise levels.

With the denoiser D(x; sigma), each step from a level s to a lower level s' has one form,

    x' = D + a (x - D) + b z,    z ~ N(0, I)

and a sampler is its choice of (a, b). Every sampler's last step goes to s' = 0, where x' = D: no noise is added there.

    euler-maruyama    a = (s'/s)^2        b = sqrt(s^2 - s'^2)             Meng et al. 2021 (2108.01073), Algorithm 1;
                                          'reverse diffusion' in Song et al. 2021 (2011.13456), appendix E
    euler-maruyama-t  a = 1 - h           b = s sqrt(h), h = 2 ln(s/s')    Euler-Maruyama in t of the reverse SDE,
                                          Song et al. 2021, equation 6; unstable where h >= 1
    ancestral         a = (s'/s)^2        b = s' sqrt(1 - (s'/s)^2)        the exact posterior of x' given x and D;
                                          Ho et al. 2020 (2006.11239), equation 7, for the variance-exploding case
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]  # x (B, C, H, W), sigma (B,) -> D (B, C, H, W)
Generators = torch.Generator | Sequence[torch.Generator]


def euler_maruyama(s: float, s_next: float) -> tuple[float, float]:
    return (s_next / s) ** 2, math.sqrt(s**2 - s_next**2)


def euler_maruyama_t(s: float, s_next: float) -> tuple[float, float]:
    h = 2 * math.log(s / s_next)
    return 1 - h, s * math.sqrt(h)


def ancestral(s: float, s_next: float) -> tuple[float, float]:
    ratio = s_next / s
    return ratio**2, s_next * math.sqrt(1 - ratio**2)


SAMPLERS: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "euler-maruyama": euler_maruyama,
    "euler-maruyama-t": euler_maruyama_t,
    "ancestral": ancestral,
}


def gaussian_noise(like: Tensor, generator: Generators) -> Tensor:
    """z ~ N(0, I) of the shape and device of `like` (B, C, H, W).

    Drawn on the generator's own device, so that a CPU generator gives the same noise whatever device the network is
    on. With one generator per picture, a picture's noise does not depend on the batch it is in.
    """
    if isinstance(generator, torch.Generator):
        return torch.randn(like.shape, generator=generator, device=generator.device).to(like.device)
    if len(generator) != len(like):
        raise ValueError(f"{len(generator)} generators for {len(like)} pictures")
    return torch.stack([torch.randn(like.shape[1:], generator=g, device=g.device) for g in generator]).to(like.device)


def sample(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    generator: Generators,
    sampler: str = "euler-maruyama",
    on_step: Callable[[], object] = lambda: None,
) -> Tensor:
    """Run the reverse SDE.

    Args:
        denoise: D(x; sigma); called once for each step.
        x: (B, C, H, W) float32, at noise level sigmas[0].
        sigmas: (N + 1,) float64, falling noise levels in units of x, the last one 0.
        generator: source of the noise, one for the batch or one per picture.
        sampler: a key of SAMPLERS.
        on_step: called after each step.

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
    coefficients = SAMPLERS[sampler]
    for s, s_next in pairwise(levels):
        d = denoise(x, torch.full((len(x),), s, dtype=x.dtype, device=x.device))
        if s_next > 0:
            a, b = coefficients(s, s_next)
            x = d + a * (x - d) + b * gaussian_noise(x, generator)
        else:
            x = d
        on_step()
    return x
