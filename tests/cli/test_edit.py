"""`sdedit edit` and `sdedit composite`: files, pipes, recipes, metadata, animations, bad input."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture


@pytest.fixture
def quick(tiny_checkpoint: Path) -> list[str]:
    return ["--model", str(tiny_checkpoint), "--steps", "3", "--seed", "1"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A photograph with a profile and EXIF data, strokes, masks and a patch, in a folder."""
    photo = blocks_picture(60, 40)
    exif = Image.Exif()
    exif[0x010E] = "a description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo.save(tmp_path / "photo.png", icc_profile=profile, exif=exif)
    strokes = photo.copy()
    ImageDraw.Draw(strokes).rectangle((20, 10, 39, 25), fill=(250, 250, 20))
    strokes.save(tmp_path / "strokes.png")
    mask = Image.new("L", (60, 40))
    mask.paste(255, (22, 12, 36, 24))
    mask.save(tmp_path / "mask.png")
    Image.new("RGBA", (16, 12), (200, 40, 40, 255)).save(tmp_path / "patch.png")
    return tmp_path


def test_help_needs_no_torch_and_says_what_is_white() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['scipy'] = sys.modules['PIL'] = None\n"
        "from click.testing import CliRunner\nfrom sdedit.cli import commands\n"
        "for name in sys.argv[1:]: print(CliRunner().invoke(commands, [name, '--help']).output)"
    )
    python = Path(SDEDIT).with_name("python")
    names = ["edit", "composite", "sweep", "evaluate", "strokes"]
    text = subprocess.run([python, "-c", code, *names], capture_output=True, check=True).stdout.decode()
    assert text.count("Usage:") == 5
    assert "WHITE MAY CHANGE" in " ".join(text.split())
    for option in ("--invert-mask", "--grow", "--feather", "--at", "--scale", "--animate", "--features", "--plot"):
        assert option in text


def test_edit_keeps_what_it_should_and_carries_a_recipe(installed: Command, quick: list[str], pictures: Path) -> None:
    result = installed("edit", "photo.png", "--strokes", "strokes.png", *quick, "--mask", "mask.png", "--json",
                       "--animate", "film.gif")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert b"region" in result.stderr
    told = json.loads(result.stdout)
    assert (told["output"], told["task"], told["t0"], told["layer"]) == (
        "photo-edited.png", "edit", 0.45, "strokes.png",
    )  # fmt: skip
    with Image.open(pictures / "photo-edited.png") as edited, Image.open(pictures / "photo.png") as photo:
        assert json.loads(edited.text["sdedit"])["seed"] == 1  # type: ignore[attr-defined]
        assert edited.info["icc_profile"] == photo.info["icc_profile"]
        assert edited.getexif()[0x010E] == "a description"
        kept = np.asarray(Image.open(pictures / "mask.png")) == 0
        changed = (np.asarray(edited) != np.asarray(photo)).any(axis=2)
        assert not changed[kept].any()
        assert changed[~kept].mean() > 0.8
    with Image.open(pictures / "film.gif") as animation:
        assert animation.n_frames == 7  # type: ignore[attr-defined]  # guide, 3 there, 2 more back, result


