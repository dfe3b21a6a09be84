"""Every published configuration at full size: it loads with the published parameter count and computes the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor

from sdedit import ScoreModel, load_model
from sdedit.diffusion.preconditioning import VEIndexPreconditioning
from tests.helpers.published_files import (
    INDEX_256,
    INDEX_1024,
    OPTIONS_256,
    OPTIONS_1024,
    in_score_sde_names,
    random_unet,
    sigma_table,
    training_checkpoint,
    write_edm,
)
from tests.helpers.references import Cifar, SongUNet, Tensors


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for large files, emptied when the test ends."""
    yield tmp_path
    for file in sorted(tmp_path.rglob("*"), reverse=True):
        if file.is_file():
            file.unlink()


def parameters(model: ScoreModel) -> int:
    return sum(tensor.numel() for tensor in model.network.state_dict().values())


def difference(model: ScoreModel, x: Tensor, sigma: Tensor, network: Tensor) -> float:
    """Largest difference of the network's output, from D = x + sigma F, in units of the reference's deviation."""
    ours = (model.denoise(x, sigma) - x) / sigma[:, None, None, None]
    return ((ours - network).abs().max() / network.std()).item()


def inputs(*shape: int) -> tuple[Tensor, Tensor]:
    """Pictures with noise of two levels."""
    generator = torch.Generator().manual_seed(1)
    sigma = torch.tensor([0.4, 20.0])
    noise = torch.randn(2, 3, *shape, generator=generator)
    return torch.rand(2, 3, *shape, generator=generator) + sigma[:, None, None, None] * noise, sigma


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "options", "index", "modules", "count", "tensors", "sigma_max", "size", "shape"),
    [
        ("church", OPTIONS_256, INDEX_256, 77, 65_574_549, 644, 380.0, 256, (64, 64)),
        ("ffhq-1024", OPTIONS_1024, INDEX_1024, 70, 105_785_896, 552, 1348.0, 1024, (128, 128)),
    ],
)
def test_256_and_1024_px(
    folder: Path,
    name: str,
    options: dict,
    index: str,
    modules: int,
    count: int,
    tensors: int,
    sigma_max: float,
    size: int,
    shape: tuple[int, int],
) -> None:
    unet = random_unet(options)
    state = in_score_sde_names(unet.state_dict(), index)
    assert 1 + max(int(key.split(".")[1]) for key in state) == modules
    content = training_checkpoint(
        {key: torch.zeros_like(value) for key, value in state.items()} | {"all_modules.0.W": state["all_modules.0.W"]},
        state,
        sigma_table(sigma_max, 2000),
    )
    assert len(content["ema"]["shadow_params"]) == tensors
    torch.save(content, folder / "checkpoint_12.pth")
    unet.save_pretrained(folder / name)
    x, sigma = inputs(*shape)
    # Its embedding and its division take sigma itself.
    expected = torch.cat([unet(x[i : i + 1], sigma[i : i + 1]).sample * sigma[i] for i in range(2)])

    model = load_model(folder / "checkpoint_12.pth", precision="fp32")
    assert (parameters(model), model.native_size) == (count, size)
    assert (model.schedule.sigma_min, model.schedule.sigma_max) == (0.01, sigma_max)
    assert model.notes == ()
    assert difference(model, x, sigma, expected) < 1e-4

    again = load_model(folder / name, precision="fp32", sigma_max=sigma_max)
    assert again.network.config == model.network.config
    for key, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[key]), key


