"""Fixtures of several tests: a tiny model with fixed random weights, a guide, and the installed command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.score_model import ScoreModel
from tests.helpers.commands import SDEDIT, Command, run_here
from tests.helpers.images import blocks_picture
from tests.helpers.models import make_tiny_model

MOST_WORKERS = 4  # each holds torch and a few models
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels for a GPU run without one, slowly


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes share the tests: none besides this one for a few files, which they would only keep waiting."""
    folders = any(Path(str(argument).partition("::")[0]).is_dir() for argument in config.args)
    return min(os.cpu_count() or 1, MOST_WORKERS) if folders else 0


@pytest.fixture(scope="session")
def tiny_model() -> ScoreModel:
    return make_tiny_model()


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_model: ScoreModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(tiny_model, path)
    return path


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    path = tmp_path / "strokes.png"
    blocks_picture().save(path)
    return path


@pytest.fixture
def sdedit(tmp_path: Path) -> Command:
    """Run the command in tmp_path, within this process; bytes in, bytes out."""

    def run(*arguments: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> CompletedProcess:
        return run_here([*map(str, arguments)], tmp_path, stdin, env)

    return run


@pytest.fixture
def installed(tmp_path: Path) -> Command:
    """Run the installed command in tmp_path, as a process of its own; bytes in, bytes out."""

    def run(*arguments: object, stdin: bytes = b"", **options: object) -> CompletedProcess:
        environment = {**os.environ, **options.pop("env", {})}  # type: ignore[dict-item]
        argv = [SDEDIT, *map(str, arguments)]
        return subprocess.run(
            argv, input=stdin, capture_output=True, cwd=tmp_path, env=environment, check=False, timeout=300, **options
        )

    return run
