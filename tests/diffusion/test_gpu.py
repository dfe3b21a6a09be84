"""What runs on a GPU only: its kernels, here without one by Triton's interpreter, and the network with them."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.nn import functional as F

from sdedit import paint
from sdedit.diffusion.kernels import triton_ops
from sdedit.diffusion.layers.resample import FIRDown, FIRUp
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning
from tests.helpers.gpu import DEVICE, SHAPES, TOLERANCES, assert_close, channels_last, needs_gpu
from tests.helpers.models import CHURCH_CUT_SMALL, OPTIONS, SIZES, make_tiny_model, randomise

pytest.importorskip("triton", reason="the kernels are Triton's")


@pytest.mark.parametrize("small", [1, 1 << 20])
@pytest.mark.parametrize(("silu", "shifts"), [(True, "none"), (False, "one"), (True, "one each")])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_norm_silu_is_normalisation_and_activation(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    silu: bool,
    shifts: str,
    small: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(triton_ops, "_SMALL", small)
    x = channels_last(*shape, dtype=dtype) * 3 + 5
    weight, bias = channels_last(1, shape[1], 1, 2, dtype=dtype)[0, :, 0].T.contiguous()
    before = channels_last(1, 2 * shape[1], 1, 1, dtype=dtype)[0, shape[1] :, 0, 0]
    shift = channels_last(shape[0] if shifts == "one each" else 1, shape[1], 2, 2)[:, :, 0, 0]
    y = triton_ops.norm_silu(x, weight, bias, 4, 1e-6, silu, (before, shift) if shifts != "none" else None)
    moved = x.double() + (before.double() + shift)[:, :, None, None] if shifts != "none" else x.double()
    expected = F.group_norm(moved, 4, weight.double(), bias.double(), 1e-6)
    assert_close(y, F.silu(expected) if silu else expected)


@pytest.mark.parametrize("small", [1, 1 << 20])
def test_norm_silu_keeps_its_digits_far_from_zero(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_ops, "_SMALL", small)
    x = channels_last(1, 16, 64, 64) + 100
    y = triton_ops.norm_silu(x, x.new_ones(16), x.new_zeros(16), 4, 1e-6, False, None)
    torch.testing.assert_close(y, F.group_norm(x.double(), 4, eps=1e-6).float(), rtol=1e-3, atol=1e-3)


def test_norm_silu_at_extreme_activations() -> None:
    x, bias = channels_last(1, 4, 3, 3), torch.tensor([-300.0, -80.0, 80.0, 1e30], device=DEVICE)
    y = triton_ops.norm_silu(x, x.new_ones(4), bias, 1, 1e-6, True, None)
    torch.testing.assert_close(y, F.silu(F.group_norm(x, 1, None, bias)), rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_finish_scales_and_adds(shape: tuple[int, ...], dtype: torch.dtype, added: bool) -> None:
    h, bias = channels_last(*shape, dtype=dtype), channels_last(1, shape[1], 1, 1, dtype=dtype)[0, :, 0, 0]
    residual = channels_last(*shape[:2], shape[3], shape[2], dtype=dtype).mT if added else None
    expected = 0.7 * (h.double() + bias.double()[:, None, None])
    assert_close(
        triton_ops.scale_bias_add(h, 0.7, bias, residual), expected if residual is None else expected + residual
    )


@pytest.mark.parametrize(("stride", "padding"), [(2, 1), (1, 2)])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", [(1, 3, 4, 2), (2, 12, 10, 6), (1, 300, 4, 16)])
def test_filters_are_those_of_the_plain_network(
    shape: tuple[int, ...], dtype: torch.dtype, stride: int, padding: int
) -> None:
    x = channels_last(*shape, dtype=dtype)
    with torch.enable_grad():  # with which kernels take nothing
        down, up = FIRDown(padding, stride).to(DEVICE)(x.float()), FIRUp()(x.float())
    assert_close(triton_ops.fir_down(x, stride, padding), down)
    assert_close(triton_ops.fir_up(x), up)


@needs_gpu
def test_kernels_work_on_this_gpu() -> None:
    with torch.no_grad():
        assert triton_ops.supports(channels_last(1, 16, 4, 4))


@needs_gpu
@pytest.mark.parametrize("config", [CHURCH_CUT_SMALL, *(NetworkConfig(**{**SIZES, **options}) for options in OPTIONS)])
def test_the_network_is_that_on_a_cpu(config: NetworkConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    network = NCSNpp(config)
    randomise(network)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, config.image_channels, config.size_multiple, 2 * config.size_multiple, generator=generator)
    label = torch.tensor([0.3, -1.0])
    with torch.no_grad():
        expected = network(x, label)
        network.to(DEVICE).to(memory_format=torch.channels_last)
        y = network(x.to(DEVICE), label.to(DEVICE)).cpu()
    torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


@needs_gpu
def test_evaluations_replayed_are_those_made_one_by_one() -> None:
    model, generator = make_tiny_model(), torch.Generator().manual_seed(1)
    model.network.to(DEVICE).to(memory_format=torch.channels_last)

    def check(batch: int, side: int, sigmas: int) -> None:
        x = torch.randn(batch, 3, side, side, generator=generator).to(DEVICE)
        sigma = torch.rand(sigmas, generator=generator).to(DEVICE) + 0.1
        with torch.no_grad():
            expected = model.preconditioning.denoise(model.network, x, sigma)
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                torch.testing.assert_close(model.denoise(x, sigma), expected, rtol=1e-4, atol=1e-4)

    for _ in range(3):
        check(1, 16, 1)
        check(4, 16, 4)
        check(4, 16, 1)
        check(2, 32, 1)
    for parameter in model.network.parameters():  # in place, as in training
        parameter.data.mul_(0.9)
    check(1, 16, 1)
    model.preconditioning = EDMPreconditioning(0.3)
    check(1, 16, 1)
    model.network.cast_body(torch.bfloat16)  # elsewhere
    x = torch.randn(1, 3, 16, 16, generator=generator).to(DEVICE)
    with torch.no_grad():
        one_by_one = model.preconditioning.denoise(model.network, x, torch.ones(1, device=DEVICE))
        torch.testing.assert_close(model.denoise(x, torch.ones(1, device=DEVICE)), one_by_one, rtol=0, atol=0.02)
        model.denoise(x, torch.ones(1, device=DEVICE))
    for side in range(16, 16 + 4 * 20, 4):  # more shapes than are kept
        with torch.no_grad():
            d = model.denoise(torch.zeros(1, 3, side, 16, device=DEVICE), torch.ones(1, device=DEVICE))
        assert d.isfinite().all()


def test_a_model_can_be_copied_and_sent_to_another_process() -> None:
    model, x, sigma = make_tiny_model(), torch.rand(1, 3, 16, 16), torch.ones(1)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other.denoise(x, sigma), model.denoise(x, sigma))


@needs_gpu
def test_threads_share_a_model() -> None:
    model = make_tiny_model()
    model.network.to(DEVICE).to(memory_format=torch.channels_last)
    sigma = torch.ones(1, device=DEVICE)
    xs = [torch.full((1, 3, 16, 16), value, device=DEVICE) for value in torch.linspace(0, 1, 50).tolist()]

    def denoise(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return model.denoise(x, sigma).cpu()

    one_by_one = [denoise(x) for x in xs]
    with ThreadPoolExecutor(8) as threads:
        for d, expected in zip(threads.map(denoise, xs), one_by_one, strict=True):
            torch.testing.assert_close(d, expected, rtol=0, atol=1e-5)


@needs_gpu
def test_an_evaluation_without_memory_for_its_graph() -> None:
    model = make_tiny_model()
    model.network.to(DEVICE).to(memory_format=torch.channels_last)
    x, sigma = torch.rand(64, 3, 256, 256, device=DEVICE), torch.ones(1, device=DEVICE)
    _, total = torch.cuda.mem_get_info()
    try:
        with torch.no_grad():
            expected = model.preconditioning.denoise(model.network, x, sigma).cpu()
            model.denoise(x[:2], sigma)
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            model.preconditioning.denoise(model.network, x, sigma)
            room = torch.cuda.max_memory_allocated() + (64 << 20)
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(room / total)
            for _ in range(3):  # compared elsewhere, where there is the memory to
                torch.testing.assert_close(model.denoise(x, sigma).cpu(), expected, rtol=1e-3, atol=1e-3)
            torch.cuda.set_per_process_memory_fraction(0.5 * room / total)
            with pytest.raises(torch.OutOfMemoryError):
                model.preconditioning.denoise(model.network, torch.cat([x, x]), sigma)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    with torch.no_grad():
        torch.testing.assert_close(model.denoise(x, sigma).cpu(), expected, rtol=1e-3, atol=1e-3)


@needs_gpu
def test_painting_is_that_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    model, guide = make_tiny_model(), torch.rand(1, 3, 16, 16)
    expected = paint(model, guide, 0.5, seed=3)
    model.network.to(DEVICE).to(memory_format=torch.channels_last)
    torch.testing.assert_close(paint(model, guide, 0.5, seed=3).cpu(), expected, rtol=0, atol=2e-3)
