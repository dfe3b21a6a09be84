"""Training on a GPU: its gradients, without one by Triton's interpreter, and the steps it replays."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.checkpoints.load import load_model
from sdedit.diffusion.kernels import triton_autograd
from sdedit.diffusion.layers.resample import FIRDown, FIRUp
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.training.config import load_train_config
from sdedit.training.parameters import FlatParameters
from sdedit.training.trainer import Trainer
from tests.helpers.commands import Command
from tests.helpers.gpu import DEVICE, assert_close, channels_last, needs_gpu
from tests.helpers.models import CHURCH_CUT_SMALL, OPTIONS, SIZES, randomise
from tests.helpers.training import RECIPE, stripes

pytest.importorskip("triton", reason="the kernels are Triton's")

TOLERANCES = {torch.float32: 5e-5, torch.bfloat16: 2e-2}
OF_SEVERAL_TILES = [(1, 16, 9, 7), (3, 12, 5, 1), (3, 48, 11, 9), (3, 20, 1, 1), (3, 64, 8, 8)]  # of 16 by 16


def vectors(channels: int, count: int) -> list[Tensor]:
    rows = channels_last(count, channels, 1, 1)[:, :, 0, 0] + 0.3
    return [row.clone().requires_grad_() for row in rows]


def assert_gradients(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], tolerance: float) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("programs", [3, 2048])
@pytest.mark.parametrize(("silu", "shifts", "past"), [(True, 0, False), (False, 1, True), (True, 3, True)])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", OF_SEVERAL_TILES)
def test_gradients_of_norm_silu(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    silu: bool,
    shifts: int,
    past: bool,
    programs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(triton_autograd, "_PROGRAMS", programs)
    monkeypatch.setattr(triton_autograd, "_ROWS", 16)  # so that these small maps are of several tiles
    monkeypatch.setattr(triton_autograd, "_CHANNELS", 16)
    shifts = min(shifts, shape[0])
    x = (channels_last(*shape, dtype=dtype) * 3 + 1).requires_grad_()
    weight, bias, before = vectors(shape[1], 3)
    shift = channels_last(max(shifts, 1), shape[1], 2, 2)[:, :, 0, 0].clone().requires_grad_()
    dy, d_past = channels_last(*shape, dtype=dtype), channels_last(*shape[:2], shape[3], shape[2], dtype=dtype).mT
    inputs = (x, weight, bias, *((before, shift) if shifts else ()))

    y, x_past = triton_autograd.norm_silu(x, weight, bias, 4, 1e-6, silu, (before, shift) if shifts else None)
    found = torch.autograd.grad((y, x_past) if past else y, inputs, (dy, d_past) if past else dy)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    moved = exact[0] + (exact[3] + exact[4])[:, :, None, None] if shifts else exact[0]
    plain = F.group_norm(moved, 4, *exact[1:3], 1e-6)
    plain = F.silu(plain) if silu else plain
    plain_past = exact[0] * 1
    expected = torch.autograd.grad(
        (plain, plain_past) if past else plain, exact, (dy.double(), d_past.double()) if past else dy.double()
    )

    assert_close(y.detach(), plain.detach())
    assert found[0].dtype == dtype
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    assert_gradients(found, expected, TOLERANCES[dtype])


@pytest.mark.parametrize("part_of_wider", [False, True])
@pytest.mark.parametrize(("scale", "added"), [(1.0, True), (0.7, True), (0.7, False)])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", OF_SEVERAL_TILES)
def test_gradients_of_a_residual_sum(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    scale: float,
    added: bool,
    part_of_wider: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(triton_autograd, "_ROWS", 16)
    monkeypatch.setattr(triton_autograd, "_CHANNELS", 16)
    h, residual = (
        channels_last(*shape, dtype=dtype).requires_grad_(),
        channels_last(*shape, dtype=dtype).requires_grad_(),
    )
    (bias,) = vectors(shape[1], 1)
    dy = channels_last(shape[0], 2 * shape[1], *shape[2:], dtype=dtype)
    dy = dy[:, shape[1] :] if part_of_wider else dy[:, shape[1] :].contiguous(memory_format=torch.channels_last)
    inputs = (h, bias, residual) if added else (h, bias)

    y = triton_autograd.residual_sum(h, bias, residual if added else None, scale)
    found = torch.autograd.grad(y, inputs, dy)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    plain = scale * (exact[0] + exact[1][:, None, None] + (exact[2] if added else 0))
    assert_close(y.detach(), plain.detach())
    assert_gradients(found, torch.autograd.grad(plain, exact, dy.double()), TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", [(1, 3, 4, 2), (2, 12, 10, 6), (1, 300, 4, 16)])
def test_gradients_of_filters(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    for filtered, plain in (
        (lambda x: triton_autograd.fir_down(x, 2, 1), FIRDown()),
        (lambda x: triton_autograd.fir_down(x, 1, 2), FIRDown(2, 1)),
        (triton_autograd.fir_up, FIRUp()),
    ):
        x = channels_last(*shape, dtype=dtype).requires_grad_()
        y = filtered(x)
        dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
        exact = x.detach().float().to("cpu").requires_grad_()
        (expected,) = torch.autograd.grad(plain(exact), exact, dy.float().cpu())
        (found,) = torch.autograd.grad(y, x, dy)
        assert_close(found, expected.to(DEVICE))


def test_the_kernels_are_what_a_gpu_can_compile() -> None:
    # Triton's interpreter takes more than its compiler does, which needs no GPU to make machine code for one.
    script = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sdedit.diffusion.kernels import triton_gradients as gradients, triton_kernels as kernels
floats = {"x", "y", "h", "dy", "dx", "beside", "residual", "scaled"}
numbers = {"pixels", "channels", "part_pixels", "parts", "width", "rows"}
numbers |= {"row_stride", "part_rows", "shift_stride", "size"}
constants = {"SILU": True, "ADDED": True, "SCALED": True, "SHIFTED": True, "SAVED": True, "ROWS": 64, "CHANNELS": 64,
             "PARTS": 32, "WIDTH": 8, "BLOCK": 1024}
for kernel in (gradients.norm_gradient_sums, gradients.norm_gradient_factors, gradients.norm_gradient_apply,
               gradients.sum_gradient, kernels.channel_moments, kernels.group_factors, kernels.norm_apply,
               kernels.scale_bias_add):
    signature = {}
    for name in kernel.arg_names:
        signature[name] = (
            "constexpr" if name in constants else "*bf16" if name in floats else "i32" if name in numbers
            else "fp32" if "scale" in name or name == "eps" else "*fp32"
        )
    fixed = {(kernel.arg_names.index(name),): constants[name] for name in kernel.arg_names if name in constants}
    made = compile(ASTSource(kernel, signature, fixed), target=GPUTarget("cuda", 90, 32), options={"num_warps": 8})
    assert len(made.asm["cubin"]) > 1000
"""
    environment = {**os.environ, "TRITON_INTERPRET": "0"}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def gradients_of(network: NCSNpp, x: Tensor, label: Tensor, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    parameters = FlatParameters(network, dtype)
    weights = torch.linspace(-1, 1, x[0].numel(), device=x.device).reshape(x[0].shape)
    parameters.differentiate((network(x, label).float() * weights).square().sum())
    copied = copy.deepcopy(network)
    parameters.attach(copied, parameters.gradient)
    return {name: parameter.data.cpu() for name, parameter in copied.named_parameters()}


def assert_same_gradients(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    for name, gradient in expected.items():
        error = float((found[name] - gradient).norm() / gradient.norm().clamp(min=1e-6))
        assert error < tolerance, (name, error)


@pytest.mark.parametrize("options", [OPTIONS[1], OPTIONS[2], OPTIONS[4], OPTIONS[5]])
def test_the_network_by_these_kernels_has_the_gradients_of_the_plain_one(
    options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = NetworkConfig(**{"stem_channels": 8, "channels": (8, 12, 8), "blocks": (1, 1, 1), **options})
    network = NCSNpp(config)
    randomise(network)
    x = torch.randn(2, config.image_channels, config.size_multiple, 2 * config.size_multiple)
    label = torch.tensor([0.3, -1.0])
    expected = gradients_of(copy.deepcopy(network), x, label)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(triton_autograd, "supports", lambda x: x.is_contiguous(memory_format=torch.channels_last))
    found = gradients_of(network.to(DEVICE), x.to(DEVICE), label.to(DEVICE))
    assert_same_gradients(found, expected, 1e-3)


@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("config", [CHURCH_CUT_SMALL, *(NetworkConfig(**{**SIZES, **options}) for options in OPTIONS)])
def test_gradients_of_the_network_are_those_on_a_cpu(
    config: NetworkConfig, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    network = NCSNpp(config)
    randomise(network)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, config.image_channels, config.size_multiple, 2 * config.size_multiple, generator=generator)
    label = torch.tensor([0.3, -1.0])
    expected = gradients_of(copy.deepcopy(network), x, label)
    found = gradients_of(network.to(DEVICE), x.to(DEVICE), label.to(DEVICE), dtype)
    assert_same_gradients(found, expected, 2e-3 if dtype == torch.float32 else 0.25)


def make_trainer(folder: Path, recipe: str = RECIPE) -> Trainer:
    folder.mkdir()
    (folder / "recipe.toml").write_text(recipe.replace("[16, 32]", "[32, 64]"))
    images = [np.asarray(stripes(index)) for index in range(12)]
    return Trainer(load_train_config(folder / "recipe.toml"), {"": images}, images[:2], folder / "run", DEVICE)


@needs_gpu
def test_steps_replayed_are_those_made_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    trainers = [make_trainer(tmp_path / name) for name in ("replayed", "plain")]
    start = trainers[0].optimiser.parameters.values.clone()
    results = []
    for trainer, captured in zip(trainers, (True, False), strict=True):
        generator = trainer.step.generator.manual_seed(7)
        if captured:
            trainer.step.prepare(lines.append)
            assert lines == []
            assert trainer.step._graphs
            assert torch.equal(trainer.optimiser.parameters.values, start)
            assert generator.initial_seed() == 7
        losses = []
        for batch in range(12):
            trainer.step(batch % 2, batch, batch / 12)
            losses.append(trainer.step.take_losses())
        results.append((losses, trainer.optimiser.tensors()))
    (losses, replayed), (plain_losses, plain) = results
    assert len(set(losses)) == len(losses)  # each batch has numbers of its own
    torch.testing.assert_close(torch.tensor(losses), torch.tensor(plain_losses), rtol=1e-3, atol=1e-4)
    for name, tensor in plain.items():
        error = float((replayed[name] - tensor).norm() / (tensor.norm() + 1e-9))
        assert error < 0.02, (name, error)


@needs_gpu
def test_where_nothing_can_be_captured_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, lines = make_trainer(tmp_path / "run"), []

    def fail(self: object, *arguments: object) -> None:
        raise RuntimeError("no graphs here")

    monkeypatch.setattr(torch.cuda.CUDAGraph, "capture_begin", fail)
    trainer.step.prepare(lines.append)
    assert len(lines) == 1
    assert "no graphs here" in lines[0]
    for batch in range(3):
        trainer.step(batch % 2, batch, 0.0)
    assert 0 < trainer.step.take_losses() < 100


@needs_gpu
def test_a_run_on_a_gpu_is_stopped_and_resumed(sdedit: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for index in range(24):
        stripes(index).save(tmp_path / "data" / f"{index}.png")
    recipe = tmp_path / "recipe.toml"
    for pictures, more in ((3000, ()), (6000, ("--resume",))):
        recipe.write_text(RECIPE.replace("pictures = 600", f"pictures = {pictures}"))
        result = sdedit("train", recipe, "--data", "data", "-o", "run", "--device", "cuda", *more)
        assert result.returncode == 0, result.stderr
        assert b"captured" not in result.stderr  # or it says why not
    last = (tmp_path / "run" / "log.csv").read_text().splitlines()[-1].split(",")
    assert float(last[3]) < 0.5
    assert load_model(tmp_path / "run" / "model.safetensors").card["training"]["pictures"] >= 6000


@needs_gpu
def test_training_is_timed(sdedit: Command, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    result = sdedit("bench", "--train", "--config", "recipe.toml", "--repeats", 1, "--json", "--device", "cuda")
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {row["size"] for row in rows} == {8, 16}
    assert all(0 < row["share of peak"] < 1 for row in rows)
