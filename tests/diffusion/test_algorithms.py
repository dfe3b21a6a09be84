"""Algorithm 3: what is kept, what is free, when grey pixels start, and the distribution inside the mask."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from sdedit.checkpoints.load import load_model
from sdedit.diffusion.algorithms import Denoiser, inpaint, start_levels, synthesise
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import SAMPLERS
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel
from tests.helpers.denoisers import ClosedForm

MEAN, STD, CORRELATION = 0.5, 0.2, 0.8


def gain(s2: float, correlation: float = CORRELATION) -> tuple[float, float]:
    """The entries of Cov (Cov + s2 I)^-1 for two pixels: by what a pixel's own value counts, and the other one's."""
    a, b = STD**2, correlation * STD**2
    determinant = (a + s2) ** 2 - b**2
    return (a * (a + s2) - b * b) / determinant, b * s2 / determinant


def gaussian_pairs(correlation: float) -> ClosedForm:
    """The exact denoiser of pictures whose left and right halves are correlated pixel by pixel.

    Each pixel is N(MEAN, STD^2); a pixel and the one half a width to its right have this correlation.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        left, right = (half - MEAN for half in x.chunk(2, dim=3))
        own, other = gain(float(sigma) ** 2, correlation)
        return MEAN + torch.cat([own * left + other * right, own * right + other * left], dim=3)

    return ClosedForm(denoise)


@pytest.fixture
def gaussian() -> ClosedForm:
    return gaussian_pairs(CORRELATION)


