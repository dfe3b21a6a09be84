"""Sizes beyond the native one: which passes there are, what each starts from, and that the guide's detail stays."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

import sdedit
from sdedit.diffusion.algorithms import synthesise
from sdedit.diffusion.coarse_to_fine import REPAINT, pass_count, synthesise_coarse_to_fine
from sdedit.diffusion.reverse_sde import Step
from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.score_model import ScoreModel
from tests.helpers.denoisers import ClosedForm
from tests.helpers.models import sampled

SAMPLING = Sampling("ancestral", 4, "uniform")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("side", "passes"), [(8, 1), (128, 1), (136, 1), (150, 2), (256, 2), (270, 2), (384, 3)])
def test_a_pass_for_each_doubling(side: int, passes: int) -> None:
    assert pass_count(SimpleNamespace(native_size=128, size_multiple=8), side) == passes


def test_passes_grow_and_start_from_less_noise(tiny_model: ScoreModel) -> None:
    calls: list[Step] = []
    painted = sdedit.paint(tiny_model, torch.rand(2, 3, 64, 96), t0=0.5, sampling=sampled(3), on_step=calls.append)
    assert painted.shape == (2, 3, 64, 96)
    assert [tuple(call.x.shape[2:]) for call in calls] == 3 * [(16, 24)] + 2 * [(32, 48)] + 2 * [(64, 96)]
    schedule = tiny_model.schedule
    assert [call.sigma for call in (calls[0], calls[3], calls[5])] == pytest.approx(
        [schedule.sigma(0.5 * REPAINT**number) for number in range(3)]
    )


def test_one_pass_is_the_plain_algorithm(tiny_model: ScoreModel) -> None:
    guide = torch.rand(1, 3, 40, 52)
    levels = tiny_model.schedule.sigmas(0.4, 4)
    plain = synthesise(tiny_model, guide, levels, generator(), "ancestral")
    one = synthesise_coarse_to_fine(tiny_model, guide, 0.4, SAMPLING, generator(), passes=1)
    assert torch.equal(one, plain)
    several = synthesise_coarse_to_fine(tiny_model, guide, 0.4, SAMPLING, generator())
    assert not torch.allclose(several, plain)


def test_churn_in_one_pass_only(tiny_model: ScoreModel) -> None:
    guide = torch.rand(1, 3, 32, 32)

    def painted(sampler: str, passes: int) -> torch.Tensor:
        sampling = Sampling(sampler, 6, "karras")
        return synthesise_coarse_to_fine(tiny_model, guide, 0.5, sampling, generator(), passes=passes)

    assert torch.equal(painted("er-sde-churn", 2), painted("er-sde", 2))
    assert not torch.allclose(painted("er-sde-churn", 1), painted("er-sde", 1))


def test_each_pass_starts_from_the_one_before_and_the_guides_detail() -> None:
    """With nothing learnt and next to no noise the guide comes back, down to its single pixels."""
    model = ClosedForm(lambda x, sigma: x)  # takes its input for clean
    guide = 0.25 + 0.5 * torch.rand(1, 3, 64, 64)
    painted = synthesise_coarse_to_fine(model, guide, 0.001, SAMPLING, generator())
    error = (painted - guide).abs()
    assert error.max() < 6 * 0.0101 * 3**0.5 * 3  # noise of three passes at about sigma_min, enlarged twice

    calls: list[Step] = []
    synthesise_coarse_to_fine(model, guide, 0.001, SAMPLING, generator(), on_step=calls.append)
    small = torch.nn.functional.interpolate(guide, (16, 16), mode="bicubic", antialias=True)
    assert (calls[0].x - small).abs().max() < 6 * 0.0101


def test_odd_sizes_are_those_of_the_padded_guide(tiny_model: ScoreModel) -> None:
    guide = torch.rand(1, 3, 37, 50)
    padded = torch.nn.functional.pad(guide, (0, 2, 0, 3), mode="replicate")
    cut = synthesise_coarse_to_fine(tiny_model, padded, 0.3, SAMPLING, generator(), passes=2)[..., :37, :50]
    assert torch.equal(synthesise_coarse_to_fine(tiny_model, guide, 0.3, SAMPLING, generator(), passes=2), cut)


@pytest.mark.parametrize("passes", [0, -1])
def test_passes_out_of_range(tiny_model: ScoreModel, passes: int) -> None:
    with pytest.raises(ValueError, match="passes"):
        sdedit.paint(tiny_model, torch.rand(3, 16, 16), sampling=sampled(2), passes=passes)
