"""Many processes on one folder: ranks of torchrun, shares, and the variables of schedulers."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdedit.errors import SdeditError
from sdedit.jobs.batch.folder import _even
from sdedit.jobs.batch.ranks import Rank, Share, find_rank
from tests.helpers.commands import SDEDIT, Command, wait_for_growth
from tests.helpers.folders import make_guides, pictures

RANKS = [int(count) for count in os.environ.get("SDEDIT_TEST_RANKS", "2").split(",")]


def torchrun(ranks: int, *words: object, restarts: int = 0) -> subprocess.Popen:
    launcher = Path(sys.executable).with_name("torchrun")
    options = ["--nproc-per-node", ranks, "--max-restarts", restarts, "--no-python"]
    command = [launcher, *options, "--", SDEDIT, "paint", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("ranks", RANKS)
def test_a_killed_rank_loses_nothing(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path, ranks: int) -> None:
    guides = make_guides(tmp_path / "guides", 128)
    words = [guides, "--model", tiny_checkpoint, "--seed", 7, "--steps", 30]
    assert sdedit("paint", *words, "-o", "alone", "--quiet").returncode == 0
    out = tmp_path / "out"
    process = torchrun(ranks, *words, "-o", out, restarts=2)
    assert wait_for_growth(out / "sdedit.jsonl", process, 3000)
    victim = random.Random(ranks).choice(children(process.pid))
    os.kill(victim, 9)
    said = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, said
    assert str(victim) in said  # torchrun saw it die, and started again
    assert pictures(out) == pictures(tmp_path / "alone")
    assert len(pictures(out)) == 128
    speakers = re.findall(r"128 guides to .* share (\d+) of", said)
    assert speakers in (["0"], ["0", "0"])  # only one rank speaks: after, and before if it had come that far


def test_ranks_share_the_work_and_tell_of_bad_guides(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 40)
    (guides / "a" / "0000.png").write_text("no picture")
    process = torchrun(2, guides, "-o", tmp_path / "out", "--model", tiny_checkpoint, "--steps", 10, "--json")
    said = process.communicate(timeout=300)[0].decode()
    assert process.returncode != 0
    assert "40 painted" in said  # rank 0's tally is that of all
    assert "1 failed" in said
    assert "0000.png is not a PNG" in said
    assert len(pictures(tmp_path / "out")) == 40  # the other rank was not ended by it


def test_shares_cover_the_folder_once(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 30)
    words = [guides, "--model", tiny_checkpoint, "--seed", 7, "--steps", 2, "--batch", 2, "--quiet"]
    assert sdedit("paint", *words, "-o", "alone").returncode == 0
    found: dict[str, bytes] = {}
    for share in ("1/3", "2/3", "3/3"):
        out = tmp_path / share.replace("/", "of")
        assert sdedit("paint", *words, "-o", out, "--shard", share).returncode == 0
        assert not found.keys() & pictures(out).keys()
        found |= pictures(out)
    alone = pictures(tmp_path / "alone")
    assert found.keys() == alone.keys()
    for name, data in found.items():  # in shares few guides are batched otherwise
        levels = (np.asarray(Image.open(io.BytesIO(picture))).astype(int) for picture in (data, alone[name]))
        assert np.abs(next(levels) - next(levels)).max() <= 1


def test_few_guides_are_shared_evenly(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 40)
    words = ["paint", guides, "--model", tiny_checkpoint, "--seed", 7, "--steps", 1, "-o", "out"]
    for share in range(4):
        result = sdedit(*words, "--shard", f"{share}/4")
        assert len(pictures(tmp_path / "out")) == 10 * (share + 1)
        said = result.stderr.decode()
        assert f"this was share {share} of 4, counted from 0, as --shard says: 10 of 40 images" in said
    shell = {"SLURM_PROCID": "0", "SLURM_JOB_ID": "9", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}
    said = sdedit(*words, env=shell).stderr.decode()
    assert "as Slurm says" in said
    assert "--shard 1/1" in said


@pytest.mark.parametrize(
    ("images", "processes", "most", "length"),
    [(40, 1, 32, 32), (40, 4, 32, 10), (100, 2, 32, 25), (192, 2, 32, 32), (3, 8, 32, 1), (65, 2, 32, 17)],
)
def test_windows_follow_the_number_of_guides_and_processes(images: int, processes: int, most: int, length: int) -> None:
    assert _even(images, processes, most) == length
    windows = -(-images // length)
    taken = [min(length * len(range(rank, windows, processes)), images) for rank in range(processes)]
    assert max(taken) <= max(-(-images // processes) + most // 2, 1)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Rank()),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Rank(3, 8, 1)),
        ({"RANK": "3", "WORLD_SIZE": "8", "TORCHELASTIC_USE_AGENT_STORE": "True"}, Rank(3, 8, None, True)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "6", "SLURM_LOCALID": "2"}, Rank(5, 6, 2)),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "6", "SLURM_JOB_ID": "9", "SLURM_STEP_ID": "0"}, Rank(1, 6)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "6", "SLURM_JOB_ID": "9"}, Rank()),  # a batch script, not a task
        ({"JOB_COMPLETION_INDEX": "2", "WORLD_SIZE": "4"}, Rank(2, 4)),
        ({"JOB_COMPLETION_INDEX": "2"}, Rank()),
    ],
)
def test_rank_of_the_environment(variables: dict[str, str], expected: Rank) -> None:
    assert find_rank(variables) == expected
    assert find_rank(variables, (4, 4)) == Rank(0, 4)


def test_contradicting_variables() -> None:
    for number, count in (("8", "8"), ("x", "8"), ("0", "0")):
        with pytest.raises(SdeditError, match="--shard"):
            find_rank({"RANK": number, "WORLD_SIZE": count})


class SharedCounter:
    """A store as torchrun's, that may die."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.dead = False

    def add(self, key: str, amount: int) -> int:
        if self.dead:
            raise RuntimeError("connection reset")
        self.values[key] = self.values.get(key, 0) + amount
        return self.values[key]


def test_fast_ranks_take_more_and_a_dead_store_loses_nothing() -> None:
    store = SharedCounter()
    said: list[str] = []
    shares = [Share(Rank(index, 2), "list", said.append) for index in range(2)]
    for share in shares:
        share._store = store  # type: ignore[assignment]
    fast, slow = (share.windows(10) for share in shares)
    assert [next(slow)] + [next(fast) for _ in range(6)] == list(range(7))
    store.dead = True
    assert {*fast, *slow} == set(range(10))
    assert "goes on with every 2th" in said[0]


def test_a_rank_with_failures_waits_for_the_others() -> None:
    store = SharedCounter()
    share = Share(Rank(0, 2), "list", print)
    share._store = store  # type: ignore[assignment]
    import threading

    totals: list[object] = []
    waiting = threading.Thread(target=lambda: totals.append(share.finish(True, {"painted": 3, "failed": 1})))
    waiting.start()
    time.sleep(0.5)
    assert waiting.is_alive()
    other = Share(Rank(1, 2), "list", print)
    other._store = store  # type: ignore[assignment]
    assert other.finish(failed=False, counts={"painted": 4, "failed": 0}) is None
    waiting.join(timeout=60)
    assert totals == [{"painted": 7, "failed": 1}]  # rank 0 tells of the whole job
