"""Training: data, optimiser, a run that learns, and runs that are stopped, killed and resumed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from sdedit.checkpoints.load import load_model
from sdedit.errors import SdeditError
from sdedit.io.photographs import centre_squares, load_photographs, spread
from sdedit.training.batches import random_batch, stratified_normal
from sdedit.training.config import OptimiserConfig, load_train_config
from sdedit.training.optimiser import Optimiser, update_average
from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.folders import REPOSITORY

RECIPE = """
[network]
stem_channels = 16
channels = [16, 32]
blocks = [1, 1]
fourier_scale = 1.0
resampling = "mean"

[data]
size = 16
crop = 8
full_size_every = 3

[optimiser]
batch = 8
warmup = 5
ema = 0.9

[budget]
pictures = 600

[report]
validation_pictures = 4
checkpoint_minutes = 5
preview_steps = 3

[card]
name = "stripes"
"""


def stripes(index: int, width: int = 24, height: int = 20) -> Image.Image:
    """Two flat colours, different in each picture."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2] = (200 - 3 * index, 150, 100 + 4 * index)
    pixels[height // 2 :] = (40, 90 + 5 * index, 60)
    return Image.fromarray(pixels)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for index in range(24):
        stripes(index).save(folder / ("more" if index % 2 else ".") / f"{index:02}.png")
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_folder_and_archive_give_the_same_pictures(photographs: Path, tmp_path: Path) -> None:
    (photographs / "bad.jpg").write_bytes(b"not a picture")
    (photographs / "notes.txt").write_text("not looked at")
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(photographs, "photographs")
    from_folder, bad = load_photographs(photographs, 20)
    from_archive, bad_too = load_photographs(tmp_path / "all.tar", 20)
    assert len(from_folder) == len(from_archive) == 24
    assert [Path(name).name for name in bad + bad_too] == ["bad.jpg", "bad.jpg"]
    by_sum = sorted(from_folder, key=lambda picture: picture.sum())
    for ours, theirs in zip(by_sum, sorted(from_archive, key=lambda picture: picture.sum()), strict=True):
        assert (ours == theirs).all()


def test_pictures_are_brought_to_the_shortest_side(photographs: Path) -> None:
    pictures, _ = load_photographs(photographs, 10)
    assert pictures[0].shape == (10, 12, 3)
    pictures, _ = load_photographs(photographs, 40)
    assert pictures[0].shape == (40, 48, 3)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_bytes(b"not a tar")])
def test_data_that_cannot_be_used(tmp_path: Path, make: object) -> None:
    make(tmp_path / "data")  # type: ignore[operator]
    with pytest.raises(SdeditError, match="data"):
        load_photographs(tmp_path / "data", 20)


def test_random_windows() -> None:
    # Each pixel holds its own place, so that a window shows where it was cut and whether it was mirrored.
    rows, columns = np.mgrid[:30, :40].astype(np.uint8)
    picture = np.stack([rows, columns, np.zeros_like(rows)], axis=2)
    batch = (random_batch([picture], 200, 16, torch.Generator().manual_seed(0)) * 255).round()
    assert batch.shape == (200, 3, 16, 16)
    down = batch[:, 0, 0, 0]
    assert (batch[:, 0, 15, 3] - down == 15).all()
    step = batch[:, 1, 0, 1] - batch[:, 1, 0, 0]
    assert set(step.tolist()) == {1.0, -1.0}
    assert 60 < (step > 0).sum() < 140
    assert set(down.tolist()) == {float(top) for top in range(15)}
    left = torch.minimum(batch[:, 1, 0, 0], batch[:, 1, 0, 15])
    assert left.min() == 0
    assert left.max() == 24


def test_stratified_normal() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([stratified_normal(8, generator) for _ in range(2000)])
    octiles = torch.special.ndtri(torch.arange(1, 8) / 8)
    assert all(sorted(torch.bucketize(row, octiles).tolist()) == list(range(8)) for row in draws)
    assert float(draws.mean()) == pytest.approx(0, abs=0.01)
    assert float(draws.std()) == pytest.approx(1, abs=0.02)
    assert float((draws[:, 0] * draws[:, 1]).mean()) == pytest.approx(-1 / 7, abs=0.06)  # and in random order


def test_a_few_pictures_stand_for_all() -> None:
    pictures = [np.full((1, 1, 3), value, np.uint8) for value in range(10)]
    assert [int(picture.max()) for picture in spread(pictures, 4)] == [0, 2, 5, 7]
    assert spread(pictures, 99) == pictures


