"""The optimiser against torch's own, its averages against their definition, and the flat tensor parameters lie in."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.training.config import OptimiserConfig
from sdedit.training.ema import gamma_of, weight_of_last
from sdedit.training.muon import orthogonalise
from sdedit.training.optimiser import Optimiser
from sdedit.training.parameters import FlatParameters
from tests.helpers.models import randomise


def small_network() -> nn.Sequential:
    """Convolutions of like and unlike shapes, wide and tall as matrices, too small for one, and other parameters."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.Conv2d(32, 40, 3, padding=1),
        nn.GroupNorm(4, 40),
        nn.Conv2d(40, 120, 1),
        nn.Conv2d(120, 32, 1),
        nn.Conv2d(32, 40, 3, padding=1),
    )


def loss_of(network: nn.Module, seed: int = 0) -> Tensor:
    x = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    weights = torch.linspace(-1, 1, 40)[:, None, None]
    return (network(x) * weights).square().mean() + 0.1 * network(x).sum()


def test_a_network_is_the_same_on_flat_parameters() -> None:
    network, plain = small_network(), small_network()
    parameters = FlatParameters(network)
    torch.testing.assert_close(loss_of(network), loss_of(plain))
    parameters.differentiate(loss_of(network))
    loss_of(plain).backward()
    total = torch.stack([parameter.grad.square().sum() for parameter in plain.parameters()]).sum()
    assert float(parameters.gradient.square().sum()) == pytest.approx(float(total), rel=1e-5)
    copied = small_network()
    parameters.attach(copied, parameters.gradient.clone())
    for (name, parameter), found in zip(plain.named_parameters(), copied.parameters(), strict=True):
        torch.testing.assert_close(found.data, parameter.grad, msg=name)
    assert [(m.count, m.rows, m.columns) for m in parameters.matrices] == [
        (1, 32, 120), (2, 40, 288), (1, 120, 40),
    ]  # fmt: skip


def test_convolutions_in_bfloat16_have_masters_in_float32() -> None:
    network, plain = small_network(), small_network()
    parameters = FlatParameters(network, torch.bfloat16)
    assert [p.dtype for p in network[1].parameters()] == [torch.bfloat16, torch.float32]
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last)
    parameters.values.mul_(1.0009765625)  # 2^-10: less than bfloat16 tells apart
    parameters.values.mul_(1.0009765625)
    network[2].weight.data.add_(0)
    expected = (plain[1].weight * 1.0009765625**2).bfloat16()
    assert not torch.equal(network[1].weight, expected)
    parameters.refresh()
    assert torch.equal(network[1].weight, expected)
    torch.testing.assert_close(network[2].weight, plain[2].weight * 1.0009765625**2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 32, 288), (2, 120, 40), (1, 48, 48)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalise(matrices, dtype).float()
    values = torch.linalg.svdvals(found)
    assert 0.5 < float(values.min()) < float(values.max()) < 1.3
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    # The same singular vectors: along the polar factor U V^T each is stretched by its singular value alone.
    turned = u.mT @ found @ vh.mT
    torch.testing.assert_close(
        turned - torch.diag_embed(turned.diagonal(dim1=1, dim2=2)), 0 * turned, rtol=0, atol=0.05
    )


