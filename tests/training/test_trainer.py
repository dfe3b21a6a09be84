"""Training: recipes, photographs, a run that learns, and runs that are stopped, killed, resumed and shared."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdedit.checkpoints.load import load_model
from sdedit.errors import SdeditError
from sdedit.io.photographs import centre_squares, load_photographs, spread
from sdedit.training.config import load_train_config
from sdedit.training.writer import Writer
from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.folders import REPOSITORY
from tests.helpers.training import RECIPE, stripes


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
    assert [sentence.split(" is ")[0].rpartition("/")[2] for sentence in bad.failed + bad_too.failed] == ["bad.jpg"] * 2
    by_sum = sorted(from_folder, key=lambda picture: picture.sum())
    for ours, theirs in zip(by_sum, sorted(from_archive, key=lambda picture: picture.sum()), strict=True):
        assert (ours == theirs).all()


def test_pictures_are_brought_to_the_shortest_side(photographs: Path) -> None:
    pictures, _ = load_photographs(photographs, 10)
    assert pictures[0].shape == (10, 12, 3)
    pictures, _ = load_photographs(photographs, 40)
    assert pictures[0].shape == (40, 48, 3)
    pictures, _ = load_photographs(photographs)
    assert (pictures[0] == np.asarray(stripes(0))).all()


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_bytes(b"not a tar")])
def test_data_that_cannot_be_used(tmp_path: Path, make: object) -> None:
    make(tmp_path / "data")  # type: ignore[operator]
    with pytest.raises(SdeditError, match="data"):
        load_photographs(tmp_path / "data", 20)


def test_a_few_pictures_stand_for_all() -> None:
    pictures = [np.full((1, 1, 3), value, np.uint8) for value in range(10)]
    assert [int(picture.max()) for picture in spread(pictures, 4)] == [0, 2, 5, 7]
    assert spread(pictures, 99) == pictures


def test_centre_squares() -> None:
    picture = np.asarray(stripes(0, 40, 20))
    square = centre_squares([picture], 20)
    assert (square[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy().tolist() == picture[:, 10:30].tolist()


def test_a_run_learns_and_its_model_paints(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("pictures = 600", "pictures = 2000"))
    result = sdedit("train", recipe, "--data", photographs, "-o", "run")
    assert result.returncode == 0, result.stderr
    assert "22 photographs to learn from, 2 to measure on" in result.stderr.decode()
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    # A network that answers 0 scores about 1 at middle noise; two flat colours are easily told from it.
    errors = {row["ema"]: float(row["mean"]) for row in rows}
    assert set(errors) == {"0.1", "0.2"}
    assert float(rows[-1]["sigma 0.3"]) < 0.4
    assert list((tmp_path / "run").glob("preview-*.png"))
    assert Image.open(next((tmp_path / "run").glob("preview-*.png"))).width > 3 * 16

    model = load_model(tmp_path / "run" / "model.safetensors", precision="fp32")
    assert (model.name, model.native_size, model.card["training"]["pictures"] >= 2000) == ("stripes", 16, True)
    best = min(errors, key=errors.__getitem__)
    assert f"{model.card['training']['ema']:g}" == best
    assert f"the average over {best} of the run has the smallest error" in result.stderr.decode()
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


def test_data_sets_by_name(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text().replace("side = 8", 'side = 8\ndata = ["odd"]').replace("= 600", "= 1"))
    words = ["train", recipe, "--validation", photographs / "more", "--data", f"even={photographs}", "--quiet"]
    result = sdedit(*words, "--data", f"odd={photographs / 'more'}", "-o", "run")
    assert result.returncode == 0, result.stderr
    fails_in_one_sentence(sdedit(*words, "-o", "other"), "odd")


def finished_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a run's state: weights, averages and moments."""
    return torch.load(folder / "state.pt", weights_only=True)["tensors"]


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


