"""The command `sdedit models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from diffusers import UNet2DModel

from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.published_files import OPTIONS_SMALL, random_unet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random_unet(OPTIONS_SMALL).save_pretrained(tmp_path / "church")
    return tmp_path / "church"


def test_list(installed: Command, tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    result = installed("models", "list", env=offline)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert lines[0].split() == ["name", "domain", "size", "sigma(0.5)", "here", "licence"]
    rows = {line.split()[0]: line for line in lines[1:]}
    for name, size, middle in (("church", "256", "1.949"), ("ffhq-1024", "1024", "3.672"), ("cifar10", "32", "0.707")):
        assert f" {size} " in rows[name]
        assert f" {middle} " in rows[name]


def test_info_convert_and_verify(sdedit: Command, folder: Path, tmp_path: Path) -> None:
    fails_in_one_sentence(sdedit("info", "./church"), "--sigma-max")
    facts = json.loads(sdedit("info", "./church", "--sigma-max", "380", "--json").stdout)
    assert facts["sigma(0.5)"] == "1.949"
    assert facts["attention"] == "level 1"
    assert facts["native size"] == "32 px"

    assert sdedit("models", "convert", "./church", "own.safetensors", "--sigma-max", "380").returncode == 0
    fails_in_one_sentence(sdedit("models", "convert", "own.safetensors", "own.safetensors"), "--overwrite")
    assert sdedit("models", "convert", "own.safetensors", "again").returncode == 0
    exported = UNet2DModel.from_pretrained(tmp_path / "again", subfolder="unet").state_dict()
    original = UNet2DModel.from_pretrained(folder).state_dict()
    assert all(exported[name].equal(tensor) for name, tensor in original.items())

    verified = sdedit("models", "verify", "own.safetensors")
    assert verified.returncode == 0, verified.stderr
    assert len(verified.stdout.splitlines()) == 4
