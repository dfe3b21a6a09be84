"""The faster ways to evaluate a network on a CPU against the plain ones, which have gradients."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import torch._inductor.config
from torch.nn import functional as F

from sdedit.diffusion.device import compile_network
from sdedit.diffusion.kernels import build, group_norm_silu, winograd
from sdedit.diffusion.layers.conv2d import Conv2d
from sdedit.diffusion.layers.group_norm import GroupNormSiLU
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from tests.helpers.models import CHURCH_CUT_SMALL, OPTIONS, SIZES, randomise
from tests.helpers.tensors import TOLERANCES, channels_last

SHAPES = [(1, 16, 9, 7), (3, 12, 5, 1), (2, 48, 64, 33), (1, 20, 1, 1), (10, 64, 16, 16)]

needs_compiler = pytest.mark.skipif(not build.is_available(), reason="there is no C compiler here")


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_norm_silu_is_normalisation_and_activation(
    shape: tuple[int, ...], dtype: torch.dtype, silu: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    x = channels_last(*shape, dtype=dtype) * 3 + 5
    weight, bias = channels_last(1, shape[1], 1, 2, dtype=dtype)[0, :, 0].T.contiguous()
    y = group_norm_silu.norm_silu(x, weight, bias, 4, 1e-6, silu)
    expected = F.group_norm(x.double(), 4, weight.double(), bias.double(), 1e-6)
    expected = F.silu(expected) if silu else expected
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.double(), expected, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@needs_compiler
def test_norm_silu_keeps_its_digits_far_from_zero() -> None:
    x = channels_last(1, 16, 128, 128) + 100
    y = group_norm_silu.norm_silu(x, torch.ones(16), torch.zeros(16), 4, 1e-6, silu=False)
    torch.testing.assert_close(y, F.group_norm(x.double(), 4, eps=1e-6).float(), rtol=1e-3, atol=1e-3)


@needs_compiler
def test_norm_silu_at_extreme_activations() -> None:
    x = channels_last(1, 4, 3, 3)
    bias = torch.tensor([-300.0, -80.0, 80.0, 1e30])
    y = group_norm_silu.norm_silu(x, torch.ones(4), bias, 1, 1e-6, silu=True)
    torch.testing.assert_close(y, F.silu(F.group_norm(x, 1, None, bias)), rtol=1e-4, atol=1e-30)


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("shape", [(1, 16, 16, 16), (3, 48, 17, 30), (1, 64, 1, 256), (2, 128, 66, 35)])
def test_winograd_is_the_convolution(
    shape: tuple[int, ...], added: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    x, other = channels_last(*shape), channels_last(shape[0], 64, *shape[2:])
    weight, bias = torch.randn(64, shape[1], 3, 3) / shape[1] ** 0.5, torch.randn(64)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    if added:
        expected = expected + other.double()
    assert winograd.supports(x, weight, (1, 1), (1, 1))
    y = winograd.convolve(x, winograd.pack(weight), bias, other.clone() if added else None)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.double(), expected, rtol=TOLERANCES[x.dtype], atol=5e-5)


@needs_compiler
@pytest.mark.parametrize("side", [16, 24, 30, 65])
def test_winograd_convolves_a_picture_alone_as_among_others(side: int) -> None:
    x, bias = channels_last(7, 32, side, side), torch.randn(64)
    weight = winograd.pack(torch.randn(64, 32, 3, 3))
    together = winograd.convolve(x, weight, bias, None)
    for i in range(7):
        alone = winograd.convolve(x[i : i + 1].contiguous(memory_format=torch.channels_last), weight, bias, None)
        assert torch.equal(alone, together[i : i + 1])


@needs_compiler
def test_winograd_takes_only_what_it_is_made_for() -> None:
    x, weight = channels_last(1, 32, 16, 16), torch.randn(64, 32, 3, 3)
    assert winograd.supports(x, weight, (1, 1), (1, 1))
    assert not winograd.supports(x, weight, (2, 2), (1, 1))
    assert not winograd.supports(x, weight, (1, 1), (0, 0))
    assert not winograd.supports(x, torch.randn(64, 32, 1, 1), (1, 1), (1, 1))
    assert not winograd.supports(x, torch.randn(12, 32, 3, 3), (1, 1), (1, 1))
    assert not winograd.supports(channels_last(1, 24, 16, 16), torch.randn(64, 24, 3, 3), (1, 1), (1, 1))
    assert not winograd.supports(x[..., :8], weight, (1, 1), (1, 1))
    assert not winograd.supports(x.contiguous(), weight, (1, 1), (1, 1))
    assert not winograd.supports(x.bfloat16(), weight.bfloat16(), (1, 1), (1, 1))


@needs_compiler
@pytest.mark.parametrize("shifts", [0, 1, 3])
@pytest.mark.parametrize("added", [False, True])
def test_convolution_changes_its_way_with_the_size_of_the_map(shifts: int, added: bool) -> None:
    layer = Conv2d(32, 64, 3, padding=1).to(memory_format=torch.channels_last)
    randomise(layer)
    shift = torch.randn(shifts, 64) if shifts else None
    ways = []
    for side in (20, 8, 20):
        x, other = channels_last(3, 32, side, side), channels_last(3, 64, side, side)
        expected = layer(x, 0.5, shift, other.clone() if added else None)
        with torch.no_grad():
            found = layer(x, 0.5, shift, other.clone() if added else None)
            packed = layer._packed
            layer(x, 0.5)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        assert packed is not None
        assert layer._packed is packed  # made once
        ways.append(packed.winograd)
    assert ways == [True, False, True]


@needs_compiler
def test_kernels_where_fewer_threads_are_had_than_asked_for() -> None:
    script = """
