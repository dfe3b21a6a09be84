"""Painting as a library: pictures and tensors, seeds and batches, sizes, repeats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import sdedit
from sdedit.diffusion.algorithms import synthesise
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.score_model import ScoreModel
from tests.helpers.denoisers import ideal_denoiser
from tests.helpers.images import blocks_picture
from tests.helpers.models import sampled


def test_public_names_are_there_and_others_are_not() -> None:
    for name in sdedit.__all__:
        assert getattr(sdedit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'paints'"):
        sdedit.paints  # noqa: B018


def test_picture_in_picture_out(tiny_model: ScoreModel) -> None:
    painted = sdedit.paint(tiny_model, blocks_picture(), sampling=sampled(3))
    assert isinstance(painted, Image.Image)
    assert painted.size == (19, 16)
    again = sdedit.paint(tiny_model, blocks_picture(), sampling=sampled(3))
    assert (np.asarray(painted) == np.asarray(again)).all()
    assert sdedit.paint(tiny_model, blocks_picture(), sampling=sampled(3), size=(20, 12)).size == (20, 12)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 3, 16, 20), (1, 3, 9, 13)])
def test_tensor_in_tensor_out(tiny_model: ScoreModel, shape: tuple[int, ...]) -> None:
    painted = sdedit.paint(tiny_model, torch.rand(shape), t0=0.4, sampling=sampled(3))
    assert painted.shape == shape
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_batch_is_seeded_picture_by_picture(tiny_model: ScoreModel) -> None:
    guides = torch.rand(3, 3, 16, 16)
    batch = sdedit.paint(tiny_model, guides, sampling=sampled(5), seed=4)
    for index in range(3):
        alone = sdedit.paint(tiny_model, guides[index], sampling=sampled(5), seed=4 + index)
        torch.testing.assert_close(batch[index], alone, rtol=0, atol=1 / 255)


def test_every_evaluation_is_reported(tiny_model: ScoreModel) -> None:
    calls: list[Step] = []
    painted = sdedit.paint(tiny_model, torch.rand(3, 16, 16), sampling=sampled(4), repeats=3, on_step=calls.append)
    assert [call.sigma for call in calls] == 3 * tiny_model.schedule.sigmas(0.5, 4, "karras").tolist()[:-1]
    assert torch.equal(calls[-1].denoised[0].clamp(0, 1), painted)


def test_repeats_perturb_the_last_result(tiny_model: ScoreModel) -> None:
    guide, sigmas = 0.4 + 0.2 * torch.rand(1, 3, 16, 16), tiny_model.schedule.sigmas(0.05, 4)
    generator = torch.Generator().manual_seed(0)
    twice = synthesise(tiny_model, guide, sigmas, generator, repeats=2)
    generator = torch.Generator().manual_seed(0)
    once = synthesise(tiny_model, guide, sigmas, generator)
    assert once.min() > 0  # else the clamp of a single run would change what the second starts from
    assert once.max() < 1
    torch.testing.assert_close(synthesise(tiny_model, once, sigmas, generator), twice)
    assert not torch.allclose(once, twice)


def test_edges_are_repeated_not_stretched(tiny_model: ScoreModel) -> None:
    guide = torch.rand(1, 3, 13, 18)
    padded = torch.nn.functional.pad(guide, (0, 2, 0, 3), mode="replicate")
    sigmas = tiny_model.schedule.sigmas(0.3, 4)
    cut = synthesise(tiny_model, padded, sigmas, torch.Generator().manual_seed(0))[..., :13, :18]
    assert torch.equal(synthesise(tiny_model, guide, sigmas, torch.Generator().manual_seed(0)), cut)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"t0": 0}, "t0"),
        ({"t0": 2}, "t0"),
        ({"sampling": "none"}, "sampling"),
        ({"repeats": 0}, "repeats"),
        ({"size": 64}, "final size"),
        ({"guide": torch.rand(16, 16)}, "guide tensor"),
        ({"guide": torch.rand(1, 4, 16, 16)}, "guide tensor"),
    ],
)
def test_arguments_out_of_range(tiny_model: ScoreModel, options: dict, words: str) -> None:
    guide = options.pop("guide", torch.rand(3, 16, 16))
    with pytest.raises(ValueError, match=words):
        sdedit.paint(tiny_model, guide, **{"sampling": sampled(2), **options})


def test_the_result_of_an_ideal_denoiser_is_a_sample_of_its_data() -> None:
    """With D of pixels N(0.5, 0.1^2) for the network, the reverse SDE from a flat guide has closed-form moments."""
    model = ideal_denoiser(0.5, 0.1)
    painted = sdedit.paint(model, torch.full((3, 256, 256), 0.6), t0=0.35, sampling=sampled(300, "er-sde"), passes=1)
    sigma = model.schedule.sigma(0.35)
    k = 0.01 / (0.01 + sigma**2)
    assert float(painted.mean()) == pytest.approx(0.5 + k * 0.1, abs=0.002)
    assert float(painted.std()) == pytest.approx(sigma * (k * (1 + k)) ** 0.5, rel=0.02)
