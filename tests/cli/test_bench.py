"""`sdedit bench`: its figures hang together, its peer runs on the same weights, and wrong requests get a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import VEPreconditioning
from sdedit.diffusion.samplers import DEFAULT
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.folders import REPOSITORY

_SMALL = NetworkConfig(128, (128, 128), (1, 1), attention_levels=(1,), input_pyramid="skip", output_pyramid="skip")


@pytest.fixture
def published_layout(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(ScoreModel(NCSNpp(_SMALL), VEPreconditioning(), VESchedule(), 16, {"name": "small"}), path)
    return path


def test_own_network(sdedit: Command, tiny_checkpoint: Path) -> None:
    result = sdedit(
        "bench", "--model", tiny_checkpoint, "--repeats", "2", "--batch", "3", "--precision", "fp32", "--json"
    )
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)
    assert (row["contestant"], row["size"], row["batch"], row["precision"]) == ("sdedit", 16, 3, "fp32")
    assert row["times as long"] == 1
    assert row["s/evaluation"] > 0
    assert 0 < row["share of peak"] < 1.5
    assert row["images/min"] == pytest.approx(3 * 60 / (DEFAULT.steps * row["s/evaluation"]), rel=0.02)
    assert 0 < row["GFLOP"] < 1
    assert row["memory MB"] > 50


def test_says_where_the_kernel_is_missing(installed: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    words = ("bench", "--model", tiny_checkpoint, "--repeats", "1", "--device", "cpu")
    result = installed(*words, env={"PATH": str(tmp_path)})
    assert result.returncode == 0
    assert "no C compiler" in result.stderr.decode()


def test_against_diffusers(sdedit: Command, published_layout: Path) -> None:
    result = sdedit("bench", "--model", published_layout, "--repeats", "1", "--diffusers", "--size", "16")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "contestant", "sdedit", "diffusers as shipped", "diffusers with all settings",
    ]  # fmt: skip


def test_flops_are_those_of_the_convolutions(sdedit: Command, published_layout: Path) -> None:
    small = json.loads(sdedit("bench", "--model", published_layout, "--repeats", "1", "--size", "32", "--json").stdout)
    large = json.loads(sdedit("bench", "--model", published_layout, "--repeats", "1", "--size", "64", "--json").stdout)
    # Four times the pixels: four times the convolutions, to the three digits shown, and a little more for attention
    # where torch counts the kernel it chose for it.
    assert 3.95 < large["GFLOP"] / small["GFLOP"] < 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "18"], ["multiples of 4", "18"]),
        (["--diffusers"], ["diffusers", "tiny"]),
        (["--batch", "0"], ["--batch"]),
        (["--model", "nothing.safetensors"], ["nothing.safetensors"]),
    ],
)
def test_bad_requests(sdedit: Command, tiny_checkpoint: Path, arguments: list[str], words: list[str]) -> None:
    options = [] if "--model" in arguments else ["--model", tiny_checkpoint]
    fails_in_one_sentence(sdedit("bench", *options, *arguments), *words)


RECIPE = """
[network]
stem_channels = 32
channels = [32, 32]
blocks = [1, 1]
{options}
[[batches]]
side = 16
batch = 4
data = ["large"]
"""


@pytest.mark.parametrize("options", ["", 'input_pyramid = "skip"\noutput_pyramid = "skip"\n'])
def test_training_beside_a_plain_loop(sdedit: Command, tmp_path: Path, options: str) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(options=options) + "[budget]\nminutes = 1\n")
    words = ("bench", "--train", "--config", "recipe.toml", "--repeats", "2", "--device", "cpu", "--json")
    result = sdedit(*words, "--batch", "3")
    assert result.returncode == 0, result.stderr
    own, plain = (json.loads(line) for line in result.stdout.splitlines())
    assert (own["contestant"], own["size"], own["batch"]) == ("sdedit", 16, 3)
    assert plain["contestant"] == "diffusers, plain loop"
    for row in (own, plain):
        assert row["images/s"] == pytest.approx(3 / row["s/batch"], rel=0.02)
        assert row["TFLOP/s"] == pytest.approx(row["GFLOP/image"] * 3 / row["s/batch"] / 1000, rel=0.02)
        assert 0 < row["share of peak"] < 1.5
        assert row["memory MB"] > 50
    if options:  # then it is the same network
        assert plain["GFLOP/image"] == pytest.approx(own["GFLOP/image"], rel=0.05)


def test_training_of_a_model_is_timed_without_diffusers(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "diffusers.py").write_text("raise ImportError")
    environment = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    words = ("bench", "--train", "--model", tiny_checkpoint, "--repeats", "1", "--device", "cpu", "--json")
    result = sdedit(*words, "--batch", "2", env=environment)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["size"] == 16
    assert "no plain loop" in result.stderr.decode()


def test_a_recipe_is_of_training(sdedit: Command, tmp_path: Path) -> None:
    assert b"--train" in sdedit("bench", "--config", "recipe.toml").stderr
    fails_in_one_sentence(sdedit("bench", "--train", "--config", "missing.toml"), "missing.toml")
    finisher = REPOSITORY / "configs" / "landscapes-256" / "5-finisher.toml"
    fails_in_one_sentence(sdedit("bench", "--train", "--config", finisher, "--device", "cpu"), "finisher")
