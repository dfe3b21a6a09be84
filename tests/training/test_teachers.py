"""Training that starts from a model, and guidance and contrast trained into it."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.checkpoints.load import load_model
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.photographs import load_pairs
from sdedit.training.teachers import Contrast, Guidance
from tests.helpers.commands import Command, fails_in_one_sentence, run_here
from tests.helpers.models import make_tiny_model

RECIPE = """
[network]
stem_channels = 16
channels = [16, 16]
blocks = [1, 1]
fourier_scale = 1.0
resampling = "mean"
patch = 2

[data]
size = 16

[[batches]]
side = 8
shrink_to = 16
batch = 8
share = 4
noise_mean = -0.5
noise_std = 0.3

[[batches]]
side = 16
batch = 2
noise_mean = -0.5
noise_std = 0.3

[optimiser]
warmup = 5
ema = 0.05
decay_from = 0.0

[guidance]
weight = 2.0

[budget]
pictures = 2000

[report]
validation_pictures = 2
preview_steps = 2

[card]
name = "strong"
"""
SIGMA = 0.6


class Answers:
    """Stands for a model that answers with one colour everywhere."""

    def __init__(self, *colour: float) -> None:
        self.colour = torch.tensor(colour)[:, None, None]

    def denoise(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return self.colour.expand_as(x)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def write_photographs(folder: Path) -> Path:
    folder.mkdir()
    for index in range(20):
        Image.fromarray(np.full((16, 16, 3), 100 + index, np.uint8)).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs")


@pytest.fixture(scope="module")
def strong_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a run from nothing, on which the others build."""
    folder = tmp_path_factory.mktemp("strong")
    (folder / "recipe.toml").write_text(RECIPE)
    words = ["train", "recipe.toml", "--data", str(write_photographs(folder / "photographs")), "-o", "run", "--quiet"]
    assert run_here(words, folder).returncode == 0
    return folder / "run" / "model.safetensors"


def brightness(model: ScoreModel) -> float:
    """Mean of the answers for grey pictures with noise."""
    noise = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return float(model.denoise(0.43 + SIGMA * noise, torch.full((64,), SIGMA)).mean())


def darker(model: ScoreModel, by: float) -> ScoreModel:
    """The same model, but its network's answers are lower by `by` everywhere."""
    other = copy.deepcopy(model)
    final = [parameter for parameter in other.network.parameters() if parameter.dim() == 1][-1]
    final.data -= by
    return other


def test_no_guidance_where_there_is_much_noise() -> None:
    guidance = Guidance(Answers(0.1, 0.1, 0.1), Answers(0.9, 0.9, 0.9), Answers(0.4, 0.4, 0.4), 1.0, 0.7)  # type: ignore[arg-type]
    answer = guidance.denoise(torch.zeros(3, 3, 4, 4), torch.tensor([0.1, 0.7, 5.0]))
    torch.testing.assert_close(answer[:, 0, 0, 0], torch.tensor([0.6, 0.1, 0.1]))


@pytest.mark.parametrize("start", [(0.5, 0.6, 0.7), (0.1, 0.2, 0.3)])
def test_only_the_difference_in_brightness_counts(start: tuple[float, ...]) -> None:
    guidance = Guidance(Answers(*start), Answers(0.5, 0.6, 0.7), Answers(0.4, 0.6, 0.5), 1.5)  # type: ignore[arg-type]
    answer = guidance.denoise(torch.zeros(2, 3, 4, 4), torch.ones(2))
    shift = 1.5 * (0.1 + 0.0 + 0.2) / 3
    torch.testing.assert_close(answer[1, :, 2, 3], torch.tensor([colour + shift for colour in start]))


def test_the_network_goes_away_from_the_weak_model(
    sdedit: Command, recipe: Path, photographs: Path, strong_file: Path, tmp_path: Path
) -> None:
    words = ["train", recipe, "--data", photographs, "--quiet", "-o"]
    strong = load_model(strong_file, precision="fp32")
    weak = darker(strong, 0.3)
    save_checkpoint(weak, tmp_path / "weak.safetensors")
    difference = brightness(strong) - brightness(weak)
    assert difference > 0.05

    start = ["--start", strong_file]
    assert sdedit(*words, "plain", *start).returncode == 0
    assert sdedit(*words, "guided", *start, "--weak", "weak.safetensors").returncode == 0
    plain = load_model(tmp_path / "plain" / "model.safetensors", precision="fp32")
    guided = load_model(tmp_path / "guided" / "model.safetensors", precision="fp32")
    assert abs(brightness(plain) - 0.43) < 0.02
    assert brightness(guided) - brightness(plain) == pytest.approx(2 * difference, rel=0.2)

    other = ["--start", "weak.safetensors", "--strong", strong_file, "--weak", "weak.safetensors"]
    assert sdedit(*words, "other", *other).returncode == 0
    improved = load_model(tmp_path / "other" / "model.safetensors", precision="fp32")
    assert brightness(improved) - brightness(weak) == pytest.approx(2 * difference, rel=0.2)

    training = guided.card["training"]
    assert training["start"]["sha256"] == strong.checksum
    assert training["start"]["pictures"] >= 2000
    assert training["guidance"]["weight"] == 2
    assert "guidance" not in plain.card["training"]
    told = sdedit("info", "guided/model.safetensors").stdout.decode()
    assert f"start (name strong, sha256 {strong.checksum}" in told