def test_stopped_and_resumed_equals_uninterrupted(
    sdedit: Command, often_saved: Path, photographs: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    words = ["train", often_saved, "--data", photographs, "--quiet", "-o"]
    assert sdedit(*words, whole).returncode == 0

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

    assert sdedit(*words, parts, "--resume").returncode == 0
    for name, tensor in finished_weights(whole).items():
        assert torch.equal(finished_weights(parts)[name], tensor), name


def test_killed_and_resumed(sdedit: Command, often_saved: Path, photographs: Path, tmp_path: Path) -> None:
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
    assert sdedit("train", often_saved, "--data", photographs, "-o", run, "--quiet", "--resume").returncode == 0
    assert load_model(run / "model.safetensors").card["training"]["pictures"] >= 2000


def test_two_processes_learn_what_one_does(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    # No decay, so that the batches of half a budget are the first half of those of a whole one.
    plain = RECIPE.replace("warmup = 5", "warmup = 5\ndecay_from = 0.99")
    torchrun = [str(Path(sys.executable).parent / "torchrun"), "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def shared(*words: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*torchrun, "--no-python", "--", SDEDIT, *map(str, words)],
            capture_output=True,
            env=environment,
            check=False,
        )

    for run, folder in ((sdedit, "one"), (shared, "two")):
        for pictures, more in ((80, []), (160, ["--resume"])):
            recipe.write_text(plain.replace("pictures = 600", f"pictures = {pictures}"))
            result = run("train", recipe, "--data", photographs, "-o", tmp_path / folder, *more, "--device", "cpu")
            assert result.returncode == 0, result.stderr
            assert result.stderr.count(b"22 photographs to learn from") == 1
    first, second = (finished_weights(tmp_path / folder) for folder in ("one", "two"))
    for name in ("values", "average 0.1"):
        assert float((first[name] - second[name]).norm() / first[name].norm()) < 0.01, name
    # The moments tell whether the gradients were those of the same pictures.
    for name in ("momentum", "first"):
        assert float((first[name] - second[name]).norm() / first[name].norm()) < 0.2, name
    # Without "--" torchrun takes --start for an option of its own, and refuses it.
    refused = shared("train", recipe, "--data", photographs, "-o", tmp_path / "three", "--start", "nowhere.safetensors")
    assert b"sdedit: " in refused.stderr
    assert b"nowhere.safetensors" in refused.stderr


def test_processes_that_cannot_share_a_batch(sdedit: Command, recipe: Path, photographs: Path) -> None:
    words = ("train", recipe, "--data", photographs, "-o", "run", "--quiet")
    result = sdedit(*words, env={"RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0"})
    fails_in_one_sentence(result, "3 processes", "torchrun")


def test_files_are_written_in_turn_beside_the_work(tmp_path: Path) -> None:
    done, go = [], threading.Event()

    def first() -> None:
        assert go.wait(10)
        done.append("first")

    with Writer() as writer:
        writer.submit(first)
        done.append("work")
        go.set()
        writer.submit(lambda: done.append("second"))
    assert done == ["work", "first", "second"]


def test_what_the_writer_cannot_write_is_told() -> None:
    def fail() -> None:
        raise SdeditError("the disk is full")

    def later() -> None:
        with Writer() as writer:
            writer.submit(fail)
            writer.submit(lambda: None)

    def at_the_end() -> None:
        with Writer() as writer:
            writer.submit(fail)

    for run in (later, at_the_end):
        with pytest.raises(SdeditError, match="disk is full"):
            run()


def test_resuming_what_cannot_be_resumed(sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path) -> None:
    words = ["train", recipe, "--data", photographs, "-o", "run", "--quiet", "--resume"]
    fails_in_one_sentence(sdedit(*words), "run", "without --resume")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
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
        (("side = 8", "side = 7"), ["side", "multiple of 2"]),
        (("side = 8", ""), ["side"]),
        (("shrink_to = 16", "shrink_to = 4"), ["shrink_to", "side"]),
        (("batch = 8", "batch = 0"), ["batch"]),
        (("batch = 8", 'batch = "many"'), ["batch", "whole number"]),
        (("batch = 8", "crop = 8"), ["crop", "batch"]),
        (("batch = 8", "zoom = 1.5"), ["zoom", "(0, 1]"]),
        (("batch = 8", "data = [3]"), ["data", "names"]),
        (("[[batches]]\nside = 8", "[batches]\nside = 8"), ["TOML"]),
        (("[data]", "batches = 3\n[data]"), ["batches"]),
        (("ema = [0.1, 0.2]", "ema = 0.998"), ["ema", "0.289"]),
        (("ema = [0.1, 0.2]", "ema = [0.1, 0.1]"), ["ema", "twice"]),
        (("ema = [0.1, 0.2]", "ema = []"), ["ema", "number"]),
        (("pictures = 600", "minutes = 0"), ["budget"]),
        (("[budget]", "[guidance]\nbelow = 0\n[budget]"), ["below", "above 0"]),
        (("[optimiser]", "[optimizer]"), ["optimizer"]),
        (("channels = [16, 32]", "channels = [16]"), ["blocks"]),
        (("stem_channels = 16", ""), ["stem_channels"]),
        (("[card]", "[card"), ["TOML"]),
        (("preview_steps = 3", "preview_t0 = 400"), ["preview_t0", "did you mean 0.4?"]),
        (("preview_steps = 3", "preview_steps = 0"), ["preview_steps"]),
        (("checkpoint_minutes = 5", "checkpoint_minutes = 0"), ["checkpoint_minutes"]),
        (("warmup = 5", "muon = -1"), ["muon"]),
        (("warmup = 5", "clip = 0"), ["clip"]),
        (("[optimiser]", "[preconditioning]\nsigma_data = 0\n[optimiser]"), ["sigma_data"]),
    ],
)
def test_bad_recipes(recipe: Path, change: tuple[str, str], words: list[str]) -> None:
    recipe.write_text(RECIPE.replace(*change, 1))
    with pytest.raises(SdeditError) as caught:
        load_train_config(recipe)
    for word in ["recipe.toml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_recipes_as_windows_writes_them(recipe: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    expected = load_train_config(recipe)
    recipe.write_bytes(RECIPE.replace("\n", "\r\n").encode(encoding))
    assert load_train_config(recipe) == expected
    monkeypatch.setenv("HOME", str(recipe.parent))
    (recipe.parent / "below").mkdir()
    second = recipe.parent / "below" / "second.toml"
    second.write_bytes('base = "~/recipe.toml"\n'.encode(encoding))
    assert load_train_config(second) == expected


def test_a_folder_with_results_of_another_run_is_left_alone(
    sdedit: Command, recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    words = ["train", recipe, "--data", photographs, "-o", "run", "--quiet"]
    (tmp_path / "run").mkdir()
    for name in ("model.safetensors", "log.csv"):
        (tmp_path / "run" / name).write_bytes(b"of another run")
        fails_in_one_sentence(sdedit(*words), f"run already holds {name} of another run")
        fails_in_one_sentence(sdedit(*words, "--resume"), "it lacks state.pt")
        (tmp_path / "run" / name).unlink()


def test_no_recipe(sdedit: Command, photographs: Path) -> None:
    result = sdedit("train", "missing.toml", "--data", photographs, "-o", "run", "--quiet")
    fails_in_one_sentence(result, "missing.toml")


def test_a_recipe_on_top_of_another(recipe: Path) -> None:
    second = recipe.with_name("second.toml")
    second.write_text('base = "recipe.toml"\n[optimiser]\nwarmup = 9\n[card]\nname = "second"\n')
    first, config = load_train_config(recipe), load_train_config(second)
    assert config.optimiser == replace(first.optimiser, warmup=9)
    assert config.batches == first.batches
    assert config.card == {**first.card, "name": "second"}
    assert (config.network, config.data, config.budget) == (first.network, first.data, first.budget)
    third = recipe.with_name("third.toml")
    third.write_text('base = "second.toml"\n[optimiser]\ndecay_from = 0.25\n')
    assert load_train_config(third) == replace(config, optimiser=replace(config.optimiser, decay_from=0.25))


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ('"missing.toml"', ["missing.toml"]),
        ("3", ["base must be"]),
        ('"second.toml"', ["base"]),
        ('"third.toml"', ["third.toml", "second.toml", "its own"]),
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


def test_the_built_in_models_stages_follow_each_other() -> None:
    folder = REPOSITORY / "configs" / "landscapes-256"
    unet, detail = (load_train_config(folder / name) for name in ("1-adversarial.toml", "2-detail.toml"))
    assert unet.network == load_train_config(REPOSITORY / "configs" / "landscapes-128" / "1-base.toml").network
    assert unet.network.begins(detail.network)
    assert detail.data.size == 2 * unet.data.size
    assert load_model(device="cpu").network.config == detail.network
    contrasted, again = (load_train_config(folder / f"{name}.toml") for name in ("3-contrasted", "4-contrasted-detail"))
    assert contrasted.network == unet.network
    assert (again.network, again.preconditioning) == (detail.network, detail.preconditioning)
    assert again.adversary.weight == 0
    finisher = load_train_config(folder / "5-finisher.toml")
    assert finisher.network == detail.network
    assert replace(finisher.schedule, sigma_finish=0.0) == detail.schedule


def test_strokes_are_six_flat_colours() -> None:
    from sdedit.pipelines.strokes import simulate_strokes

    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    photo = Image.fromarray(noise).resize((256, 300))
    strokes = simulate_strokes(photo)
    assert strokes.size == photo.size
    assert len(strokes.getcolors()) <= 6
