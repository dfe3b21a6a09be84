"""What several tests share: a tiny model with fixed random weights, guides, and the installed command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel

Command = Callable[..., subprocess.CompletedProcess]
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels for a GPU run without one, slowly
SDEDIT = str(Path(sys.executable).parent / "sdedit")


def make_tiny_model(seed: int = 0) -> ScoreModel:
    """A model of 16 px pictures that runs in a millisecond; sides are multiples of 4."""
    torch.manual_seed(seed)
    network = NCSNpp(NetworkConfig(16, (16, 16), (1, 1), patch=2, resampling="mean", fourier_scale=1.0))
    for parameter in network.parameters():  # also those that start at zero
        parameter.data.normal_(0, 0.05)
    network.eval().requires_grad_(False)
    return ScoreModel(network, EDMPreconditioning(), VESchedule(), 16, {"name": "tiny"})


@pytest.fixture(scope="session")
def tiny_model() -> ScoreModel:
    return make_tiny_model()


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_model: ScoreModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(tiny_model, path)
    return path


def blocks_picture(width: int = 24, height: int = 20) -> Image.Image:
    """Flat colours with hard edges, different in every corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = (90, 140, 200)
    pixels[height // 2 :] = (60, 90, 50)
    pixels[: height // 4, : width // 4] = (250, 240, 220)
    pixels[-height // 4 :, -width // 4 :] = (130, 30, 20)
    return Image.fromarray(pixels)


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    path = tmp_path / "strokes.png"
    blocks_picture().save(path)
    return path


@pytest.fixture
def sdedit(tmp_path: Path) -> Command:
    """Run the installed command in tmp_path; bytes in, bytes out."""

    def run(*arguments: object, stdin: bytes = b"", **options: object) -> subprocess.CompletedProcess:
        environment = {**os.environ, **options.pop("env", {})}  # type: ignore[dict-item]
        argv = [SDEDIT, *map(str, arguments)]
        return subprocess.run(
            argv, input=stdin, capture_output=True, cwd=tmp_path, env=environment, check=False, timeout=300, **options
        )

    return run


def fails_in_one_sentence(result: subprocess.CompletedProcess, *words: str) -> None:
    """Assert that a run failed with a single line on standard error that has these words, and nothing else."""
    error = result.stderr.decode()
    assert result.returncode not in (0, None), error
    assert result.stdout == b""
    assert error.count("\n") == 1, error
    assert error.startswith("sdedit: "), error
    assert "Traceback" not in error
    for word in words:
        assert word in error, error
