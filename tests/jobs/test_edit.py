"""Many edits and composites: layers found by name, killed and resumed folders, recipes, and images made again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import sdedit as package
from sdedit.diffusion.samplers import SamplingChoice
from sdedit.errors import SdeditError
from sdedit.jobs.batch.folder import paint_folder
from sdedit.jobs.console import SILENT
from sdedit.jobs.options import LayerOptions, ModelOptions, PaintOptions
from sdedit.jobs.tasks import PaintedFile
from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence, wait_for_growth
from tests.helpers.folders import pictures
from tests.helpers.images import blocks_picture


def photograph(number: int) -> Image.Image:
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 255, (40 + number % 3, 56, 3), np.uint8))


def strokes_on(photo: Image.Image, number: int) -> Image.Image:
    layer = Image.new("RGBA", photo.size)
    ImageDraw.Draw(layer).rectangle((10, 8, 30 + number % 5, 28), fill=(200, 40, 30, 255))
    return layer


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """20 photographs in a tree, JPEG and PNG, and a layer of strokes beside each in a tree of the same shape."""
    for number in range(20):
        name = Path("ab"[number % 2], f"{number:02}")
        photo, suffix = photograph(number), (".jpg", ".png")[number % 2]
        for folder, image, ending in (("photos", photo, suffix), ("strokes", strokes_on(photo, number), ".png")):
            place = tmp_path / folder / name.with_suffix(ending)
            place.parent.mkdir(parents=True, exist_ok=True)
            image.save(place)
    return tmp_path / "photos"


@pytest.fixture
def edit_all(tiny_checkpoint: Path, tmp_path: Path) -> Callable[..., list[PaintedFile]]:
    """Edit a folder with the strokes beside it."""

    def run(
        photos: Path, out: Path, strokes: Path | None = None, steps: int = 2, **options: object
    ) -> list[PaintedFile]:
        job = PaintOptions(
            model=ModelOptions(str(tiny_checkpoint)),
            sampling=SamplingChoice(steps=steps),
            seed=3,
            layers=LayerOptions("edit", str(strokes or tmp_path / "strokes"), **options),  # type: ignore[arg-type]
        )
        return list(paint_folder([photos], [], out, job, SILENT))

    return run


def test_edits_of_a_folder_killed_twice_are_those_of_one_run(
    sdedit: Command, tiny_checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    words = ["edit", photos, "--strokes", tmp_path / "strokes", "--seed", 4]
    words += ["--model", tiny_checkpoint, "--steps", 60, "--quiet"]

    def start(out: str) -> subprocess.Popen:
        command = [SDEDIT, *map(str, words), "-o", tmp_path / out]
        return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})

    assert sdedit(*words, "-o", "whole").returncode == 0
    ledger, size = tmp_path / "out" / "sdedit.jsonl", 0
    for _ in range(2):
        process = start("out")
        assert wait_for_growth(ledger, process, size), "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        size = ledger.stat().st_size
    assert len(pictures(tmp_path / "out")) < 20
    assert sdedit(*words, "-o", "out").returncode == 0
    assert pictures(tmp_path / "out") == pictures(tmp_path / "whole")
    assert len(pictures(tmp_path / "out")) == 20


def test_what_is_done_is_left_and_what_has_changed_is_made_again(
    photos: Path, edit_all: Callable[..., list[PaintedFile]], tmp_path: Path
) -> None:
    def statuses(**options: object) -> dict[str, str]:
        results = edit_all(photos, tmp_path / "out", **options)
        return {Path(result.input).stem: result.status for result in results}

    assert set(statuses().values()) == {"painted"}
    assert set(statuses().values()) == {"skipped"}
    strokes_on(photograph(5), 9).save(tmp_path / "strokes" / "b" / "05.png")
    assert [name for name, status in statuses().items() if status == "painted"] == ["05"]
    mask = tmp_path / "masks" / "a" / "04.png"
    mask.parent.mkdir(parents=True)
    Image.new("L", photograph(4).size, 255).save(mask)
    os.utime(mask, (0, 0))  # an older file than the image: it was not there when that was made
    results = edit_all(photos, tmp_path / "out", mask=str(tmp_path / "masks"))
    assert {Path(result.input).stem for result in results if result.status == "painted"} == {"04"}
    assert {result.status for result in results} == {"painted", "failed"}  # the others have no mask


def test_layers_are_found_by_their_names(
    photos: Path, edit_all: Callable[..., list[PaintedFile]], tmp_path: Path
) -> None:
    strokes = tmp_path / "strokes"
    (strokes / "a" / "00.png").unlink()
    Image.open(strokes / "a" / "02.png").save(strokes / "a" / "02.webp")
    (strokes / "a" / "04.png").rename(strokes / "a" / "04.tif")  # whatever its ending
    Image.open(strokes / "b" / "01.png").save(strokes / "b" / "01.webp")  # b/01.png is the photograph's very name
    (strokes / "a" / "05.xcf").write_text("the drawing program's own file, beside what it has exported")
    (strokes / "b" / "03.txt").write_text("notes")
    results = {Path(result.input).stem: result for result in edit_all(photos, tmp_path / "out")}
    assert {name for name, result in results.items() if result.status == "failed"} == {"00", "02"}
    assert "wants one image called a/00" in str(results["00"].error)
    assert "more than one" in str(results["02"].error)


def test_one_layer_serves_images_of_its_size(
    photos: Path, edit_all: Callable[..., list[PaintedFile]], tmp_path: Path
) -> None:
    strokes_on(photograph(0), 0).save(tmp_path / "layer.png")
    results = edit_all(photos / "a", tmp_path / "out", tmp_path / "layer.png")
    sizes = {result.status: Image.open(result.input).size for result in results}
    assert sizes["painted"] == photograph(0).size
    assert "at its own size" in str(next(result.error for result in results if result.status == "failed"))


def test_a_folder_fails_as_a_whole_with_the_list_of_its_failures(
    sdedit: Command, tiny_checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "strokes" / "a" / "00.png").write_bytes(b"no image")
    words = ["edit", photos, "--strokes", tmp_path / "strokes", "--model", tiny_checkpoint, "--steps", 1]
    result = sdedit(*words, "-o", tmp_path / "out", "--json")
    assert result.returncode == 3
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 20
    assert all(set(line) >= {"input", "output", "status", "seconds", "error"} for line in lines)
    assert "00.png is not a PNG" in result.stderr.decode()
    fails_in_one_sentence(sdedit(*words), "name a folder with --output")
    fails_in_one_sentence(sdedit("edit", photos, "--strokes", "nothing", "-o", tmp_path / "other"), "nothing")
    assert not (tmp_path / "other").exists()
    fails_in_one_sentence(sdedit("edit", photos, "-o", tmp_path / "out"), "--strokes")


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """A guide, a photograph, and what can be laid over it, in a folder."""
    blocks_picture().save(tmp_path / "guide.png")
    photograph(0).save(tmp_path / "photo.png")
    strokes_on(photograph(0), 0).save(tmp_path / "strokes.png")
    mask = Image.new("L", photograph(0).size)
    mask.paste(200, (8, 6, 40, 30))
    mask.save(tmp_path / "mask.png")
    strokes_on(blocks_picture(20, 16), 0).save(tmp_path / "patch.png")
    small = Image.new("L", (20, 16))
    small.paste(255, (0, 0, 15, 16))
    small.save(tmp_path / "patch-mask.png")
    return tmp_path


TASKS = {
    "paint": ["paint", "guide.png"],
    "paint, coarse to fine, twice": ["paint", "guide.png", "--size", "40", "--repeats", "2", "--sampler", "ancestral"],
    "edit": ["edit", "photo.png", "--strokes", "strokes.png"],
    "edit by a mask": ["edit", "photo.png", "--strokes", "strokes.png", "--mask", "mask.png", "--feather", "3"],
    "edit by a mask inverted": ["edit", "photo.png", "--strokes", "strokes.png", "--mask", "mask.png", "--invert-mask"],
    "edit a larger region": ["edit", "photo.png", "--strokes", "strokes.png", "--size", "24", "--context", "1"],
    "composite": ["composite", "photo.png", "patch.png"],
    "composite by a mask": ["composite", "photo.png", "patch.png", "--mask", "patch-mask.png", "--at", "5,7"],
    "composite, enlarged": ["composite", "photo.png", "patch.png", "--scale", "1.5", "--grow", "2", "--repeats", "2"],
}


@pytest.mark.parametrize("words", TASKS.values(), ids=TASKS)
def test_every_task_is_told_and_made_again_bit_for_bit(
    sdedit: Command, tiny_checkpoint: Path, single: Path, words: list[str]
) -> None:
    options = ["--model", tiny_checkpoint, "--steps", "3", "--quiet", "--json"]
    made = sdedit(*words, *options, "-o", "made.png")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["task"] == words[0]
    assert (told["input"], told["output"], told["status"]) == (words[1], "made.png", "painted")
    assert (told["device"], told["model"], told["model_source"]) == ("cpu", "tiny", str(tiny_checkpoint))
    files = {"guide": words[1]}
    if words[0] != "paint":
        files["layer"] = "strokes.png" if words[0] == "edit" else "patch.png"
    if "--mask" in words:
        files["mask"] = words[words.index("--mask") + 1]
    for role, name in files.items():
        assert told[role] == name
        assert told[f"{role}_checksum"] == hashlib.sha256((single / name).read_bytes()).hexdigest()
    again = sdedit("replay", "made.png", "--quiet", "--json", "-o", "again.png")
    assert again.returncode == 0, again.stderr
    assert (single / "again.png").read_bytes() == (single / "made.png").read_bytes()
    assert set(json.loads(again.stdout)) == set(told)


def test_variants_of_an_edit_are_made_again(sdedit: Command, tiny_checkpoint: Path, single: Path) -> None:
    words = [*TASKS["edit"], "--model", tiny_checkpoint, "--steps", 2, "--variants", 2, "--batch", 2, "-o", "v.png"]
    assert sdedit(*words).returncode == 0
    assert (single / "v-1.png").read_bytes() != (single / "v-2.png").read_bytes()
    (single / "other").mkdir()
    (single / "strokes.png").rename(single / "other" / "strokes.png")
    fails_in_one_sentence(sdedit("replay", "v-2.png", "--quiet"), "strokes.png", "--strokes FILE")
    replayed = package.replay(single / "v-2.png", layer=single / "other" / "strokes.png")
    assert Path(replayed.output).read_bytes() == (single / "v-2.png").read_bytes()


def test_an_edit_in_a_folder_is_made_again(
    photos: Path, edit_all: Callable[..., list[PaintedFile]], tmp_path: Path
) -> None:
    for result in edit_all(photos, tmp_path / "out")[:3]:
        layer = tmp_path / "strokes" / Path(result.input).relative_to(photos).with_suffix(".png")
        replayed = package.replay(result.output, layer=layer)  # the photograph is where the ledger says
        assert Path(replayed.output).read_bytes() == Path(result.output).read_bytes()


def test_what_cannot_be_repeated_is_refused(sdedit: Command, tiny_checkpoint: Path, single: Path) -> None:
    options = ["--model", tiny_checkpoint, "--steps", 2, "--quiet"]
    assert sdedit(*TASKS["edit"], *options, "-o", "edited.png").returncode == 0
    assert sdedit(*TASKS["edit by a mask"], *options, "-o", "masked.png").returncode == 0
    assert sdedit("paint", "guide.png", *options, "-o", "painted.png").returncode == 0
    fails_in_one_sentence(sdedit("replay", "painted.png", "--strokes", "strokes.png"), "guide alone")
    fails_in_one_sentence(sdedit("replay", "edited.png", "--mask", "mask.png"), "without a mask")
    (single / "mask.png").unlink()
    fails_in_one_sentence(sdedit("replay", "masked.png"), "mask.png", "--mask FILE")
    text = Image.open(single / "edited.png").text["sdedit"]  # type: ignore[attr-defined]
    from PIL import PngImagePlugin

    for change, word in (({"task": "animate"}, "animate"), ({"layer": None}, "layer"), ({"region": [1, 2]}, "region")):
        chunk = PngImagePlugin.PngInfo()
        chunk.add_itxt("sdedit", json.dumps({**json.loads(text), **change}))
        Image.open(single / "edited.png").save(single / "odd.png", pnginfo=chunk)
        with pytest.raises(SdeditError, match=f"cannot be used.*{word}"):
            package.replay(single / "odd.png")
    # Another photograph is edited the same way, and that is said.
    photograph(3).save(single / "other.png")
    result = sdedit("replay", "edited.png", "other.png", "-o", "o.png")
    assert result.returncode == 0, result.stderr
    assert "other.png is not the file" in result.stderr.decode()
    assert not (single / "edited-replayed.png").exists()


def test_edits_take_their_options_from_a_file(sdedit: Command, tiny_checkpoint: Path, single: Path) -> None:
    (single / "style.toml").write_text(f't0 = 0.3\nsteps = 2\nfeather = 2.0\nmodel = "{tiny_checkpoint}"\nseed = 4\n')
    result = sdedit(*TASKS["edit"], "--config", "style.toml", "--json", "--save-config", "all.toml", "-o", "a.png")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["t0"], told["steps"], told["feather"], told["seed"]) == (0.3, 2, 2.0, 4)
    assert sdedit("edit", "photo.png", "--config", "all.toml", "-o", "b.png").returncode == 0
    assert (single / "a.png").read_bytes() == (single / "b.png").read_bytes()
