"""POST /api/paint: the very bytes of the command, and the same sentences for what is wrong."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from sdedit.studio.serving import RunningStudio
from tests.helpers.commands import Command
from tests.helpers.images import blocks_picture
from tests.helpers.studio import STREAM, Stream


def recipe_of(image: bytes) -> dict[str, Any]:
    return json.loads(Image.open(io.BytesIO(image)).info["sdedit"])


@pytest.mark.parametrize(
    "query",
    [
        {"t0": 0.4, "seed": 7},
        {"sigma": 0.3, "seed": 0, "steps": 5, "sampler": "ancestral"},
        {"seed": 3, "size": 24, "quality": "fast"},
        {"seed": 3, "size": "40x24", "passes": 2},
        {"t0": 0.9, "seed": 2**40, "repeats": 2, "background": "navy"},
    ],
    ids=str,
)
def test_the_bytes_are_those_of_the_command(
    studio: httpx.Client, sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path, query: dict[str, Any]
) -> None:
    words = [word for name, value in query.items() for word in (f"--{name}", value)]
    told = sdedit("paint", guide.name, *words, "--model", tiny_checkpoint, "-o", "out.png", "--quiet")
    assert told.returncode == 0, told.stderr
    answer = studio.post("/api/paint", params=query, content=guide.read_bytes())
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == (tmp_path / "out.png").read_bytes()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_gives_the_bytes_of_the_command(
    running: RunningStudio, sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    sdedit("paint", "strokes.png", "--t0", 0.4, "--seed", 7, "--model", tiny_checkpoint, "-o", "painted.png")
    url = f"http://127.0.0.1:{running.port}/api/paint?t0=0.4&seed=7"
    for words in (["-T", "strokes.png", "-X", "POST"], ["--data-binary", "@strokes.png"]):
        subprocess.run(["curl", "-sf", *words, url, "-o", "out.png"], cwd=tmp_path, check=True)
        assert (tmp_path / "out.png").read_bytes() == (tmp_path / "painted.png").read_bytes()


def test_a_guide_of_another_name_and_kind(
    studio: httpx.Client, sdedit: Command, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "Küste 2.webp"
    Image.new("RGBA", (30, 20), (200, 30, 60, 90)).save(file, lossless=True)
    sdedit("paint", file.name, "--seed", 1, "--model", tiny_checkpoint, "-o", "out.png")
    answer = studio.post("/api/paint", params={"seed": 1, "name": file.name}, content=file.read_bytes())
    assert answer.content == (tmp_path / "out.png").read_bytes()


def test_replay_repeats_what_was_downloaded(
    studio: httpx.Client, sdedit: Command, strokes: bytes, tmp_path: Path
) -> None:
    """Also with the names that a stream gives, so that guides kept in one folder differ."""
    streamed = studio.post("/api/paint", params={"seed": 5}, content=strokes, headers=STREAM)
    (painted,) = [event for event in map(json.loads, streamed.text.splitlines()) if event["event"] == "painted"]
    name = f"strokes-{hashlib.sha256(strokes).hexdigest()[:8]}.png"
    assert painted["recipe"]["guide"] == name
    (tmp_path / name).write_bytes(strokes)
    (tmp_path / "image.png").write_bytes(base64.b64decode(painted["image"]))
    told = sdedit("replay", "image.png", "-o", "again.png")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "image.png").read_bytes()


def test_a_seed_is_drawn_and_kept_in_the_recipe(studio: httpx.Client, strokes: bytes) -> None:
    first, second = (studio.post("/api/paint", content=strokes) for _ in range(2))
    assert first.content != second.content
    seed = recipe_of(first.content)["seed"]
    assert first.headers["x-seed"] == str(seed)
    assert studio.post("/api/paint", params={"seed": seed}, content=strokes).content == first.content


def test_the_stream_tells_what_happens(running: RunningStudio, strokes: bytes) -> None:
    stream = Stream(running, "/api/paint", strokes, seed=7, t0=0.4, steps=6, size=16, passes=2)
    kinds = stream.kinds()
    assert kinds[:2] == ["queued", "started"]
    assert kinds[-1] == "painted"
    assert set(kinds[2:-1]) <= {"preview"}
    started, painted = stream.wait_for("started"), stream.wait_for("painted")
    assert stream.wait_for("queued")["ahead"] == 0
    assert (started["width"], started["height"], started["t0"], started["seed"]) == (19, 16, 0.4, 7)
    assert (started["steps"], started["variants"], started["model"]) == (6 + 3, 1, "tiny")
    assert started["guide"] == painted["recipe"]["guide"]
    image = base64.b64decode(painted["image"])
    assert recipe_of(image) == painted["recipe"]
    assert started["sigma"] == painted["recipe"]["sigma"]
    assert Image.open(io.BytesIO(image)).size == (19, 16)
    assert painted["seconds"] > 0


def test_variants_are_what_their_seeds_give(running: RunningStudio, studio: httpx.Client, strokes: bytes) -> None:
    stream = Stream(running, "/api/paint", strokes, seed=7, variants=3, name="strokes.png")
    painted = [event for event in stream.wait() if event["event"] == "painted"]
    assert [(event["variant"], event["seed"]) for event in painted] == [(0, 7), (1, 8), (2, 9)]
    for event in painted:
        alone = studio.post("/api/paint", params={"seed": event["seed"]}, content=strokes)
        assert base64.b64decode(event["image"]) == alone.content
    refused = studio.post("/api/paint", params={"variants": 3}, content=strokes)
    assert refused.status_code == 400
    assert "application/x-ndjson" in refused.json()["error"]


WRONG = {"t0": ["0", "2", "x", "50"], "steps": ["0", "no"], "seed": ["-1"], "size": ["7", "big"], "sampler": ["none"]}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_is_wrong_is_said_in_the_words_of_the_command(
    studio: httpx.Client, sdedit: Command, guide: Path, name: str, value: str
) -> None:
    told = sdedit("paint", guide, f"--{name}={value}").stderr.decode().strip().removeprefix("sdedit: ")
    answer = studio.post("/api/paint", params={name: value}, content=guide.read_bytes())
    assert answer.status_code == 400
    assert answer.json() == {"error": told}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"t0": 0.4, "sigma": 1}, "--t0 and --sigma"),
        ({"quality": "fast", "sampler": "heun"}, "quality"),
        ({"out": "x.png"}, "No such option: --out"),
        ({"output": "x.png"}, "No such option: --output"),
        ({"config": "/etc/passwd"}, "No such option: --config"),
        ({"save-config": "x"}, "No such option: --save-config"),
        ({"animate": "x.gif"}, "No such option: --animate"),
        ({"batch": 3}, "No such option: --batch"),
        ({"device": "cuda"}, "No such option: --device"),
        ({"raw-weights": ""}, "No such option"),
        ({"help": ""}, "No such option: --help"),
        ({"": ""}, "No such option"),
        ({"model": "landscapes-128"}, "started with tiny"),
        ({"model": "/etc/passwd"}, "started with tiny"),
        ({"model": "hf:google/ncsnpp-church-256"}, "started with tiny"),
        ({"steps": 1001}, "at most 1000"),
        ({"variants": 17}, "at most 16"),
        ({"repeats": 11}, "at most 10"),
        ({"size": 1025}, "at most 1024"),
        ({"size": "16000x1000"}, "more than this studio paints"),
        ({"sigma": 1e-9}, "sigma"),
        ({"sampler": "heun", "steps": 4}, "odd number"),
        ({"t0": "auto"}, "calibrate"),
        ({"name": "../x.png"}, "without a folder"),
        ({"name": "a/b.png"}, "without a folder"),
        ({"name": ".."}, "without a folder"),
        ({"name": ""}, "without a folder"),
        ({"name": "a\nb"}, "without a folder"),
        ({"name": "x" * 300}, "without a folder"),
        ({"priority": "urgent"}, "live or idle"),
        ({"session": "x" * 200}, "at most 100"),
        ({"picture": "x"}, "No such option: --picture"),
    ],
    ids=str,
)
def test_what_a_studio_does_not_do(studio: httpx.Client, strokes: bytes, query: dict[str, Any], words: str) -> None:
    answer = studio.post("/api/paint", params=query, content=strokes)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_guide_that_is_too_slim(studio: httpx.Client) -> None:
    file = io.BytesIO()
    blocks_picture(400, 4).save(file, "PNG")
    answer = studio.post("/api/paint", content=file.getvalue())
    assert answer.status_code == 400
    assert "16 times" in answer.json()["error"]


def test_other_addresses_and_methods(studio: httpx.Client) -> None:
    for path in ("/nothing", "/api", "/api/nothing", "/api/paint/strokes.png", "/.git/config", "/static/index.html"):
        assert studio.get(path).status_code == 404
    assert studio.get("/api/paint").status_code == 405
    assert studio.post("/").status_code == 405
    assert studio.put("/api/pictures").status_code == 405
