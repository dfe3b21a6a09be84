"""Runs that are killed, interrupted, repeated and changed: nothing lost, nothing doubled, nothing half-written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.io.writing import remove_abandoned_parts
from sdedit.jobs.batch.ledger import Ledger
from sdedit.jobs.paint_files import paint_files
from tests.helpers.commands import Command, start, wait_for_growth
from tests.helpers.folders import make_guides, pictures
from tests.helpers.images import blocks_picture
from tests.helpers.models import make_tiny_model, sampled

KILLS = int(os.environ.get("SDEDIT_TEST_KILLS", "3"))


@pytest.fixture
def options(tiny_checkpoint: Path) -> list[object]:
    return ["--model", tiny_checkpoint, "--seed", 7, "--quiet"]


def ledger_lines(folder: Path) -> list[dict]:
    """The lines of a ledger, without those a killed writer tore: readers skip them as well."""
    return list(Ledger(folder).new_lines())


def test_killed_at_random_moments(sdedit: Command, options: list[object], tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 100)
    words = [guides, *options, "--steps", 60]
    assert sdedit("paint", *words, "-o", tmp_path / "whole").returncode == 0
    moments = random.Random(5)
    out = tmp_path / "out"
    kills = 0
    for _ in range(KILLS):
        size = (out / "sdedit.jsonl").stat().st_size if out.exists() else 0
        process = start(*words, "-o", out)
        if wait_for_growth(out / "sdedit.jsonl", process, size):
            time.sleep(moments.uniform(0, 0.2))
            kills += process.poll() is None
            process.kill()
        process.wait()
    assert kills > KILLS / 2
    done = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert sdedit("paint", *words, "-o", out).returncode == 0
    assert pictures(out) == pictures(tmp_path / "whole")
    assert len(pictures(out)) == 100
    assert {path: path.stat().st_mtime_ns for path in done} == done  # none painted twice
    recorded = [line["output"] for line in ledger_lines(out) if line.get("recipe")]
    assert sorted(recorded) == sorted(pictures(out))


def test_parts_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    code = """if True:
        import pathlib, sys, time
        from sdedit.io.writing import write_atomically
        def write(file):
            file.write(b"half"); file.flush(); print("writing", flush=True); time.sleep(60)
        write_atomically(pathlib.Path(sys.argv[1]), write)"""
    writers = []
    for name in ("dead.png", "living.png"):
        writer = subprocess.Popen([sys.executable, "-c", code, tmp_path / name], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writers.append(writer)
    (tmp_path / ".other.part").write_bytes(b"")  # of nobody who is alive
    writers[0].kill()
    writers[0].wait()
    try:
        assert remove_abandoned_parts(tmp_path) == 2
        (left,) = tmp_path.iterdir()
        assert left.name.startswith(".living.png.")
    finally:
        writers[1].kill()
        writers[1].wait()


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "term")]
)
def test_signals_end_in_order(
    tiny_checkpoint: Path, tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    guides = make_guides(tmp_path / "guides", 60)
    out = tmp_path / "out"
    process = start(guides, "-o", out, "--model", tiny_checkpoint, "--steps", 300)
    assert wait_for_growth(out / "sdedit.jsonl", process, 100)
    process.send_signal(number)
    said = process.communicate(timeout=300)[1].decode()
    assert process.returncode == code
    assert word in said
    assert "same command goes on" in said.splitlines()[-1]
    assert "Traceback" not in said
    found = pictures(out)
    assert 0 < len(found) < 60
    for name in found:
        Image.open(out / name).load()


def test_a_seed_is_drawn_once_for_a_folder(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 3)
    words = ["paint", guides, "-o", "out", "--model", tiny_checkpoint, "--steps", 2, "--batch", 1]
    assert sdedit(*words).returncode == 0
    before = pictures(tmp_path / "out")
    (tmp_path / "out" / "b" / "001.png").unlink()
    assert sdedit(*words).returncode == 0
    assert pictures(tmp_path / "out") == before
    assert sdedit(*words[:3], "other", *words[4:]).returncode == 0
    assert pictures(tmp_path / "other") != before


def test_what_is_done_is_judged_by_its_recipe(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 4)

    def statuses(**options: object) -> list[str]:
        results = paint_files(guides, tmp_path / "out", **{"model": tiny_checkpoint, "seed": 7, **options})
        return sorted("kept" if result.reason else result.status for result in results)

    assert statuses(sampling=sampled(2)) == ["painted"] * 4
    assert statuses(sampling=sampled(2)) == ["skipped"] * 4
    assert statuses(sampling=sampled(2), batch=3) == ["skipped"] * 4
    assert statuses(sampling=sampled(3), skip_existing=True) == ["skipped"] * 4
    assert statuses(sampling=sampled(3)) == ["kept"] * 4
    assert statuses(sampling=sampled(3), overwrite=True) == ["painted"] * 4
    last: dict[str, object] = {"sampling": sampled(3)}
    for name, value in (
        ("t0", 0.4),
        ("seed", 8),
        ("size", 20),
        ("background", "black"),
        ("sampling", sampled(3, "ancestral")),
    ):
        last[name] = value
        before = pictures(tmp_path / "out")
        assert statuses(**last) == ["kept"] * 4, name
        assert pictures(tmp_path / "out") == before
        assert statuses(**last, overwrite=True) == ["painted"] * 4, name
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(tiny_checkpoint.read_bytes())
    assert statuses(**last, model=copy) == ["skipped"] * 4  # the same weights under another name
    save_checkpoint(make_tiny_model(seed=1), copy)
    assert statuses(**last, model=copy) == ["kept"] * 4
    assert statuses(**last, model=copy, overwrite=True) == ["painted"] * 4
    assert statuses(**last, overwrite=True) == ["painted"] * 4
    # A guide that was touched, one that was changed, a picture that was cut, and one of somebody else.
    (guides / "a" / "000.png").touch()
    blocks_picture(30, 30).save(guides / "b" / "001.png")
    cut = tmp_path / "out" / "c" / "002.png"
    cut.write_bytes(cut.read_bytes()[:-5])
    blocks_picture().save(tmp_path / "out" / "a" / "003.png")
    assert statuses(**last) == ["failed", "painted", "painted", "skipped"]
    assert Image.open(tmp_path / "out" / "a" / "003.png").size == (24, 20)
    assert statuses(**last, overwrite=True) == ["painted"] * 4


def test_what_another_recipe_made_is_kept_and_told(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 3)
    words = ["paint", guides, "-o", "out", "--model", tiny_checkpoint, "--steps", 2]
    assert sdedit(*words, "--seed", 7).returncode == 0
    before = pictures(tmp_path / "out")
    for options, told in (
        (["--seed", 8], "seed 7, not 8"),
        (["--t0", 0.4], "t0 0.5, not 0.4"),
        (["--size", 20], "size 16, not 20"),
        (["--steps", 3], "steps 2, not 3"),
    ):
        again = sdedit(*words, *options, "--json")
        assert again.returncode == 3
        said = again.stderr.decode()
        assert "0 painted, 0 done before, 3 kept, 0 failed" in said
        assert f"3 of 3 are kept, the first since it was made with {told}; add --overwrite" in said
        assert {line["reason"] for line in map(json.loads, again.stdout.splitlines())} == {f"it was made with {told}"}
        assert pictures(tmp_path / "out") == before
    # What is missing is painted beside them.
    (tmp_path / "out" / "b" / "001.png").unlink()
    assert "1 painted, 0 done before, 2 kept" in sdedit(*words, "--t0", 0.4).stderr.decode()
    assert sdedit(*words, "--seed", 8, "--overwrite").returncode == 0
    assert not set(before.values()) & set(pictures(tmp_path / "out").values())


def test_edits_of_another_recipe_are_kept(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    for name in ("photos", "strokes"):
        (tmp_path / name).mkdir()
        for number in range(2):
            blocks_picture(40, 40).save(tmp_path / name / f"{number}.png")
            picture = Image.open(tmp_path / name / f"{number}.png")
            if name == "strokes":
                picture.paste("red", (10, 10, 20, 20))
            picture.save(tmp_path / name / f"{number}.png")
    words = ["edit", "photos", "--strokes", "strokes", "-o", "out", "--model", tiny_checkpoint, "--steps", 2]
    assert sdedit(*words, "--seed", 7).returncode == 0
    before = pictures(tmp_path / "out")
    assert "context 0.5, not 1" in sdedit(*words, "--seed", 7, "--context", 1).stderr.decode()
    assert pictures(tmp_path / "out") == before


def test_two_processes_in_one_folder(sdedit: Command, options: list[object], tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 60)
    words = [guides, *options, "--steps", 20]
    assert sdedit("paint", *words, "-o", tmp_path / "whole").returncode == 0
    both = [start(*words, "-o", tmp_path / "out") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert pictures(tmp_path / "out") == pictures(tmp_path / "whole")
    assert {line["output"] for line in ledger_lines(tmp_path / "out")} == set(pictures(tmp_path / "whole"))
