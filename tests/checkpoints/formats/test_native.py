"""The project's own checkpoint format: exact round trip, and one clear sentence for everything that is not one."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.checkpoints.load import load_model
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from tests.helpers.native_files import Metadata, Weights, put, rewritten


def test_round_trip_is_exact(tiny_model: ScoreModel, tiny_checkpoint: Path) -> None:
    loaded = load_model(tiny_checkpoint, precision="fp32")
    for name, tensor in tiny_model.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor), name
    assert loaded.network.config == tiny_model.network.config
    assert loaded.preconditioning == tiny_model.preconditioning
    assert loaded.schedule == tiny_model.schedule
    assert (loaded.native_size, loaded.name) == (16, "tiny")
    x, sigma = torch.rand(2, 3, 16, 24), torch.tensor([0.1, 3.0])
    torch.testing.assert_close(loaded.denoise(x, sigma), tiny_model.denoise(x, sigma), rtol=1e-5, atol=1e-5)


def test_half_precision_on_disk(tiny_model: ScoreModel, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_checkpoint(tiny_model, path, torch.float16)
    loaded = load_model(path, precision="fp32")
    for name, tensor in tiny_model.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor.half().float()), name


def test_precision(tiny_checkpoint: Path) -> None:
    model = load_model(tiny_checkpoint, precision="bf16")
    assert model.dtype == torch.bfloat16
    x, sigma = torch.rand(1, 3, 16, 16), torch.tensor([0.5])
    exact = load_model(tiny_checkpoint, precision="fp32").denoise(x, sigma)
    assert model.denoise(x, sigma).dtype == torch.float32
    torch.testing.assert_close(model.denoise(x, sigma), exact, rtol=0, atol=0.02)
    with pytest.raises(SdeditError, match="precision"):
        load_model(tiny_checkpoint, precision="fp7")


def test_checksum_is_that_of_the_file(tiny_checkpoint: Path) -> None:
    import hashlib

    assert load_model(tiny_checkpoint).checksum == hashlib.sha256(tiny_checkpoint.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, w: w.pop("stem.bias"), "lacks 1 tensors .* stem.bias"),
        (lambda m, w: w.update(stray=torch.zeros(1)), "does not ask for, such as stray"),
        (lambda m, w: w.update({"stem.bias": torch.zeros(3)}), r"stem.bias .* shape \(3,\)"),
        (lambda m, w: w["stem.bias"].fill_(torch.nan), "stem.bias .* not finite"),
        (lambda m, w: w.update({"stem.bias": torch.zeros(16, dtype=torch.int64)}), "stem.bias"),
        (lambda m, w: put(m, "network", "channels", [16, 32]), "asks for"),
        (lambda m, w: put(m, "network", "channels", [10**12, 16]), "channels"),
        (lambda m, w: put(m, "network", "blocks", [10**9, 1]), "blocks"),
        (lambda m, w: put(m, "network", "stem_channels", "many"), "stem_channels"),
        (lambda m, w: put(m, "network", "code", "import os"), "its network has no option 'code'"),
        (lambda m, w: put(m, "schedule", "sigma_max", -1), "sigma_max"),
        (lambda m, w: put(m, "schedule", "beta", 1), "beta"),
        (lambda m, w: put(m, "preconditioning", "kind", "magic"), "preconditioning"),
        (lambda m, w: m.update(native_size="128"), "native size"),
        (lambda m, w: m.update(native_size=10**9), "native size"),
        (lambda m, w: m.update(card=[]), "card"),
        (lambda m, w: m.pop("network"), "network"),
        (lambda m, w: m.update(network=[1]), "its network is not a table"),
        (lambda m, w: put(m, "preconditioning", "sigma_data", True), "sigma_data True"),
        (lambda m, w: m.update(schedule=[0.01, 50]), "its schedule is not a table"),
        (lambda m, w: m["network"].pop("blocks"), "its network has no blocks"),
        (lambda m, w: m.update(sdedit=99), "format 99"),
        (lambda m, w: m.pop("sdedit"), "not an sdedit checkpoint"),
    ],
)
def test_files_that_contradict_themselves(
    tiny_checkpoint: Path, tmp_path: Path, change: Callable[[Metadata, Weights], None], words: str
) -> None:
    path = rewritten(tiny_checkpoint, tmp_path / "changed.safetensors", change)
    with pytest.raises(SdeditError, match=words) as caught:
        load_model(path)
    assert "changed.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:4],
        lambda data: data[:1000],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: struct.pack("<Q", 2**60) + data[8:],
        lambda data: b"\x89PNG\r\n\x1a\n" + data,
        lambda data: data[:8] + b"[" + data[9:],
    ],
)
def test_damaged_files(tiny_checkpoint: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damage(tiny_checkpoint.read_bytes()))
    with pytest.raises(SdeditError, match=r"damaged\.safetensors"):
        load_model(path)


def test_metadata_that_is_not_json(tiny_model: ScoreModel, tmp_path: Path) -> None:
    path = tmp_path / "words.safetensors"
    safetensors.torch.save_file(tiny_model.network.state_dict(), path, {"sdedit": "1", "network": "{"})
    with pytest.raises(SdeditError, match=r"words\.safetensors"):
        load_model(path)


def test_a_failed_write_keeps_the_old_file(tiny_model: ScoreModel, tmp_path: Path) -> None:
    with pytest.raises(SdeditError, match="cannot write"):
        save_checkpoint(tiny_model, tmp_path / "missing" / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_loading_does_not_have_torch_import_its_compiler() -> None:
    code = "import sys, sdedit; sdedit.load_model(); assert 'torch._dynamo' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