def test_steps_are_those_of_torch() -> None:
    config = OptimiserConfig(muon=0.02, adam=0.01, warmup=0, clip=1e9, ema=(0.1,))
    network, plain, gradient = small_network(), small_network().to(memory_format=torch.channels_last), small_network()
    optimiser = Optimiser(FlatParameters(network), config, torch.bfloat16)
    optimiser.parameters.attach(gradient, optimiser.parameters.gradient)

    def as_matrix(convolution: Tensor) -> Tensor:
        return convolution.detach().permute(0, 2, 3, 1).flatten(1)

    large = [p for p in plain.parameters() if p.dim() == 4 and min(p.shape[:2]) >= 32]
    others = [p for p in plain.parameters() if all(p is not other for other in large)]
    matrices = [nn.Parameter(as_matrix(p)) for p in large]  # views
    muon = torch.optim.Muon(matrices, config.muon, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(others, config.adam, betas=(0.9, 0.99), weight_decay=0.0)

    generator = torch.Generator().manual_seed(0)
    for batch in range(5):
        for ours, theirs in zip(gradient.parameters(), plain.parameters(), strict=True):
            theirs.grad = torch.randn(theirs.shape, generator=generator)
            ours.data.copy_(theirs.grad)
        for matrix, convolution in zip(matrices, large, strict=True):
            assert convolution.grad is not None
            matrix.grad = as_matrix(convolution.grad)
        muon.step()
        adam.step()
        optimiser.plan(batch, 0.0)
        optimiser.step()
    before = dict(small_network().named_parameters())
    for (name, found), expected in zip(network.named_parameters(), plain.parameters(), strict=True):
        moved = (expected - before[name]).detach()
        # bfloat16 rounds its sums in other places.
        tolerance = 0.03 * float(moved.abs().max()) if moved.dim() == 4 else 1e-6
        torch.testing.assert_close(found - before[name], moved, rtol=0, atol=tolerance, msg=name)
        assert float(moved.square().mean().sqrt()) > 0.005


def test_gradients_are_clipped_as_torch_clips_them() -> None:
    network, plain = small_network(), small_network()
    optimiser = Optimiser(FlatParameters(network), OptimiserConfig(clip=0.01), torch.float32)
    optimiser.parameters.differentiate(loss_of(network))
    optimiser.plan(0, 0.0)
    optimiser.step()
    loss_of(plain).backward()
    nn.utils.clip_grad_norm_(plain.parameters(), 0.01)
    assert float(optimiser.parameters.gradient.norm()) == pytest.approx(0.01, rel=1e-3)
    copied = small_network()
    optimiser.parameters.attach(copied, optimiser.parameters.gradient)
    for found, parameter in zip(copied.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.data, parameter.grad, rtol=1e-4, atol=1e-8)


def test_every_parameter_moves_at_the_planned_rate() -> None:
    network = small_network()
    config = OptimiserConfig(muon=0.01, adam=0.02, warmup=4, decay_from=0.5)
    optimiser = Optimiser(FlatParameters(network), config, torch.float32)

    def step(batches_done: int, used: float) -> dict[str, Tensor]:
        before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        optimiser.parameters.differentiate(loss_of(network))
        optimiser.plan(batches_done, used)
        optimiser.step()
        return {name: parameter.detach() - before[name] for name, parameter in network.named_parameters()}

    norm = float(step(4, 0.0)["1.weight"].norm())
    assert norm == pytest.approx(0.2 * 0.01 * 40**0.5 * 288**0.5, rel=0.3)  # a root mean square of 0.2 times the rate
    # Warm-up and decay scale it.
    assert float(step(0, 0.0)["1.weight"].norm()) / norm == pytest.approx(0.25, rel=0.1)
    assert float(step(9, 0.75)["1.weight"].norm()) / norm == pytest.approx(0.5, rel=0.1)
    assert float(step(9, 1.0)["1.weight"].norm()) == 0


@pytest.mark.parametrize("length", [0.02, 0.1, 0.25])
def test_gamma_belongs_to_the_length(length: float) -> None:
    gamma = gamma_of(length)
    # EDM2, section 3.1: the standard deviation of the density (gamma + 1) t^gamma on [0, 1].
    mean, square = (gamma + 1) / (gamma + 2), (gamma + 1) / (gamma + 3)
    assert (square - mean**2) ** 0.5 == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize("length", [0.05, 0.2])
def test_an_average_weighs_each_step_by_its_power(length: float) -> None:
    shares = torch.zeros(400, dtype=torch.float64)
    for batches in range(1, 401):
        last = weight_of_last(length, batches)
        shares *= 1 - last
        shares[batches - 1] += last
    times = torch.arange(1, 401) / 400
    mean = (shares * times).sum()
    assert float(shares.sum()) == pytest.approx(1)
    assert float((shares * (times - mean) ** 2).sum().sqrt()) == pytest.approx(length, rel=0.02)
    power = (times - 1 / 800) ** gamma_of(length)
    torch.testing.assert_close(shares[50:], (power / power.sum())[50:].double(), rtol=0.02, atol=1e-6)


def test_averages_are_kept_side_by_side() -> None:
    network = small_network()
    optimiser = Optimiser(FlatParameters(network), OptimiserConfig(warmup=0, ema=(0.05, 0.25)), torch.float32)
    history, values = [], optimiser.parameters.values
    for batch in range(6):
        optimiser.parameters.differentiate(loss_of(network, batch))
        optimiser.plan(batch, 0.0)
        optimiser.step()
        history.append(values.clone())
    for length, average in zip((0.05, 0.25), optimiser.averages, strict=True):
        expected = history[0]
        for batches, weights in enumerate(history, 1):
            expected = expected.lerp(weights, weight_of_last(length, batches))
        torch.testing.assert_close(average, expected)
    assert not torch.equal(*optimiser.averages)


def test_the_whole_network_learns_in_bfloat16_as_in_float32() -> None:
    torch.manual_seed(0)
    plain = NCSNpp(NetworkConfig(32, (32, 32), (1, 1), patch=2, resampling="mean", fourier_scale=1.0))
    randomise(plain)
    losses = {}
    for dtype in (torch.float32, torch.bfloat16):
        network = copy.deepcopy(plain)
        optimiser = Optimiser(FlatParameters(network, dtype), OptimiserConfig(warmup=0), dtype)
        generator = torch.Generator().manual_seed(0)
        losses[dtype] = []
        for batch in range(30):
            y = torch.rand(4, 1, 1, 1, generator=generator).expand(4, 3, 16, 16)
            x = y + torch.randn(4, 3, 16, 16, generator=generator)
            loss = F.mse_loss(network(x, torch.zeros(4)).float(), y)
            optimiser.parameters.differentiate(loss)
            optimiser.plan(batch, 0.0)
            optimiser.step()
            losses[dtype].append(float(loss.detach()))
    for found in losses.values():
        assert found[-1] < 0.3 * found[0]
    assert losses[torch.bfloat16][-1] == pytest.approx(losses[torch.float32][-1], rel=0.3)
