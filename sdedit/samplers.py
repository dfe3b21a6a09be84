"""Samplers of the reverse-time SDE: from a noised picture to a clean one along given noise levels.

With the denoiser D(x; sigma), each step from a level s to a lower level s' has one form,

    x' = D + a (x - D) + c (D - D_before) + b z,    z ~ N(0, I)

where D_before belongs to the step before, from s_before to s, and a sampler is its choice of (a, b, c). Every sampler's
last step goes to s' = 0, where x' = D: no noise is added there. With r = s'/s:

    euler-maruyama    a = r^2    b = sqrt(s^2 - s'^2)    Meng et al. 2021 (2108.01073), Algorithm 1;
                                                         'reverse diffusion' in Song et al. 2021 (2011.13456), app. E
    euler-maruyama-t  a = 1 - h  b = s sqrt(h)           of the reverse SDE in t, Song et al. 2021, equation 6, with
                                                         h = 2 ln(s/s'); unstable where h >= 1; the only one in which
                                                         the schedule plays a part, that of exploding variance
    ancestral         a = r^2    b = s' sqrt(1 - r^2)    the exact posterior of x' given x and D; Ho et al. 2020
                                                         (2006.11239), equation 7, for the variance-exploding case
    dpm-2m-sde        the same, and c continues D linearly in ln s: DPM-Solver++(2M) SDE, Lu et al. 2022 (2211.01095)
    er-sde            the same, and c continues D linearly in s: the second order of Cui et al. 2023 (2309.06169) for
                      the reverse SDE itself, where their integral has a closed form
    er-sde-churn      the same for their extended SDE of the same marginals, in which more noise is put in and taken out
                      again at low noise, as if each step of er-sde had Langevin steps in it: a = r^(1+h) and
                      b = s' sqrt(1 - r^(2h)) for h times the noise of the reverse SDE
    dpm-2m            a = r      b = 0, c as in dpm-2m-sde: DPM-Solver++(2M) of the probability-flow ODE
    heun              a = r      b = 0, the slope averaged with the one at s': Karras et al. 2022 (2206.00364),
                                 Algorithm 1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sdedit.schedule import Schedule, VESchedule

# Chosen on the built-in model: above this level churn costs faithfulness, below it hardly any.
CHURN, CHURN_BELOW = 3.0, 0.3  # h of er-sde-churn, and the noise level from which on it has it; before, 1

Denoise = Callable[[Tensor, Tensor], Tensor]  # x (B, C, H, W), sigma (1,) -> D (B, C, H, W)
Path = Callable[[Tensor, float, float], Tensor]  # like, s, s_next -> the z of that step: a given Brownian path
Generators = torch.Generator | Sequence[torch.Generator]
Coefficients = Callable[[float, float, float], tuple[float, float, float]]  # s_before, s, s_next -> a, b, c


class Evaluation(NamedTuple):
    """A network evaluation: the state x (B, C, H, W) at noise level sigma, and d = D(x; sigma)."""

    sigma: float
    x: Tensor
    d: Tensor


def euler_maruyama(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    return (s_next / s) ** 2, math.sqrt(s**2 - s_next**2), 0.0


def euler_maruyama_t(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    h = 2 * math.log(s / s_next)
    return 1 - h, s * math.sqrt(h), 0.0


def ancestral(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    ratio = s_next / s
    return ratio**2, s_next * math.sqrt(1 - ratio**2), 0.0


def dpm_2m_sde(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    a, b, _ = ancestral(s_before, s, s_next)
    return a, b, (1 - a) * _half_step_ratio(s_before, s, s_next)


def er_sde(s_before: float, s: float, s_next: float, churn: float = 1.0) -> tuple[float, float, float]:
    """Cui et al. 2023 with phi(u) = u^(1 + churn): the reverse SDE with `churn` times its noise (in variance)."""
    ratio = s_next / s
    a, b = ratio ** (1 + churn), s_next * math.sqrt(1 - ratio ** (2 * churn))
    if not s < s_before < math.inf:
        return a, b, 0.0
    # s'^(1+h) times the integral of (1 + h) (s - u) / u^(2+h) over u from s' to s, over the two known points' distance.
    slope = s * (1 - a) - (1 + churn) / churn * s_next * (1 - ratio**churn)
    return a, b, slope / (s_before - s)


def er_sde_churn(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    return er_sde(s_before, s, s_next, CHURN if s < CHURN_BELOW else 1.0)


def dpm_2m(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    ratio = s_next / s
    return ratio, 0.0, (1 - ratio) * _half_step_ratio(s_before, s, s_next)


def heun(s_before: float, s: float, s_next: float) -> tuple[float, float, float]:
    return s_next / s, 0.0, 0.0


def _half_step_ratio(s_before: float, s: float, s_next: float) -> float:
    """Half this step's length in ln s over that of the step before; 0 in the first step, or if that had no length."""
    return math.log(s / s_next) / math.log(s_before / s) / 2 if s < s_before < math.inf else 0.0


SAMPLERS: dict[str, Coefficients] = {
    "euler-maruyama": euler_maruyama,
    "euler-maruyama-t": euler_maruyama_t,
    "ancestral": ancestral,
    "dpm-2m-sde": dpm_2m_sde,
    "er-sde": er_sde,
    "er-sde-churn": er_sde_churn,
    "dpm-2m": dpm_2m,
    "heun": heun,
}


def check_sampler(sampler: str, schedule: Schedule) -> None:
    """Refuse a sampler that means something else with this schedule.

    Raises:
        ValueError: for `euler-maruyama-t` with any schedule but that of exploding variance.
    """
    if sampler == "euler-maruyama-t" and not isinstance(schedule, VESchedule):
        raise ValueError(
            "euler-maruyama-t steps in the time of exploding variance, which a variance-preserving model has not; use "
            "ancestral or euler-maruyama"
        )


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
    generator: Generators | Path,
    sampler: str = "euler-maruyama",
    on_step: Callable[[Evaluation], object] = lambda evaluation: None,
    constrain: Callable[[Tensor, float], Tensor] = lambda x, sigma: x,
) -> Tensor:
    """Run the reverse SDE.

    Args:
        denoise: D(x; sigma); called once for each step, by `heun` twice but for the last.
        x: (B, C, H, W) float32, at noise level sigmas[0].
        sigmas: (steps + 1,) float64, falling noise levels in units of x, the last one 0.
        generator: source of the noise, one for the batch or one per picture; or a function of (x, s, s_next) that
            gives the z of each step.
        sampler: a key of SAMPLERS.
        on_step: called after each network evaluation.
        constrain: called after each step with the state and the level it has reached; its answer takes the state's
            place. Algorithm 3 (Meng et al. 2021) puts the kept pixels back here.

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

    def evaluate(x: Tensor, s: float) -> Tensor:
        d = denoise(x, torch.full((1,), s, dtype=x.dtype, device=x.device))
        on_step(Evaluation(s, x, d))
        return d

    s_before, d_before = math.inf, x
    for s, s_next in pairwise(levels):
        d = evaluate(x, s)
        if s_next == 0:
            x_next = d
        else:
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