@torch.inference_mode()
@pytest.mark.parametrize(
    ("blocks", "fourier", "attention", "count", "modules", "tensors", "sigma_max", "size"),
    [
        (4, True, 1, 62_758_915, 59, 570, 50.0, 32),  # cifar10 continuous
        (8, True, 1, 107_587_075, 95, None, 50.0, 32),  # cifar10 deep continuous
        (4, False, 1, 62_693_251, 58, None, 50.0, 32),  # cifar10
        (4, False, 2, 62_693_251, 58, None, 90.0, 64),  # celeba
    ],
)
def test_cifar_and_celeba(
    folder: Path,
    blocks: int,
    fourier: bool,
    attention: int,
    count: int,
    modules: int,
    tensors: int | None,
    sigma_max: float,
    size: int,
) -> None:
    state = Tensors(seed=blocks)
    reference = Cifar(state, blocks, fourier, attention)
    x, sigma = inputs(size, size)
    grid = sigma_table(sigma_max, 1000)
    numbers = torch.tensor([700.0, 100.0])  # 0 is the highest noise
    if not fourier:
        sigma = grid[numbers.long()].float()
    expected = reference(x, sigma.log() if fourier else numbers)
    assert 1 + max(int(key.split(".")[1]) for key in state) == modules
    content = training_checkpoint(dict(state), dict(state), grid)
    assert tensors in (None, len(content["ema"]["shadow_params"]))
    torch.save(content, folder / "checkpoint.pth")
    model = load_model(folder / "checkpoint.pth", precision="fp32")
    assert (parameters(model), model.native_size, model.schedule.sigma_max) == (count, size, sigma_max)
    if not fourier:
        assert model.preconditioning == VEIndexPreconditioning(0.01, sigma_max, 1000)
    assert difference(model, x, sigma, expected) < 1e-4


@torch.inference_mode()
@pytest.mark.parametrize(("size", "multipliers"), [(32, (2, 2, 2)), (64, (1, 2, 2, 2))])
def test_edm(folder: Path, size: int, multipliers: tuple[int, ...]) -> None:
    state = Tensors(seed=size)
    reference = SongUNet(state, size, multipliers, blocks=4)
    x, sigma = inputs(size, size)
    expected = reference(2 * x - 1, (0.5 * (2 * sigma)).log())  # VEPrecond: c_noise = ln(sigma / 2) on [-1, 1]
    write_edm(folder / "network.pkl", dict(state), size=size)
    model = load_model(folder / "network.pkl", precision="fp32")
    assert model.native_size == size
    assert (model.schedule.sigma_min, model.schedule.sigma_max) == (0.01, 50.0)
    d = (2 * x - 1) + 2 * sigma[:, None, None, None] * expected
    assert difference(model, x, sigma, expected) < 1e-4
    torch.testing.assert_close(model.denoise(x, sigma), (d + 1) / 2, rtol=1e-4, atol=1e-3)


@torch.inference_mode()
def test_edm_preconditioning(folder: Path) -> None:
    state = Tensors(seed=5)
    reference = SongUNet(state, 32, (1, 1), blocks=1)
    x, sigma = inputs(32, 32)
    reference(2 * x - 1, sigma)
    write_edm(folder / "network.pkl", dict(state), "EDMPrecond", sigma_data=0.5, sigma_min=0, sigma_max=float("inf"))
    model = load_model(folder / "network.pkl", precision="fp32")
    s = 2 * sigma[:, None, None, None]
    c_in = 1 / (s**2 + 0.25).sqrt()
    f = reference(c_in * (2 * x - 1), (2 * sigma).log() / 4)
    expected = 0.25 / (s**2 + 0.25) * (2 * x - 1) + 0.5 * s * c_in * f
    torch.testing.assert_close(model.denoise(x, sigma), (expected + 1) / 2, rtol=1e-4, atol=1e-4)
    assert any("assumed" in note for note in model.notes)


@torch.inference_mode()
def test_256_px_model_runs_and_exports_at_every_multiple_of_64(folder: Path) -> None:
    from sdedit.jobs.models import convert_model

    unet = random_unet(OPTIONS_256, seed=3)
    unet.save_pretrained(folder / "church")
    (folder / "church" / "scheduler_config.json").write_text('{"sigma_min": 0.01, "sigma_max": 380}')
    model = load_model(folder / "church", precision="fp32")
    assert model.size_multiple == 64
    for shape in ((64, 64), (64, 192), (128, 64), (320, 64)):
        x, sigma = (values[:1] for values in inputs(*shape))
        assert model.denoise(x, sigma).shape == x.shape
    convert_model(model, folder / "again")
    exported = UNet2DModel.from_pretrained(folder / "again", subfolder="unet")
    for key, tensor in unet.state_dict().items():
        assert torch.equal(tensor, exported.state_dict()[key]), key
