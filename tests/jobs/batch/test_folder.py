"""Folders in batches: the same pictures however they are batched, memory that runs out, full disks, lists, Python."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sdedit as package
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.jobs.batch import engine
from sdedit.jobs.batch.ledger import Ledger, rebuild_ledger
from tests.helpers.commands import Command
from tests.helpers.folders import make_guides, pictures
from tests.helpers.images import blocks_picture
from tests.helpers.models import sampled


@pytest.fixture
def exact_model(tiny_model: ScoreModel) -> ScoreModel:
    """In float32, so that only what is wrong differs by more than rounding."""
    assert tiny_model.dtype == torch.float32
    return tiny_model


def test_a_picture_is_the_same_in_any_batch(exact_model: ScoreModel, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 20)
    options = {"model": exact_model, "seed": 3, "sampling": sampled(8), "variants": 2}
    folders = []
    for batch in (1, 3, 8):
        folders.append(tmp_path / str(batch))
        results = list(package.paint_files(guides, folders[-1], batch=batch, **options))
        assert len(results) == 40
        largest = max(result.recipe["batch"] for result in results if result.recipe)
        assert largest == batch
    again = tmp_path / "again"
    list(package.paint_files(guides, again, batch=8, **options))
    assert pictures(again) == pictures(folders[-1])  # bit for bit with the same batches
    for name in pictures(again):
        first, *others = (np.asarray(Image.open(folder / name)).astype(int) for folder in folders)
        assert all(np.abs(first - other).max() <= 1 for other in others)
    alone = list(package.paint_files(guides, tmp_path / "alone", include=("c/005.png",), **options))
    assert [result.recipe["seed"] for result in alone if result.recipe] == [
        json.loads(Image.open(again / f"c/005-{variant}.png").text["sdedit"])["seed"] for variant in (1, 2)
    ]


def test_shapes_that_the_network_sees_alike_share_batches(exact_model: ScoreModel, tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    for width in range(34, 42):  # 17 to 20 px wide at the native height of 16: all of them padded to 20
        blocks_picture(width, 32).save(tmp_path / "guides" / f"{width}.png")
    results = list(
        package.paint_files(tmp_path / "guides", tmp_path / "out", model=exact_model, sampling=sampled(2), seed=1)
    )
    assert {result.recipe["batch"] for result in results if result.recipe} == {8}
    for result in results:
        width = int(Path(result.input).stem)
        assert Image.open(result.output).size == (round(width / 2), 16)
        alone = package.paint(exact_model, Image.open(result.input), sampling=sampled(2), seed=result.recipe["seed"])  # type: ignore[index]
        assert np.abs(np.asarray(alone).astype(int) - np.asarray(Image.open(result.output))).max() <= 1


@pytest.mark.parametrize("fits", [3, 1, 0])
def test_out_of_memory_halves_the_batch(
    exact_model: ScoreModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    tried: list[int] = []
    synthesise = engine.synthesise_coarse_to_fine

    def cramped(model: ScoreModel, guides: torch.Tensor, *arguments: object) -> torch.Tensor:
        tried.append(len(guides))
        if len(guides) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return synthesise(model, guides, *arguments)  # type: ignore[arg-type]

    (tmp_path / "guides").mkdir()
    for number in range(16):
        blocks_picture().save(tmp_path / "guides" / f"{number}.png")
    monkeypatch.setattr(engine, "synthesise_coarse_to_fine", cramped)
    results = list(package.paint_files(tmp_path / "guides", tmp_path / "out", model=exact_model, sampling=sampled(2)))
    assert tried[:2] == [8, 4]
    assert max(tried[4:]) <= max(fits, 1)  # it is remembered
    if fits:
        assert {result.status for result in results} == {"painted"}
        assert {result.recipe["batch"] for result in results if result.recipe} == {2 if fits == 3 else 1}
    else:
        assert {result.error for result in results} == {engine._NO_MEMORY}
    assert len(results) == 16


def test_other_errors_of_torch_are_not_taken_for_it(
    exact_model: ScoreModel, guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("expected scalar type Float")

    monkeypatch.setattr(engine, "synthesise_coarse_to_fine", broken)
    with pytest.raises(RuntimeError, match="scalar type"):
        list(package.paint_files(guide, tmp_path / "out", model=exact_model))


def test_memory_does_not_grow_with_the_folder(exact_model: ScoreModel, tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    for number in range(100):
        blocks_picture().save(tmp_path / "guides" / f"{number}.png")
    alive = []
    painted = 0
    for result in package.paint_files(
        tmp_path / "guides", tmp_path / "out", model=exact_model, sampling=sampled(1), batch=1
    ):
        assert result.status == "painted"
        painted += 1
        if painted % 20 == 10:
            alive.append(sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects()))
    assert painted == 100
    assert max(alive) < min(alive) + 25  # windows of four, one of them ahead, and what waits to be written


def test_lists_and_what_they_may_hold(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    make_guides(tmp_path / "guides", 6)
    options = ["--model", tiny_checkpoint, "--steps", 1, "--json", "--quiet"]
    (tmp_path / "list.txt").write_text("guides/c/005.png\n\nguides/a/000.png\nmissing.png\nguides/c/005.png\n")
    result = sdedit("paint", "--from-file", "list.txt", "-o", "out", *options)
    assert result.returncode == 3
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["output"]: line["status"] for line in told} == {
        "out/guides/c/005.png": "painted", "out/guides/a/000.png": "painted", "out/missing.png": "failed",
    }  # fmt: skip
    assert "no file missing.png" in result.stderr.decode()
    piped = sdedit("paint", "--from-file", "-", "-o", "piped", *options, stdin=b"guides/b/001.png\0guides/b")
    assert piped.returncode == 0, piped.stderr
    assert set(pictures(tmp_path / "piped")) == {"guides/b/001.png", "guides/b/004.png"}


def test_options_that_cannot_be(exact_model: ScoreModel, guide: Path, tmp_path: Path) -> None:
    for options, word in (
        ({"t0": 0.5, "sigma": 1.0}, "same thing"), ({"overwrite": True, "skip_existing": True}, "contradict"),
        ({"t0": 2.0}, "t0"), ({"batch": -1}, "batch"), ({"variants": 0}, "variants"),
        ({"seed": -1}, "seed"), ({"shard": (3, 2)}, "shard"), ({"sampling": "x"}, "sampling"),
    ):  # fmt: skip
        with pytest.raises(SdeditError, match=word):
            list(package.paint_files(guide, tmp_path / "out", model=exact_model, **options))
    with pytest.raises(TypeError):
        package.paint_files(guide, tmp_path / "out", colour="red")
    (tmp_path / "plain").touch()
    with pytest.raises(SdeditError, match="is a file"):
        list(package.paint_files(guide, tmp_path / "plain", model=exact_model))


def test_a_disk_that_is_full_ends_the_work(
    exact_model: ScoreModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    guides = make_guides(tmp_path / "guides", 20)
    fsync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SdeditError, match="no space left"):
        list(package.paint_files(guides, tmp_path / "out", model=exact_model, sampling=sampled(1)))
    assert len(pictures(tmp_path / "out")) == 5
    assert len(calls) < 20  # it did not go on trying


def test_ledger_is_rebuilt_from_the_pictures(exact_model: ScoreModel, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 5)
    (guides / "bad.png").write_text("none")
    out = tmp_path / "out"
    list(package.paint_files(guides, out, model=exact_model, sampling=sampled(1)))

    def lines() -> dict[str | None, dict]:
        return {line.get("output"): line for line in Ledger(out).new_lines()}

    before = lines()
    assert before["bad.png"]["error"].endswith("image")
    assert before["a/000.png"]["input"] == str(guides / "a" / "000.png")
    with (out / "sdedit.jsonl").open("a") as file:
        file.write('{"torn')
    assert rebuild_ledger(out) == 5
    assert lines() == before
    (out / "sdedit.jsonl").unlink()
    assert rebuild_ledger(out) == 5
    rebuilt = lines()
    assert rebuilt[None] == before[None]  # the seed of the folder
    for name in pictures(out):
        assert rebuilt[name]["recipe"] == before[name]["recipe"]
        assert rebuilt[name]["input"] == name
    assert "bad.png" not in rebuilt


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    seed = ledger.claim_seed()
    with ledger.path.open("a") as file:
        file.write('{"output": "a.p')
    ledger.append({"output": "b.png"})
    assert list(ledger.new_lines()) == [{"seed": seed}, {"output": "b.png"}]
    assert list(ledger.new_lines()) == []
    assert Ledger(tmp_path).claim_seed() == seed
