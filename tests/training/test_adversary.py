"""The adversary: what it sees, that it learns, and stages of training that have one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sdedit as package
from sdedit.training.adversary import Adversary, FeatureMaps
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.training import RECIPE, folder_of, stripes

DETAILED = RECIPE.replace('resampling = "mean"', 'resampling = "mean"\ndetail_blocks = 1\ndetail_channels = 16')
WIDE = DETAILED.replace("side = 8", "side = 40").replace("side = 16", "side = 48").replace("shrink_to = 16", "")
ADVERSARY = "[adversary]\nweight = 1.0\nrepeats = 2\n"


@pytest.fixture(scope="module")
def noisy_and_flat() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    noisy = torch.rand(8, 3, 64, 64, generator=generator)
    return noisy, noisy.mean(dim=(2, 3), keepdim=True).expand(8, 3, 64, 64)


def test_maps_are_those_at_the_four_strides() -> None:
    network = FeatureMaps()
    maps = network(torch.rand(2, 3, 64, 64))
    assert [tuple(m.shape) for m in maps] == [(2, 24, 16, 16), (2, 40, 8, 8), (2, 112, 4, 4), (2, 320, 2, 2)]
    assert network.channels == [24, 40, 112, 320]
    # The last one is what the classifier's head reads.
    full = network.network.extract_features((torch.rand(1, 3, 64, 64) - network.mean) / network.std)
    assert full.shape[1] == 1280
    x = torch.rand(1, 3, 64, 64)
    head = network.network
    again = head._swish(head._bn1(head._conv_head(network(x)[-1])))
    assert torch.allclose(again, head.extract_features((x - network.mean) / network.std), atol=1e-5)


def test_it_learns_what_a_photograph_is(noisy_and_flat: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    noisy, flat = noisy_and_flat
    maps = FeatureMaps()
    adversary = Adversary(maps(noisy), 3e-3)
    generator = torch.Generator().manual_seed(0)
    before = float(adversary.learn(*maps.look(flat, noisy, generator=generator)))
    for _ in range(30):
        after = float(adversary.learn(*maps.look(flat, noisy, generator=generator)))
    assert after < 0.5 * before
    with torch.no_grad():
        good, bad = (float(adversary.realism(seen)) for seen in maps.look(noisy, flat, generator=generator))
    assert good > 0 > bad


def test_distances(noisy_and_flat: tuple[torch.Tensor, torch.Tensor]) -> None:
    noisy, flat = noisy_and_flat
    maps = FeatureMaps()
    adversary = Adversary(maps(noisy), 1e-3)
    near_by = noisy + 0.05 * torch.randn(noisy.shape)
    same, near, flattened = maps.look(noisy, near_by, flat, generator=torch.Generator().manual_seed(0))
    assert float(adversary.distance(same, same)) == 0
    assert 0 < float(adversary.distance(same, near)) < float(adversary.distance(same, flattened))


def test_a_detail_network_is_trained_round_a_model(sdedit: Command, tmp_path: Path) -> None:
    """Its U-Net stays what it was, the run goes on after a stop, and the model paints."""
    photographs = folder_of(tmp_path / "photographs", 24)
    (tmp_path / "base.toml").write_text(RECIPE.replace("pictures = 600", "pictures = 40"))
    (tmp_path / "detail.toml").write_text(
        WIDE.replace("[optimiser]", '[optimiser]\ntrains = "detail"')
        .replace("pictures = 600", "pictures = 40")
        .replace("size = 16", "size = 32")
        + ADVERSARY
    )
    run = sdedit("train", tmp_path / "base.toml", "--data", photographs, "-o", tmp_path / "base")
    assert run.returncode == 0, run.stderr
    base = tmp_path / "base" / "model.safetensors"
    stage = ("train", tmp_path / "detail.toml", "--data", photographs, "--start", base, "-o", tmp_path / "detail")
    run = sdedit(*stage)
    assert run.returncode == 0, run.stderr
    there = package.load_model(tmp_path / "detail" / "model.safetensors", device="cpu", precision="fp32")
    before = package.load_model(base, device="cpu", precision="fp32").network.state_dict()
    after = there.network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert there.network.detail is not None
    assert any(p.any() for p in there.network.detail.head.parameters())
    assert there.card["training"]["adversary"]["weight"] == 1.0

    (tmp_path / "detail.toml").write_text(
        (tmp_path / "detail.toml").read_text().replace("pictures = 40", "pictures = 60")
    )
    run = sdedit("train", tmp_path / "detail.toml", "--data", photographs, "-o", tmp_path / "detail", "--resume")
    assert run.returncode == 0, run.stderr
    again = package.load_model(tmp_path / "detail" / "model.safetensors", device="cpu", precision="fp32")
    assert again.card["training"]["pictures"] >= 60
    painted = package.paint(again, stripes(0, 64, 56), t0=0.5, sampling="fast", size=32)
    assert painted.size == (37, 32)


def test_paintings_are_led_towards_photographs(sdedit: Command, tmp_path: Path) -> None:
    photographs, painted = folder_of(tmp_path / "photographs", 24), folder_of(tmp_path / "painted", 24, blurred=True)
    wide = RECIPE.replace("side = 8", "side = 40").replace("side = 16", "side = 48").replace("shrink_to = 16", "")
    (tmp_path / "base.toml").write_text(RECIPE.replace("pictures = 600", "pictures = 40"))
    (tmp_path / "recipe.toml").write_text(wide.replace("pictures = 600", "pictures = 60") + ADVERSARY + "below = 0.3\n")
    assert sdedit("train", tmp_path / "base.toml", "--data", photographs, "-o", tmp_path / "base").returncode == 0
    base = tmp_path / "base" / "model.safetensors"
    run = sdedit(
        *("train", tmp_path / "recipe.toml", "--data", photographs, "--painted", painted),
        *("--start", base, "-o", tmp_path / "run"),
    )
    assert run.returncode == 0, run.stderr
    training = package.load_model(tmp_path / "run" / "model.safetensors", device="cpu").card["training"]
    assert (training["adversary"]["below"], training["adversary"]["repeats"]) == (0.3, 2)
    assert "contrast" not in training


def test_stopped_and_resumed_equals_uninterrupted(sdedit: Command, tmp_path: Path) -> None:
    """Bit for bit: all that an adversary draws comes from the run's generator."""
    photographs, recipe = folder_of(tmp_path / "photographs", 24), tmp_path / "recipe.toml"
    wide = RECIPE.replace("side = 8", "side = 40").replace("side = 16", "side = 48").replace("shrink_to = 16", "")
    # No decay, so that the batches of half a budget are the first half of those of a whole one.
    wide = wide.replace("warmup = 5", "warmup = 5\ndecay_from = 0.99") + ADVERSARY
    for folder, budgets in (("whole", (80,)), ("parts", (40, 80))):
        for number, pictures in enumerate(budgets):
            recipe.write_text(wide.replace("pictures = 600", f"pictures = {pictures}"))
            words = ("train", recipe, "--data", photographs, "-o", tmp_path / folder)
            result = sdedit(*words, *(["--resume"] if number else []))
            assert result.returncode == 0, result.stderr
    whole, parts = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "parts"))
    assert all(torch.equal(tensor, parts["tensors"][name]) for name, tensor in whole["tensors"].items())
    assert torch.equal(whole["generator"], parts["generator"])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("[adversary]\nweight = -1", "weight"),
        ("[adversary]\nweight = 1\nrepeats = 0", "repeats"),
        ("[adversary]\nweight = 1\nbelow = 0", "below"),
    ],
)
def test_recipes_that_cannot_be(sdedit: Command, tmp_path: Path, options: str, word: str) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE + options)
    result = sdedit("train", tmp_path / "recipe.toml", "--data", tmp_path, "-o", tmp_path / "run")
    fails_in_one_sentence(result, "recipe.toml", word)


def test_a_detail_network_must_be_there_to_be_trained(sdedit: Command, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("[optimiser]", '[optimiser]\ntrains = "detail"'))
    result = sdedit("train", tmp_path / "recipe.toml", "--data", tmp_path, "-o", tmp_path / "run")
    fails_in_one_sentence(result, "recipe.toml", "detail")


def test_every_pixel_is_looked_at() -> None:
    """Also those of the first and last rows and columns, whatever is cut."""
    maps = FeatureMaps()
    with torch.enable_grad():
        images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
        generator = torch.Generator().manual_seed(0)
        seen = sum(m.square().sum() for _ in range(40) for m in maps.look(images, generator=generator)[0])
        (slope,) = torch.autograd.grad(seen, images)
    assert (slope.abs().sum(dim=1) > 0).all()