def half_mask(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., : width // 2] = 1
    return mask


@pytest.mark.parametrize("sampler", ["euler-maruyama", "ancestral"])
@pytest.mark.parametrize("t0", [0.35, 0.6])
def test_a_half_mask_gives_the_moments_of_algorithm_3(gaussian: ClosedForm, sampler: str, t0: float) -> None:
    """Each step is linear in the free pixel, the kept one and their noises, so that the moments are known exactly."""
    painted, kept, steps = 0.9, 0.2, 30
    source = torch.cat([torch.full((1, 3, 200, 200), painted), torch.full((1, 3, 200, 200), kept)], dim=3)
    levels = gaussian.schedule.sigmas(t0, steps)
    free = _run_unclamped(gaussian, source, half_mask(200, 400), levels, sampler)[..., :200]

    mean, variance = painted - MEAN, float(levels[0]) ** 2
    for s, s_next in itertools.pairwise(levels.tolist()):
        own, other = gain(s**2)
        a, b, _ = SAMPLERS[sampler](math.inf, s, s_next) if s_next > 0 else (0.0, 0.0, 0.0)
        mean = (own + a * (1 - own)) * mean + (1 - a) * other * (kept - MEAN)
        # The kept pixel's noise is fresh, and so independent of what the free one has become.
        variance = (own + a * (1 - own)) ** 2 * variance + ((1 - a) * other * s) ** 2 + b**2
    assert float(free.mean()) == pytest.approx(MEAN + mean, abs=0.003)
    assert float(free.std()) == pytest.approx(math.sqrt(variance), rel=0.02)


@pytest.mark.parametrize("sampler", ["ancestral", "dpm-2m-sde", "er-sde"])
def test_free_pixels_that_do_not_depend_on_kept_ones_are_plain_synthesis(sampler: str) -> None:
    gaussian = gaussian_pairs(0.0)
    source = torch.full((1, 3, 200, 400), 0.7)
    free = _run_unclamped(gaussian, source, half_mask(200, 400), gaussian.schedule.sigmas(0.45, 100), sampler)[
        ..., :200
    ]
    sigma = gaussian.schedule.sigma(0.45)
    k = STD**2 / (STD**2 + sigma**2)
    assert float(free.mean()) == pytest.approx(MEAN + k * (0.7 - MEAN), abs=0.005)
    assert float(free.std()) == pytest.approx(sigma * math.sqrt(k * (1 + k)), rel=0.02)


def _run_unclamped(model: Denoiser, source: Tensor, mask: Tensor, levels: Tensor, sampler: str) -> Tensor:
    """The last D, before values are clamped to [0, 1], which would change the moments."""
    last: list[Tensor] = []
    generator = torch.Generator().manual_seed(0)
    inpaint(model, source, mask, levels, generator, sampler, on_step=lambda step: last.append(step.denoised))
    return last[-1]


def test_kept_pixels_are_the_source_exactly(tiny_model: ScoreModel) -> None:
    source = torch.rand(2, 3, 13, 18)
    mask = half_mask(13, 18).repeat(2, 1, 1, 1)
    edited = inpaint(tiny_model, source, mask, tiny_model.schedule.sigmas(0.6, 5), torch.Generator().manual_seed(0))
    kept = mask[:, 0] == 0
    assert torch.equal(edited.movedim(1, -1)[kept], source.movedim(1, -1)[kept])
    assert (edited - source).abs()[..., :9].mean() > 0.01


def test_kept_pixels_have_fresh_noise_of_the_level_just_reached(gaussian: ClosedForm) -> None:
    source = torch.full((1, 3, 100, 200), 0.3)
    seen: list[Step] = []
    levels = gaussian.schedule.sigmas(0.6, 8)
    inpaint(gaussian, source, half_mask(100, 200), levels, torch.Generator().manual_seed(0), on_step=seen.append)
    noises = [(step.x - source)[..., 100:] / step.sigma for step in seen]
    for noise in noises:
        assert float(noise.mean()) == pytest.approx(0, abs=0.02)
        assert float(noise.std()) == pytest.approx(1, rel=0.02)
    for before, after in itertools.pairwise(noises):
        assert abs(float((before * after).mean())) < 0.02


@pytest.mark.parametrize("m", [0.2, 0.5, 128 / 255, 0.9])
def test_grey_pixels_start_at_their_own_t0(gaussian: ClosedForm, m: float) -> None:
    """Until the level has fallen to sigma(m t0) a pixel is source + sigma z; after that the model has it."""
    source = torch.full((1, 3, 100, 200), 0.9)
    mask = torch.where(half_mask(100, 200) == 1, 1.0, m)
    levels = gaussian.schedule.sigmas(0.6, 12)
    seen: list[Step] = []
    inpaint(gaussian, source, mask, levels, torch.Generator().manual_seed(0), on_step=seen.append)
    start = gaussian.schedule.sigma(m * 0.6)
    kept = [abs(float(e.x[..., 100:].mean()) - 0.9) < 4 * e.sigma / math.sqrt(30_000) for e in seen]
    assert kept == [e.sigma >= levels[0] or e.sigma > start for e in seen]


def test_the_built_in_model_keeps_and_starts_where_the_mask_says() -> None:
    """Black pixels come back as they were; they get fresh noise at every level, grey ones down to their own."""
    model = load_model()
    source = 0.2 + 0.6 * torch.rand(1, 3, 61, 96, generator=torch.Generator().manual_seed(1))
    mask = torch.cat([torch.full((1, 1, 61, 32), value) for value in (0.0, 0.8, 1.0)], dim=3)
    levels = model.schedule.sigmas(0.6, 8)
    seen: list[Step] = []
    edited = inpaint(model, source, mask, levels, torch.Generator().manual_seed(0), "ancestral", on_step=seen.append)
    assert torch.equal(edited[..., :32], source[..., :32])
    assert (edited - source).abs()[..., 32:64].mean() > 0.01
    assert (edited - source).abs()[..., 64:].mean() > 0.05

    noises = [(step.x[..., :61, :] - source) / step.sigma for step in seen]
    kept, grey = (
        [
            abs(float((before * after)[..., left : left + 32].mean())) < 0.06
            for before, after in itertools.pairwise(noises)
        ]
        for left in (0, 32)
    )
    assert all(kept)
    start = model.schedule.sigma(0.8 * 0.6)
    assert grey == [step.sigma > start * 1.000001 for step in seen[1:]]
    assert True in grey
    assert False in grey


def test_start_levels() -> None:
    schedule = VESchedule()
    mask = torch.tensor([0.0, 0.25, 1.0])
    sigma = schedule.sigma(0.45)
    expected = [0.0, schedule.sigma(0.45 / 4), sigma]
    assert start_levels(schedule, mask, sigma).tolist() == pytest.approx(expected, rel=1e-9)
    assert float(start_levels(schedule, mask, sigma)[2]) == sigma


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_white_mask_is_synthesis(tiny_model: ScoreModel, repeats: int) -> None:
    source, levels = torch.rand(1, 3, 13, 18), tiny_model.schedule.sigmas(0.5, 5)
    edited = inpaint(
        tiny_model, source, torch.ones(1, 1, 13, 18), levels, torch.Generator().manual_seed(3), "dpm-2m-sde", repeats
    )
    painted = synthesise(tiny_model, source, levels, torch.Generator().manual_seed(3), "dpm-2m-sde", repeats)
    assert torch.equal(edited, painted)


def test_repeats_start_from_the_result_and_keep_what_is_kept(tiny_model: ScoreModel) -> None:
    source, mask, levels = torch.rand(1, 3, 16, 16), half_mask(16, 16), tiny_model.schedule.sigmas(0.4, 4)
    seen: list[Step] = []
    edited = inpaint(tiny_model, source, mask, levels, torch.Generator().manual_seed(0), repeats=2, on_step=seen.append)
    assert len(seen) == 8
    again = (seen[4].x - seen[3].denoised)[..., :8] / seen[4].sigma  # the free half: noise on the first result
    assert float(again.std()) == pytest.approx(1, rel=0.1)
    assert torch.equal(edited[..., 8:], source[..., 8:])


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.ones(1, 1, 8, 16), "one channel"),
        (torch.ones(1, 3, 16, 16), "one channel"),
        (torch.ones(16, 16), "one channel"),
        (2 * torch.ones(1, 1, 16, 16), r"\[0, 1\]"),
        (torch.full((1, 1, 16, 16), math.nan), r"\[0, 1\]"),
    ],
)
def test_masks_that_do_not_fit(tiny_model: ScoreModel, mask: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inpaint(tiny_model, torch.rand(1, 3, 16, 16), mask, tiny_model.schedule.sigmas(0.5, 2), torch.Generator())
