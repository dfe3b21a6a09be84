"""A network with a detail network: the octave above that of its U-Net."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import sdedit
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.octaves import double, halve
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.diffusion.score_model import ScoreModel

SIGMAS = torch.tensor([0.02, 0.3, 5.0])


@pytest.fixture
def detailed(tiny_model: ScoreModel) -> ScoreModel:
    """The tiny model with a detail network round it, none of whose weights is zero."""
    torch.manual_seed(3)
    network = NCSNpp(replace(tiny_model.network.config, detail_blocks=2, detail_channels=16))
    network.load_state_dict(tiny_model.network.state_dict(), strict=False)
    assert network.detail is not None
    for parameter in network.detail.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    network.eval().requires_grad_(False)
    return ScoreModel(network, EDMPreconditioning(), tiny_model.schedule, 32, {"name": "detailed"})


def test_halving_and_doubling() -> None:
    noise = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert float(halve(noise).std()) == pytest.approx(0.5, abs=0.01)
    rows = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    assert torch.allclose(double(halve(rows))[..., 6:-6], rows[..., 6:-6], atol=5e-3)


def test_the_u_net_sees_half_the_size_and_half_the_noise(tiny_model: ScoreModel, detailed: ScoreModel) -> None:
    """Where the detail network is silent, D is the U-Net's D of the halved image and Wiener's of what is left."""
    silent = copy.deepcopy(detailed)
    assert silent.network.detail is not None
    for parameter in silent.network.detail.head.parameters():
        parameter.zero_()
    x = torch.rand(3, 3, 32, 48) + SIGMAS[:, None, None, None] * torch.randn(3, 3, 32, 48)
    with torch.inference_mode():
        below = tiny_model.denoise(halve(x), SIGMAS / 2)
        found = silent.denoise(x, SIGMAS)
        added = detailed.denoise(x, SIGMAS) - found
    kept = 0.07**2 / (0.07**2 + (2 * SIGMAS[:, None, None, None]) ** 2)
    plain = double(below) + kept * (x - double(halve(x)))
    assert torch.allclose(
        found, plain + (below - halve(plain)).repeat_interleave(2, 2).repeat_interleave(2, 3), atol=1e-5
    )
    # What is added is bounded by the octave's share, however much noise there is.
    assert 0 < float(added[2].std()) < 0.5


def test_an_image_halved_is_what_the_u_net_paints_alone(tiny_model: ScoreModel, detailed: ScoreModel) -> None:
    """Whatever the detail network says: samplers are linear in x, D and noise."""
    x = torch.rand(3, 3, 32, 48) + SIGMAS[:, None, None, None] * torch.randn(3, 3, 32, 48)
    with torch.inference_mode():
        assert torch.allclose(halve(detailed.denoise(x, SIGMAS)), tiny_model.denoise(halve(x), SIGMAS / 2), atol=1e-5)


def test_with_no_noise_an_image_stays(detailed: ScoreModel) -> None:
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(detailed.denoise(x, torch.tensor([1e-4])), x, atol=2e-3)


def test_above_a_level_it_is_silent(detailed: ScoreModel) -> None:
    detailed.preconditioning = EDMPreconditioning(detail_below=0.3)
    x = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        found = detailed.denoise(x, SIGMAS)
        loud = EDMPreconditioning().denoise(detailed.network, x, SIGMAS)
    assert [torch.equal(a, b) for a, b in zip(found, loud, strict=True)] == [True, False, False]
    # and on a processor not even asked, which would take a third of the time
    detailed.network.detail.forward = pytest.fail  # type: ignore[union-attr, method-assign, assignment]
    with torch.inference_mode():
        assert torch.allclose(detailed.denoise(x[1:], SIGMAS[1:]), found[1:], atol=1e-6)


def test_sizes_are_multiples_of_twice_the_u_nets(tiny_model: ScoreModel, detailed: ScoreModel) -> None:
    assert detailed.size_multiple == 2 * tiny_model.size_multiple
    guide = torch.rand(1, 3, 35, 51)
    assert sdedit.paint(detailed, guide, t0=0.5, sampling="fast").shape == guide.shape


def test_all_of_it_learns(detailed: ScoreModel) -> None:
    detailed.network.requires_grad_(True)
    x = torch.rand(2, 3, 32, 32)
    detailed.preconditioning.denoise(detailed.network, x, torch.full((2,), 0.3)).square().sum().backward()
    without = [name for name, p in detailed.network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_a_file_holds_it(detailed: ScoreModel, tmp_path: Path) -> None:
    save_checkpoint(detailed, tmp_path / "detailed.safetensors")
    again = sdedit.load_model(tmp_path / "detailed.safetensors", device="cpu", precision="fp32")
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        wanted, found = (model.denoise(x, torch.tensor([0.3])) for model in (detailed, again))
    assert torch.allclose(wanted, found, atol=1e-6)
    half = sdedit.load_model(tmp_path / "detailed.safetensors", device="cpu", precision="bf16")
    with torch.inference_mode():
        assert torch.allclose(half.denoise(x, torch.tensor([0.3])), wanted, atol=0.02)


@pytest.mark.parametrize("options", [{"detail_blocks": -1}, {"detail_blocks": 65}, {"detail_channels": 3}])
def test_impossible_ones_are_refused(tiny_model: ScoreModel, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        replace(tiny_model.network.config, **options)