def test_centre_squares() -> None:
    picture = np.asarray(stripes(0, 40, 20))
    square = centre_squares([picture], 20)
    assert (square[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy().tolist() == picture[:, 10:30].tolist()


def test_every_parameter_moves_at_the_planned_rate() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3), nn.Conv2d(64, 32, 1))
    network = network.to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, OptimiserConfig(muon=0.01, adam=0.02, warmup=4, decay_from=0.5))

    def step(batches_done: int, used: float) -> dict[str, torch.Tensor]:
        network(torch.randn(2, 3, 12, 12)).square().mean().backward()
        before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        optimiser.step(batches_done, used)
        return {name: parameter.detach() - before[name] for name, parameter in network.named_parameters()}

    change = step(4, 0.0)
    # AdamW's first step is the learning rate in every entry.
    torch.testing.assert_close(change["0.weight"].abs(), torch.full((32, 3, 3, 3), 0.02), rtol=0.1, atol=0)
    # Muon's step is near orthogonal: all singular values of the (32, 64) matrix alike, RMS 0.2 times the rate.
    values = torch.linalg.svdvals(change["2.weight"][:, :, 0, 0])
    assert values.max() / values.min() < 2.5
    assert float(change["1.weight"].square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.4)
    # Warm-up and decay scale it.
    assert float(step(0, 0.0)["1.weight"].norm() / change["1.weight"].norm()) == pytest.approx(0.25, rel=0.1)
    assert float(step(9, 0.75)["1.weight"].norm() / change["1.weight"].norm()) == pytest.approx(0.5, rel=0.1)
    assert float(step(9, 1.0)["1.weight"].norm()) == 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_muon_refuses_weights_it_could_not_update() -> None:
    with pytest.raises(ValueError, match="channels_last"):
        Optimiser(nn.Conv2d(32, 32, 3), OptimiserConfig())


def test_average_follows_the_weights() -> None:
    network, average = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.constant_(network.weight, 1.0)
    nn.init.constant_(average.weight, 0.0)
    update_average(average, network, 0.99, 0)  # early: decay 1/10
    assert average.weight.item() == pytest.approx(0.9)
    nn.init.constant_(average.weight, 0.0)
    update_average(average, network, 0.99, 10**6)
    assert average.weight.item() == pytest.approx(0.01)


def test_a_run_learns_and_its_model_paints(
    sdedit: Command, installed: Command, recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    recipe.write_text(RECIPE.replace("pictures = 600", "pictures = 2000"))
    result = installed("train", recipe, "--data", photographs, "-o", "run")
    assert result.returncode == 0, result.stderr
    assert "22 photographs to learn from, 2 to measure on" in result.stderr.decode()
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    # A network that answers 0 scores about 1 at middle noise; two flat colours are easily told from it.
    assert float(rows[-1]["sigma 0.3"]) < 0.4
    assert list((tmp_path / "run").glob("preview-*.png"))
    assert Image.open(next((tmp_path / "run").glob("preview-*.png"))).width > 3 * 16

    model = load_model(tmp_path / "run" / "model.safetensors", precision="fp32")
    assert (model.name, model.native_size, model.card["training"]["pictures"] >= 2000) == ("stripes", 16, True)
    painted = sdedit("paint", photographs / "00.png", "--model", "run/model.safetensors", "--steps", 5, "-o", "a.png")
    assert painted.returncode == 0, painted.stderr
    fails_in_one_sentence(sdedit("train", recipe, "--data", photographs, "-o", "run", "--quiet"), "--resume")


def test_photographs_from_several_places(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("pictures = 600", "pictures = 1"))
    result = sdedit("train", recipe, "--data", photographs / "more", "--data", photographs, "-o", "run")
    assert result.returncode == 0, result.stderr
    assert "35 photographs to learn from, 1 to measure on" in result.stderr.decode()
    result = sdedit("train", recipe, "--data", photographs, "--data", "missing", "-o", "other", "--quiet")
    fails_in_one_sentence(result, "missing")


def finished_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder / "model.safetensors", precision="fp32").network.state_dict()


@pytest.fixture
def often_saved(recipe: Path) -> Path:
    recipe.write_text(RECIPE.replace("checkpoint_minutes = 5", "checkpoint_minutes = 0.005"))
    return recipe


def start(recipe: Path, photographs: Path, folder: Path, *more: str) -> subprocess.Popen:
    words = [SDEDIT, "train", recipe, "--data", photographs, "-o", folder, "--quiet", *more]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def saves_its_state(process: subprocess.Popen, folder: Path) -> bool:
    """Wait until a training saves its state, for the first time or again; False if it ended before."""

    def saved_at() -> int:
        return (folder / "state.pt").stat().st_mtime_ns if (folder / "state.pt").exists() else 0

    before = saved_at()
    while saved_at() == before:
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return True


