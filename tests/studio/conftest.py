"""Fixtures of the studio's tests."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sdedit.checkpoints.load import load_model
from sdedit.diffusion.score_model import ScoreModel
from sdedit.studio.serving import RunningStudio
from tests.helpers.images import blocks_picture
from tests.helpers.studio import GatedModel, client, gated, running_studio


@pytest.fixture(scope="session")
def strokes() -> bytes:
    """A guide, as PNG."""
    file = io.BytesIO()
    blocks_picture().save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def loaded_model(tiny_checkpoint: Path) -> ScoreModel:
    """The tiny model as its file has it, with the checksum."""
    return load_model(tiny_checkpoint)


@pytest.fixture(scope="session")
def running(loaded_model: ScoreModel, tiny_checkpoint: Path) -> Iterator[RunningStudio]:
    """A studio with the tiny model."""
    with running_studio([loaded_model], [str(tiny_checkpoint)]) as running:
        yield running


@pytest.fixture
def studio(running: RunningStudio) -> Iterator[httpx.Client]:
    """A client of it."""
    with client(running) as session:
        yield session


@pytest.fixture
def slow(loaded_model: ScoreModel) -> GatedModel:
    """The tiny model behind a gate."""
    return gated(loaded_model)


@pytest.fixture
def slow_studio(slow: GatedModel) -> Iterator[RunningStudio]:
    """A studio whose evaluations go through a gate, which is closed."""
    with running_studio([slow]) as running:
        slow.gate.close()
        yield running
