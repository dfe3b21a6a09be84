"""Samplers of the reverse-time SDE: from a noised image to a clean one along given noise levels.

With the denoiser D(x; sigma), each step from a level s to a lower level s' has one form,

    x' = D + a (x - D) + c (D - D_before) + b z,    z ~ N(0, I)

where D_before belongs to the step before, from s_before to s, and a sampler is its choice of (a, b, c). Every sampler's
last step goes to s' = 0, where x' = D: no noise is added there. `sdedit.diffusion.reverse_sde` takes the steps. With
r = s'/s:

    euler-maruyama    a = r^2    b = sqrt(s^2 - s'^2)    Meng et al. 2021 (2108.01073), Algorithm 1;
                                                         'reverse diffusion' in Song et al. 2021 (2011.13456), app. E
    euler-maruyama-t  a = 1 - h  b = s sqrt(h)           of the reverse SDE in t, Song et al. 2021, equation 6, with
                                                         h = 2 ln(s/s'); unstable where h >= 1; the only one in which
                                                         the schedule plays a part, a variance-exploding one
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
from collections.abc import Callable
from dataclasses import dataclass

# Chosen on the built-in model: above this level churn costs faithfulness, below it hardly any.
CHURN, CHURN_BELOW = 3.0, 0.3  # h of er-sde-churn, and the noise level from which on it has it; before, 1

Coefficients = Callable[[float, float, float], tuple[float, float, float]]  # s_before, s, s_next -> a, b, c


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

GRIDS = ("uniform", "karras")


@dataclass(frozen=True)
class Sampling:
    """How the reverse SDE is solved.

    Attributes:
        sampler: a key of SAMPLERS.
        steps: N, the number of network evaluations, at every t0.
        grid: how they are spread over the noise levels; see `sdedit.diffusion.schedule.VESchedule.sigmas`.

    Raises:
        ValueError: if the sampler or grid is unknown, N is below 1, or `heun` is given an even N.
    """

    sampler: str
    steps: int
    grid: str

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, not {self.sampler!r}")
        if self.grid not in GRIDS:
            raise ValueError(f"grid must be one of {', '.join(GRIDS)}, not {self.grid!r}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        if self.sampler == "heun" and self.steps % 2 == 0:
            raise ValueError(f"heun takes an odd number of steps, such as {self.steps - 1} or {self.steps + 1}")

    @property
    def n_sigmas(self) -> int:
        """Noise levels above 0: N, but for `heun`, which evaluates twice in all steps but the last."""
        return (self.steps + 1) // 2 if self.sampler == "heun" else self.steps

    def __str__(self) -> str:
        return f"{self.steps} step{'' if self.steps == 1 else 's'} of {self.sampler}"


PRESETS = {
    "fast": Sampling("er-sde", 10, "karras"),
    "balanced": Sampling("er-sde-churn", 20, "karras"),
    "best": Sampling("euler-maruyama", 500, "uniform"),  # the paper's own setting
}

# What each sampler gets by default: few steps for the second order, many for the first.
DEFAULTS = {
    "euler-maruyama": Sampling("euler-maruyama", 500, "uniform"),
    "euler-maruyama-t": Sampling("euler-maruyama-t", 500, "uniform"),
    "ancestral": Sampling("ancestral", 100, "uniform"),
    "dpm-2m-sde": Sampling("dpm-2m-sde", 20, "karras"),
    "er-sde": Sampling("er-sde", 15, "karras"),
    "er-sde-churn": Sampling("er-sde-churn", 20, "karras"),
    "dpm-2m": Sampling("dpm-2m", 20, "karras"),
    "heun": Sampling("heun", 21, "karras"),
}

DEFAULT = PRESETS["balanced"]


def as_sampling(sampling: Sampling | str | None, default: Sampling = DEFAULT) -> Sampling:
    """A sampling, that of a preset or a sampler by its name, or for None the default, such as a model's own.

    Raises:
        ValueError: if there is no preset and no sampler of that name.
    """
    if isinstance(sampling, Sampling):
        return sampling
    known = {**DEFAULTS, **PRESETS}
    if sampling is not None and sampling not in known:
        raise ValueError(f"sampling must be a Sampling or one of {', '.join(known)}, not {sampling!r}")
    return default if sampling is None else known[sampling]


def resolve_sampling(
    quality: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    grid: str | None = None,
    default: Sampling = DEFAULT,
) -> Sampling:
    """What a quality or a sampler means; steps and grid given beside it take precedence.

    Args:
        quality: a key of PRESETS; None leaves the choice to the sampler.
        sampler: a key of DEFAULTS; None or "auto" is that of the quality, or the default.
        steps, grid: as in `Sampling`.
        default: where neither is given; a model's own, if it is known.

    Raises:
        ValueError: as `Sampling`, or if a quality is unknown, or quality and sampler are given.
    """
    sampler = None if sampler == "auto" else sampler
    if quality is not None and sampler is not None:
        raise ValueError("quality and sampler choose the same thing; give one of them")
    for name, known, kind in ((quality, PRESETS, "quality"), (sampler, DEFAULTS, "sampler")):
        if name is not None and name not in known:
            raise ValueError(f"{kind} must be one of {', '.join(known)}, not {name!r}")
    chosen = PRESETS[quality] if quality else DEFAULTS[sampler] if sampler else default
    return Sampling(chosen.sampler, chosen.steps if steps is None else steps, grid or chosen.grid)


@dataclass(frozen=True)
class SamplingChoice:
    """What was chosen of the sampling before the model is known, for `resolve_sampling`.

    Attributes:
        quality, sampler, steps, grid: as in `resolve_sampling`.
        like: "sdedit" for that of the official code, which takes every training level below t0.
    """

    quality: str | None = None
    sampler: str | None = None
    steps: int | None = None
    grid: str | None = None
    like: str | None = None

    @classmethod
    def of(cls, sampling: Sampling | str | None) -> SamplingChoice:
        """From what `sdedit.paint` takes.

        Raises:
            ValueError: as `as_sampling`.
        """
        if sampling is None:
            return cls()
        known = as_sampling(sampling)
        return cls(None, known.sampler, known.steps, known.grid)

    def check(self) -> None:
        """Refuse what can be refused without a model.

        Raises:
            ValueError: as `resolve_sampling`, or if two of quality, sampler and like are given.
        """
        resolve_sampling(self.quality, self.sampler, self.steps, self.grid)
        others = (self.quality, self.grid, None if self.sampler == "auto" else self.sampler)
        if self.like is not None and any(other is not None for other in others):
            raise ValueError("like sets sampler and grid; leave out quality, sampler and grid")


NO_CHOICE = SamplingChoice()