def test_stopped_and_resumed_equals_uninterrupted(often_saved: Path, photographs: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert start(often_saved, photographs, whole).wait() == 0

    for attempt in range(5):  # the run may end before the signal comes
        parts = tmp_path / f"parts-{attempt}"
        process = start(often_saved, photographs, parts)
        assert saves_its_state(process, parts)
        process.send_signal(signal.SIGTERM)
        error = process.communicate()[1].decode()
        if process.returncode != 0:
            break
    assert process.returncode == 143
    assert error == "sdedit: SIGTERM ended the training; its state is saved, go on with --resume\n"

    assert start(often_saved, photographs, parts, "--resume").wait() == 0
    for name, tensor in finished_weights(whole).items():
        torch.testing.assert_close(finished_weights(parts)[name], tensor, rtol=0, atol=1e-3, msg=name)


def test_killed_and_resumed(often_saved: Path, photographs: Path, tmp_path: Path) -> None:
    often_saved.write_text(often_saved.read_text().replace("pictures = 600", "pictures = 2000"))
    run = tmp_path / "run"
    process = start(often_saved, photographs, run)
    assert saves_its_state(process, run)
    process.kill()
    process.wait()
    for delay in (0.0, 0.2):  # and again, when it has resumed and saved
        process = start(often_saved, photographs, run, "--resume")
        saves_its_state(process, run)
        time.sleep(delay)
        process.kill()
        process.wait()
    assert start(often_saved, photographs, run, "--resume").wait() == 0
    assert load_model(run / "model.safetensors").card["training"]["pictures"] >= 2000


def test_resuming_what_cannot_be_resumed(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    words = ["train", recipe, "--data", photographs, "-o", "run", "--quiet", "--resume"]
    fails_in_one_sentence(sdedit(*words), "run", "without --resume")
    (tmp_path / "run" / "state.pt").write_bytes(b"not a state")
    fails_in_one_sentence(sdedit(*words), "state.pt", "cannot be resumed")


def test_a_state_that_carries_code_is_not_run(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "run").mkdir()
    torch.save({"network": Trap()}, tmp_path / "run" / "state.pt")
    result = sdedit("train", recipe, "--data", photographs, "-o", "run", "--quiet", "--resume")
    fails_in_one_sentence(result, "state.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("size = 16", "size = 15"), ["size", "multiple of 2"]),
        (("crop = 8", "crop = 32"), ["crop"]),
        (("batch = 8", "batch = 0"), ["batch"]),
        (("batch = 8", 'batch = "many"'), ["batch", "whole number"]),
        (("batch = 8", "batches = 8"), ["batches", "batch"]),
        (("pictures = 600", "minutes = 0"), ["budget"]),
        (("[budget]", "[guidance]\nbelow = 0\n[budget]"), ["below", "above 0"]),
        (("[optimiser]", "[optimizer]"), ["optimizer"]),
        (("channels = [16, 32]", "channels = [16]"), ["blocks"]),
        (("stem_channels = 16", ""), ["stem_channels"]),
        (("[card]", "[card"), ["TOML"]),
    ],
)
def test_bad_recipes(recipe: Path, change: tuple[str, str], words: list[str]) -> None:
    recipe.write_text(RECIPE.replace(*change, 1))
    with pytest.raises(SdeditError) as caught:
        load_train_config(recipe)
    for word in ["recipe.toml", *words]:
        assert word in str(caught.value)


def test_no_recipe(sdedit: Command, photographs: Path) -> None:
    result = sdedit("train", "missing.toml", "--data", photographs, "-o", "run", "--quiet")
    fails_in_one_sentence(result, "missing.toml")


def test_a_recipe_on_top_of_another(recipe: Path) -> None:
    second = recipe.with_name("second.toml")
    second.write_text('base = "recipe.toml"\n[optimiser]\nbatch = 5\n[card]\nname = "second"\n')
    first, config = load_train_config(recipe), load_train_config(second)
    assert config.optimiser == replace(first.optimiser, batch=5)
    assert config.card == {**first.card, "name": "second"}
    assert (config.network, config.data, config.budget) == (first.network, first.data, first.budget)


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ('"missing.toml"', ["missing.toml"]),
        ("3", ["base must be"]),
        ('"second.toml"', ["base"]),
        ('"third.toml"', ["third.toml", "base itself"]),
    ],
)
def test_a_base_that_cannot_be_used(recipe: Path, base: str, words: list[str]) -> None:
    recipe.with_name("third.toml").write_text('base = "second.toml"\n')
    second = recipe.with_name("second.toml")
    second.write_text(f"base = {base}\n")
    with pytest.raises(SdeditError) as caught:
        load_train_config(second)
    for word in words:
        assert word in str(caught.value)


def test_the_recipes_that_ship_are_valid() -> None:
    folder = REPOSITORY / "configs" / "landscapes-128"
    first = load_train_config(folder / "1-base.toml")
    recipes = [load_train_config(path) for path in folder.glob("*.toml")]
    assert len(recipes) > 1
    for recipe in recipes:
        assert recipe.data.size == 128
        assert recipe.network == first.network  # each stage starts from what another ends with


def test_strokes_are_six_flat_colours() -> None:
    from sdedit.pipelines.strokes import simulate_strokes

    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    photo = Image.fromarray(noise).resize((256, 300))
    strokes = simulate_strokes(photo)
    assert strokes.size == photo.size
    assert len(strokes.getcolors()) <= 6