import torch
import torch._inductor.config
from torch.nn import functional as F
from sdedit.diffusion.kernels import group_norm_silu, winograd
torch.get_num_threads = lambda: 4
x = torch.randn(2, 8, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
weight, bias = torch.randn(8, requires_grad=True), torch.randn(8, requires_grad=True)
results = []
for y in (group_norm_silu.norm_silu(x, weight, bias, 2, 1e-6, True), F.silu(F.group_norm(x, 2, weight, bias, 1e-6))):
    results.append([y, *torch.autograd.grad(y.square().sum(), (x, weight, bias))])
for ours, theirs in zip(*results):
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
for pictures in (1, 3):
    x, weight = torch.randn(pictures, 16, 24, 24).to(memory_format=torch.channels_last), torch.randn(64, 16, 3, 3)
    y = winograd.convolve(x, winograd.pack(weight), torch.zeros(64), None)
    torch.testing.assert_close(y, F.conv2d(x, weight, padding=1), rtol=1e-3, atol=1e-3)
"""
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@needs_compiler
def test_kernels_leave_small_numbers_of_the_process_as_they_are() -> None:
    assert float(torch.tensor([1e-40]) * 1) > 0


@needs_compiler
def test_norm_silu_takes_only_what_it_is_made_for() -> None:
    x = channels_last(1, 8, 4, 4)
    assert group_norm_silu.supports(x)
    assert not group_norm_silu.supports(x.contiguous())
    assert not group_norm_silu.supports(x.double())
    assert not group_norm_silu.supports(x.to("meta"))


@needs_compiler
@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_norm_silu(shape: tuple[int, ...], dtype: torch.dtype, silu: bool) -> None:
    x = (channels_last(*shape, dtype=dtype) * 3 + 1).requires_grad_()
    weight, bias = (torch.randn(shape[1], requires_grad=True) for _ in range(2))
    dy = torch.randn(shape).to(dtype)  # not in channels_last
    found = torch.autograd.grad(group_norm_silu.norm_silu(x, weight, bias, 4, 1e-6, silu), (x, weight, bias), dy)
    x_, weight_, bias_ = (tensor.detach().double().requires_grad_() for tensor in (x, weight, bias))
    y = F.group_norm(x_, 4, weight_, bias_, 1e-6)
    expected = torch.autograd.grad(F.silu(y) if silu else y, (x_, weight_, bias_), dy.double())
    for ours, theirs in zip(found, expected, strict=True):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype] * scale)


@pytest.mark.parametrize("cause", ["no compiler", "broken compiler", "no place"])
def test_without_the_kernels_torch_does_the_work(cause: str, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "bin").mkdir()
    if cause == "broken compiler":
        (tmp_path / "bin" / "gcc").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / "gcc").chmod(0o755)
    if cause == "no place":
        (tmp_path / "cache").write_text("a file, not a folder")
    else:
        environment["PATH"] = str(tmp_path / "bin")
    script = """
import torch
from sdedit.diffusion.kernels import build
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
network = NCSNpp(NetworkConfig(64, (64, 64), (1, 1))).to(memory_format=torch.channels_last)
with torch.no_grad():
    assert network(torch.randn(1, 3, 16, 16), torch.zeros(1)).isfinite().all()
assert not build.is_available()
"""
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shifts", [0, 1, 3])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_convolution_with_gain_shift_and_sum(dtype: torch.dtype, shifts: int, added: bool, scale: float) -> None:
    layer = Conv2d(8, 24, 3, stride=2, padding=1).to(dtype).to(memory_format=torch.channels_last)
    randomise(layer)
    layer.to(dtype)
    x, other = channels_last(3, 8, 10, 6, dtype=dtype), channels_last(3, 24, 5, 3, dtype=dtype)
    shift = torch.randn(shifts, 24).to(dtype) if shifts else None
    expected = scale * F.conv2d(x.double(), layer.weight.double(), layer.bias.double(), 2, 1)
    if shift is not None:
        expected = expected + shift.double()[:, :, None, None]
    if added:
        expected = expected + other.double()
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            y = layer(x, scale, shift, other.clone() if added else None)
        torch.testing.assert_close(y.double(), expected, rtol=TOLERANCES[dtype], atol=2 * TOLERANCES[dtype])


def test_convolution_notices_changed_weights() -> None:
    layer, other = (Conv2d(8, 8, 3, padding=1).to(memory_format=torch.channels_last) for _ in range(2))
    x = channels_last(1, 8, 6, 6)

    def is_current() -> bool:
        with torch.no_grad():
            return torch.allclose(layer(x), F.conv2d(x, layer.weight, layer.bias, padding=1), atol=1e-5)

    assert is_current()
    with torch.no_grad():
        torch._foreach_lerp_(list(layer.parameters()), list(other.parameters()), 0.5)
    assert is_current()
    layer.load_state_dict(other.state_dict())
    assert is_current()
    randomise(layer)
    assert is_current()
    with torch.no_grad():
        assert torch.allclose(layer(x, 0.5), 0.5 * F.conv2d(x, layer.weight, layer.bias, padding=1), atol=1e-5)
    layer.double()
    with torch.no_grad():
        assert layer(x.double()).dtype == torch.float64


@pytest.mark.parametrize("options", [*OPTIONS, asdict(CHURCH_CUT_SMALL)])
@pytest.mark.parametrize("label", [(0.5,), (0.5, -1.0)])
def test_network_is_the_same_with_and_without_gradients(options: dict, label: tuple[float, ...]) -> None:
    config = NetworkConfig(**{**SIZES, **options})
    network = NCSNpp(config).to(memory_format=torch.channels_last)
    randomise(network)
    x = channels_last(2, config.image_channels, 2 * config.size_multiple, config.size_multiple)
    plain = network(x, torch.tensor(label))
    with torch.inference_mode():
        torch.testing.assert_close(network(x, torch.tensor(label)), plain.detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_a_compiled_network_answers_the_same() -> None:
    network = NCSNpp(NetworkConfig(16, (16,), (1,), patch=2)).requires_grad_(False)
    randomise(network)
    x, label = torch.rand(2, 3, 16, 16), torch.ones(1)
    with torch.inference_mode(), torch._inductor.config.patch(compile_threads=1):
        expected = network(x, label)
        compile_network(network)
        torch.testing.assert_close(network(x, label), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS[3:])
def test_a_network_is_compiled_in_one_piece(options: dict) -> None:
    network = NCSNpp(NetworkConfig(**{**SIZES, **options})).requires_grad_(False)
    randomise(network)
    side = 2 * network.config.size_multiple
    x, label = torch.rand(2, network.config.image_channels, side, side), torch.ones(1)
    with torch.inference_mode():
        expected = network(x, label)
        found = torch.compile(network, backend="eager", fullgraph=True, dynamic=False)(x, label)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="the processor has no bfloat16")
@pytest.mark.parametrize("options", OPTIONS)
def test_a_picture_does_not_depend_on_its_place_in_the_batch(options: dict) -> None:
    config = NetworkConfig(**{**SIZES, **options})
    network = NCSNpp(config)
    randomise(network)
    network.to(memory_format=torch.channels_last).cast_body(torch.bfloat16)
    # Maps that the processor's vectors do not divide, so that the last elements are computed on their own.
    x = channels_last(3, config.image_channels, 3 * config.size_multiple, 3 * config.size_multiple)
    with torch.inference_mode():
        here, there = (network(pictures, torch.tensor([0.5])) for pictures in (x, x.roll(1, 0)))
    assert torch.equal(here.roll(1, 0), there)


def test_normalise_has_as_many_groups_as_divide_its_channels() -> None:
    assert [GroupNormSiLU(channels).num_groups for channels in (16, 128, 256, 36, 44)] == [4, 32, 32, 9, 11]