@pytest.mark.parametrize(("mode", "size"), [("L", (201, 139)), ("RGB", (97, 160)), ("RGBA", (150, 211))])
def test_the_built_in_model_keeps_the_files_pixels(
    sdedit: Command, tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    channels = len(Image.new(mode, (1, 1)).getbands())
    before = rng.integers(0, 256, (size[1], size[0], channels), np.uint8).squeeze()
    Image.fromarray(before, mode).save(tmp_path / "photo.png")
    mask = Image.new("L", size)
    mask.paste(255, (20, 30, 70, 90))
    mask.save(tmp_path / "mask.png")
    Image.new("RGB", size, "teal").save(tmp_path / "strokes.png")
    words = ["--strokes", "strokes.png", "--mask", "mask.png", "--steps", 3, "--seed", 1, "-o", "edited.png"]
    result = sdedit("edit", "photo.png", *words)
    assert result.returncode == 0, result.stderr
    edited = Image.open(tmp_path / "edited.png")
    assert (edited.mode, edited.size) == (mode, size)
    after, kept = np.asarray(edited), np.asarray(mask) == 0
    assert (after[kept] == before[kept]).all()
    assert (after[~kept] != before[~kept]).mean() > 0.5


def test_masks_the_other_way_round(sdedit: Command, quick: list[str], pictures: Path) -> None:
    words = ["edit", "photo.png", "--strokes", "strokes.png", *quick, "--mask", "mask.png", "--invert-mask", "--quiet"]
    assert sdedit(*words, "-o", "a.webp").returncode == 0
    changed = np.asarray(Image.open(pictures / "a.webp")) != np.asarray(Image.open(pictures / "photo.png"))
    kept = np.asarray(Image.open(pictures / "mask.png")) == 255
    assert not changed[kept].any()
    assert changed[~kept].any(axis=1).mean() > 0.8


def test_pipe_and_white_mask(sdedit: Command, quick: list[str], pictures: Path) -> None:
    Image.new("L", (60, 40), 255).save(pictures / "white.png")
    result = sdedit("edit", "-", "--strokes", "strokes.png", "--mask", "white.png", *quick,
                    stdin=(pictures / "photo.png").read_bytes())  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert Image.open(io.BytesIO(result.stdout)).size == (60, 40)
    assert "white everywhere: this does what sdedit paint does" in result.stderr.decode()


def test_composite_with_variants_and_a_film(installed: Command, quick: list[str], pictures: Path) -> None:
    result = installed("composite", "photo.png", "patch.png", *quick, "--at", "-4,20", "--variants", 2, "--quiet",
                       "--animate", "film.webp", "--animate-state", "D", "--animate-every", 2)  # fmt: skip
    assert result.returncode == 0, result.stderr
    photo = np.asarray(Image.open(pictures / "photo.png"))
    first, second = (np.asarray(Image.open(pictures / f"photo-composite-{n}.png")) for n in (1, 2))
    assert (first[:, 30:] == photo[:, 30:]).all()
    assert (first[22:30, :10] != photo[22:30, :10]).any()
    assert (first != second).any()
    with Image.open(pictures / "film.webp") as animation:
        assert animation.n_frames == 6  # type: ignore[attr-defined]  # guide, 2 there, 2 back, result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["edit", "photo.png", "--strokes", "strokes.png", "--mask", "small.png"], ["30x20 px", "60x40 px"]),
        (["edit", "photo.png", "--strokes", "strokes.png", "--mask", "black.png"], ["black everywhere"]),
        (["edit", "photo.png", "--strokes", "photo.png"], ["do not differ", "photo.png"]),
        (["edit", "photo.png", "--strokes", "small.png"], ["own size"]),
        (["edit", "photo.png", "--strokes", "nothing.png"], ["no file or folder nothing.png"]),
        (["edit", "photo.png", "--strokes", "text.png"], ["text.png is not a PNG"]),
        (["edit", "-", "--strokes", "-"], ["standard input"]),
        (["edit", "photo.png", "--strokes", "strokes.png", "--invert-mask"], ["--mask"]),
        (["edit", "photo.png", "--strokes", "strokes.png", "-o", "photo.png", "--overwrite"], ["photo.png", "read"]),
        (["edit", "photo.png", "--strokes", "strokes.png", "-o", "mask.png"], ["--overwrite"]),
        (["edit", "photo.png", "--strokes", "strokes.png", "--animate", "a.mp4"], ["a.mp4", ".gif"]),
        (["edit", "photo.png", "--strokes", "strokes.png", "-o", "a.png", "--animate", "a.png"], ["animation"]),
        (["edit", "clear.png", "--strokes", "strokes.png", "-o", "a.jpg"], ["a.jpg", "transparency"]),
        (["composite", "photo.png", "patch.png", "--at", "60,0"], ["outside", "60x40 px"]),
        (["composite", "photo.png", "patch.png", "--at", "here"], ["X,Y", "here"]),
        (["composite", "photo.png", "patch.png", "--mask", "mask.png"], ["60x40 px", "16x12 px"]),
        (["composite", "photo.png", "patch.png", "--scale", "0"], ["--scale"]),
    ],
)
def test_bad_input(sdedit: Command, quick: list[str], pictures: Path, arguments: list[str], words: list[str]) -> None:
    Image.new("L", (30, 20), 255).save(pictures / "small.png")
    Image.new("L", (60, 40)).save(pictures / "black.png")
    Image.new("RGBA", (60, 40)).save(pictures / "clear.png")
    (pictures / "text.png").write_text("words")
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    fails_in_one_sentence(sdedit(*arguments, *quick, "--quiet"), *words)
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before