def test_towards_photographs_and_away_from_paintings() -> None:
    contrast = Contrast(Answers(0.5, 0.5, 0.5), 0.4, below=1.0)  # type: ignore[arg-type]
    y = torch.tensor([0.7, 0.7, 0.3, 0.3])[:, None, None, None].expand(4, 3, 2, 2)
    target = contrast.target(y, y, torch.tensor([0.1, 1.0, 0.1, 1.0]))
    torch.testing.assert_close(target[:, 0, 0, 0], torch.tensor([0.58, 0.5, 0.58, 0.5]))


def paintings(photographs: Path, folder: Path, darker_by: int) -> Path:
    folder.mkdir()
    for file in photographs.iterdir():
        Image.fromarray(np.asarray(Image.open(file)) - np.uint8(darker_by)).save(folder / f"{file.stem}.bmp")
    return folder


def test_the_network_goes_away_from_paintings_that_differ(
    sdedit: Command, recipe: Path, photographs: Path, strong_file: Path, tmp_path: Path
) -> None:
    words = ["train", recipe, "--data", photographs, "--quiet", "-o"]
    first = brightness(load_model(strong_file, precision="fp32"))
    moved = {}
    for darker_by in (0, 10):
        painted = paintings(photographs, tmp_path / f"painted-{darker_by}", darker_by)
        run = f"run-{darker_by}"
        result = sdedit(*words, run, "--start", strong_file, "--painted", painted)
        assert result.returncode == 0, result.stderr
        model = load_model(tmp_path / run / "model.safetensors", precision="fp32")
        assert model.card["training"]["contrast"] == {"weight": 2, "below": 50}
        assert model.card["training"]["photographs"] == 19
        moved[darker_by] = brightness(model) - first
    assert abs(moved[0]) < 0.02
    assert moved[10] - moved[0] == pytest.approx(10 / 255, rel=0.4)  # w / 2 times the difference


def test_pairs_have_the_same_name_and_shape(photographs: Path, tmp_path: Path) -> None:
    painted = paintings(photographs, tmp_path / "painted", 10)
    (painted / "03.bmp").rename(painted / "stranger.bmp")
    Image.new("RGB", (20, 16)).save(painted / "05.bmp")
    (painted / "07.bmp").write_bytes(b"BM")
    Image.fromarray(np.kron(np.asarray(Image.open(photographs / "09.png")), np.ones((3, 3, 1), np.uint8))).save(
        photographs / "09.png"
    )
    pairs, omitted = load_pairs(photographs, painted)  # the photograph of 09 is shrunk to the size it was painted at
    assert [(pair[0, 0, 0], pair[0, 0, 3]) for pair in pairs[:4]] == [(100, 90), (101, 91), (102, 92), (104, 94)]
    assert len(pairs) == 17
    assert len(omitted.failed) == 3
    assert all(any(name in sentence for sentence in omitted.failed) for name in ("05.bmp", "07.bmp", "stranger.bmp"))
    with_tree = [tmp_path / "tree" / part for part in ("photographs", "painted")]
    for place, brightness in zip(with_tree, (100, 50), strict=True):
        for number, name in enumerate(("a/1", "b/1")):
            (place / name).parent.mkdir(parents=True)
            Image.new("L", (16, 16), brightness + number).save(place / f"{name}.png")
    pairs, _ = load_pairs(*with_tree)
    assert [(pair[0, 0, 0], pair[0, 0, 3]) for pair in pairs] == [(100, 50), (101, 51)]
    (tmp_path / "others").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "others" / "a.png")
    with pytest.raises(SdeditError, match="name and shape"):
        load_pairs(photographs, tmp_path / "others")


def test_a_run_begins_with_the_weights_it_is_given(
    sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    recipe.write_text(RECIPE.replace("pictures = 2000", "pictures = 1").replace("warmup = 5", "muon = 0\nadam = 0"))
    save_checkpoint(make_tiny_model(3), tmp_path / "start.safetensors")
    result = sdedit("train", recipe, "--data", photographs, "--start", "start.safetensors", "-o", "run", "--quiet")
    assert result.returncode == 0, result.stderr
    ours = load_model(tmp_path / "run" / "model.safetensors", precision="fp32").network.state_dict()
    for name, tensor in make_tiny_model(3).network.state_dict().items():
        torch.testing.assert_close(ours[name], tensor.half().float(), rtol=0, atol=0, msg=name)


def test_models_that_do_not_fit(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    save_checkpoint(replace(make_tiny_model(), card={"name": "mite"}), tmp_path / "tiny.safetensors")
    words = ["train", recipe, "--data", photographs, "-o", "run", "--quiet"]
    fails_in_one_sentence(sdedit(*words, "--weak", "tiny.safetensors"), "--start")
    fails_in_one_sentence(sdedit(*words, "--start", "tiny.safetensors", "--strong", "tiny.safetensors"), "--weak")
    fails_in_one_sentence(sdedit(*words, "--painted", photographs), "--start")
    both = ["--painted", photographs, "--weak", "tiny.safetensors"]
    fails_in_one_sentence(sdedit(*words, "--start", "tiny.safetensors", *both), "--weak")
    fails_in_one_sentence(sdedit(*words, "--start", "missing.safetensors"), "missing.safetensors")
    recipe.write_text(RECIPE + "[adversary]\nweight = 1.0\n")
    judged = ["--start", "tiny.safetensors", "--weak", "tiny.safetensors"]
    fails_in_one_sentence(sdedit(*words, *judged), "adversary", "--weak")
    recipe.write_text(RECIPE.replace("channels = [16, 16]", "channels = [16, 32]"))
    fails_in_one_sentence(sdedit(*words, "--start", "tiny.safetensors"), "mite", "[network]")
    assert not (tmp_path / "run").exists()
