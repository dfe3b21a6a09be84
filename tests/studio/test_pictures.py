"""Pictures that are sent to be edited, and what an edit of them is: the very bytes of the command."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.images import fit_guide
from sdedit.io.tensors import to_tensor
from sdedit.pipelines.auto_t0 import CALIBRATION, calibrate
from sdedit.studio.limits import Limits
from sdedit.studio.serving import RunningStudio
from tests.helpers.commands import Command
from tests.helpers.images import blocks_picture
from tests.helpers.profiles import exchanged
from tests.helpers.studio import STREAM, Stream, client, running_studio


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def stroke(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    layer = Image.new("RGBA", size)
    layer.paste((200, 40, 30, 255), box)
    return layer


def keep(studio: httpx.Client, content: bytes) -> str:
    answer = studio.post("/api/pictures", content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def test_a_picture_is_kept_by_its_checksum(studio: httpx.Client) -> None:
    content = encoded(blocks_picture(40, 30), "JPEG")
    answer = studio.post("/api/pictures", content=content).json()
    assert answer == {"id": hashlib.sha256(content).hexdigest(), "width": 40, "height": 30, "note": ""}
    assert studio.get(f"/api/pictures/{answer['id']}/file").content == content


def test_its_pixels_are_what_is_seen(studio: httpx.Client) -> None:
    """The right way up, by its profile, in sRGB, with its transparency."""
    exif = Image.Exif()
    exif[0x112] = 6
    turned = keep(studio, encoded(blocks_picture(40, 30), "PNG", exif=exif, icc_profile=exchanged()))
    answer = studio.get(f"/api/pictures/{turned}", params={"longest": 40})
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("30", "40")
    pixels = np.frombuffer(answer.content, np.uint8).reshape(40, 30, 4)
    assert (pixels[..., 3] == 255).all()
    # The bright corner, which is the left top one in the file; its profile exchanges red and blue.
    assert np.abs(pixels[0, -1, :3].astype(int) - (220, 240, 250)).max() < 4
    clear = keep(studio, encoded(Image.new("RGBA", (4, 4), (10, 20, 30, 77))))
    assert studio.get(f"/api/pictures/{clear}").content == bytes((10, 20, 30, 77)) * 16


def test_its_pixels_are_shrunk_to_what_a_screen_shows(studio: httpx.Client) -> None:
    picture = keep(studio, encoded(blocks_picture(300, 100)))
    answer = studio.get(f"/api/pictures/{picture}", params={"longest": 30})
    assert (answer.headers["x-width"], answer.headers["x-height"], len(answer.content)) == ("30", "10", 1200)
    for wrong in ("0", "-1", "x", "5000", ""):
        assert studio.get(f"/api/pictures/{picture}", params={"longest": wrong}).status_code == 400


def test_what_is_not_kept(studio: httpx.Client) -> None:
    assert studio.get(f"/api/pictures/{'0' * 64}").status_code == 410
    assert studio.get(f"/api/pictures/{'0' * 64}/file").status_code == 410
    for wrong in ("x", "0" * 63, "Z" * 64, "%2e%2e%2fetc%2fpasswd"):
        assert studio.get(f"/api/pictures/{wrong}").status_code == 404
    answer = studio.post("/api/edit", params={"picture": "0" * 64}, content=encoded(stroke((9, 9), (0, 0, 4, 4))))
    assert answer.status_code == 410
    assert "send it again" in answer.json()["error"]


def test_those_used_longest_ago_go(loaded_model: ScoreModel) -> None:
    noise = np.random.default_rng(0)
    files = [encoded(Image.fromarray(noise.integers(0, 255, (64, 64, 3), np.uint8))) for _ in range(4)]
    with (
        running_studio([loaded_model], limits=Limits(kept=3 * len(files[0]) + 1000)) as running,
        client(running) as studio,
    ):
        ids = [keep(studio, file) for file in files[:3]]
        assert studio.get(f"/api/pictures/{ids[0]}").status_code == 200
        ids.append(keep(studio, files[3]))
        statuses = [studio.get(f"/api/pictures/{name}").status_code for name in ids]
    assert statuses == [200, 410, 200, 200]


CASES = {
    "a layer": ({}, {}),
    "a mask": ({"mask": True}, {}),
    "an inverted mask": ({"mask": True}, {"invert-mask": ""}),
    "options": ({}, {"context": 1, "grow": 2, "feather": 3, "size": 20, "steps": 4, "repeats": 2}),
    "alpha": ({}, {"mask": "alpha"}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_edit_is_that_of_the_command(
    studio: httpx.Client, sdedit: Command, tiny_checkpoint: Path, tmp_path: Path, case: str
) -> None:
    files, query = CASES[case]
    picture = blocks_picture(60, 40)
    exif = Image.Exif()
    exif[0x10F] = "a camera"
    if case == "alpha":
        picture.putalpha(Image.fromarray(np.pad(np.zeros((10, 12), np.uint8), ((9, 21), (9, 39)), constant_values=255)))
    content = encoded(picture, "PNG", exif=exif, icc_profile=exchanged(), dpi=(300, 300))
    strokes = encoded(stroke((60, 40), (20, 10, 40, 22)))
    mask = encoded(stroke((60, 40), (15, 8, 45, 30)).getchannel("A"))
    for name, data in (("picture.png", content), ("strokes.png", strokes), ("mask.png", mask)):
        (tmp_path / name).write_bytes(data)
    words = [f"--{name}={value}" if value != "" else f"--{name}" for name, value in query.items()]
    words += ["--mask=mask.png"] if files else []
    common = ("--strokes", "strokes.png", "--t0=0.4", "--seed=7", "--model", tiny_checkpoint, "-o", "out.png")
    told = sdedit("edit", "picture.png", *common, *words)
    assert told.returncode == 0, told.stderr
    sent = {**query, **({"mask": keep(studio, mask)} if files else {})}
    answer = studio.post(
        "/api/edit", params={"picture": keep(studio, content), "t0": 0.4, "seed": 7, **sent}, content=strokes
    )
    assert answer.status_code == 200, answer.text
    assert answer.content == (tmp_path / "out.png").read_bytes()


def test_strokes_of_a_screen_s_size_are_enlarged_and_replayed(
    running: RunningStudio, studio: httpx.Client, sdedit: Command, tmp_path: Path
) -> None:
    content = encoded(blocks_picture(90, 63), "JPEG", quality=95)
    strokes = encoded(stroke((30, 21), (10, 8, 20, 14)))
    picture = keep(studio, content)
    stream = Stream(running, "/api/edit", strokes, picture=picture, seed=7)
    painted, started = stream.wait_for("painted"), stream.wait_for("started")
    recipe = painted["recipe"]
    left, top, right, bottom = started["region"]
    assert left <= 30 <= 60 <= right
    assert top <= 24 <= 42 <= bottom
    enlarged = studio.get(f"/api/pictures/{started['files']['strokes']}/file").content
    assert Image.open(io.BytesIO(enlarged)).size == (90, 63)
    assert recipe["layer_checksum"] == hashlib.sha256(enlarged).hexdigest()
    assert recipe["guide"] == f"picture-{picture[:8]}.jpg"
    for name, data in (
        (recipe["guide"], content),
        (recipe["layer"], enlarged),
        ("image.png", base64.b64decode(painted["image"])),
    ):
        (tmp_path / name).write_bytes(data)
    told = sdedit("replay", "image.png", "-o", "again.png")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "image.png").read_bytes()
    assert Image.open(tmp_path / "image.png").size == (90, 63)


def test_outside_the_mask_every_pixel_stays(studio: httpx.Client) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 120, 3), np.uint8))
    strokes = stroke((120, 80), (50, 30, 70, 45))
    answer = studio.post(
        "/api/edit", params={"picture": keep(studio, encoded(noise)), "grow": 0}, content=encoded(strokes)
    )
    edited = np.asarray(Image.open(io.BytesIO(answer.content)))
    outside = np.asarray(strokes.getchannel("A")) == 0
    assert (edited == np.asarray(noise))[outside].all()
    assert (edited != np.asarray(noise))[~outside].any()


@pytest.mark.parametrize(
    ("strokes", "query", "words"),
    [
        (stroke((60, 40), (0, 0, 0, 0)), {}, "do not differ"),
        (stroke((61, 20), (0, 0, 5, 5)), {}, "at its own size"),
        (blocks_picture(30, 20), {}, "at its own size"),
        (stroke((60, 40), (0, 0, 9, 9)), {"invert-mask": ""}, "needs a mask"),
        (stroke((60, 40), (0, 0, 9, 9)), {"invert-mask": "no"}, "without a value"),
        (stroke((60, 40), (0, 0, 9, 9)), {"mask": "alpha"}, "no transparency"),
        (stroke((60, 40), (0, 0, 9, 9)), {"mask": "x"}, "ID of a picture"),
        (stroke((60, 40), (0, 0, 9, 9)), {"strokes": "/etc/passwd"}, "No such option: --strokes"),
        (stroke((60, 40), (0, 0, 9, 9)), {"passes": 2}, "No such option: --passes"),
        (stroke((60, 40), (0, 0, 9, 9)), {"size": 2000}, "at most 1024"),
        (stroke((60, 40), (0, 0, 9, 9)), {"picture-name": "/a"}, "without a folder"),
    ],
    ids=lambda value: str(getattr(value, "size", value)),  # an image's own text has its place in memory
)
def test_edits_that_cannot_be(studio: httpx.Client, strokes: Image.Image, query: dict[str, Any], words: str) -> None:
    picture = keep(studio, encoded(blocks_picture(60, 40)))
    answer = studio.post("/api/edit", params={"picture": picture, **query}, content=encoded(strokes))
    assert answer.status_code in (400, 404), answer.text
    assert words in answer.json()["error"]


def test_an_edit_without_a_picture(studio: httpx.Client, strokes: bytes) -> None:
    assert "needs picture=ID" in studio.post("/api/edit", content=strokes).json()["error"]


def test_simulated_strokes_are_those_of_the_command(studio: httpx.Client, sdedit: Command, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(blocks_picture(100, 80)))
    sdedit("strokes", "photo.png", "--size", 40, "-o", "strokes.png")
    answer = studio.post("/api/strokes", params={"size": 40}, content=photo.read_bytes())
    assert answer.content == (tmp_path / "strokes.png").read_bytes()
    assert "at most 512" in studio.post("/api/strokes", params={"size": 600}, content=photo.read_bytes()).text
    assert "No such option" in studio.post("/api/strokes", params={"t0": 0.5}, content=photo.read_bytes()).text


def test_a_model_that_is_not_calibrated_suggests_nothing(studio: httpx.Client, strokes: bytes) -> None:
    answer = studio.post("/api/suggest", content=strokes)
    assert answer.status_code == 409
    assert "calibrate" in answer.json()["error"]


def test_a_calibrated_one_suggests_what_t0_auto_paints_with(loaded_model: ScoreModel, strokes: bytes) -> None:
    photographs = [blocks_picture(16 + 4 * number, 16) for number in range(8)]
    calibrated = with_calibration(loaded_model, photographs)
    with running_studio([calibrated]) as running, client(running) as studio:
        suggested = studio.post("/api/suggest", params={"t0": "auto:0.1:0.9"}, content=strokes).json()["t0"]
        painted = studio.post("/api/paint", params={"t0": "auto:0.1:0.9"}, content=strokes)
        streamed = studio.post("/api/paint", params={"t0": "auto:0.1:0.9"}, content=strokes, headers=STREAM)
    recipe = json.loads(Image.open(io.BytesIO(painted.content)).info["sdedit"])
    assert recipe["t0"] == pytest.approx(suggested, abs=1e-4)
    started = json.loads(streamed.text.splitlines()[1])
    assert started["t0"] == recipe["t0"]


def with_calibration(model: ScoreModel, photographs: list[Image.Image]) -> ScoreModel:
    images = torch.stack([to_tensor(fit_guide(image, (16, 16))) for image in photographs])
    card = {**model.card, CALIBRATION: asdict(calibrate(model, images))}
    return ScoreModel(model.network, model.preconditioning, model.schedule, model.native_size, card, model.checksum)
