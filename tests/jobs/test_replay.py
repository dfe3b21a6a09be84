"""Pictures painted again from their recipes, and presets in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, PngImagePlugin

import sdedit as package
from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.cli import commands
from sdedit.errors import SdeditError
from sdedit.jobs import paint
from sdedit.jobs.options import PaintOptions
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.folders import make_guides
from tests.helpers.images import blocks_picture
from tests.helpers.models import make_tiny_model, sampled


def replay(picture: Path, guide: Path | None = None, model: Path | None = None, output: Path | None = None) -> Path:
    return Path(package.replay(picture, guide, model=model, output=output, overwrite=True).output)


def test_bit_equal_from_a_batch_of_a_folder(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guides = make_guides(tmp_path / "guides", 12)
    Image.new("RGBA", (20, 24), (0, 90, 0, 100)).save(guides / "a" / "clear.png")
    options = {"model": tiny_checkpoint, "sampling": sampled(5, "ancestral"), "repeats": 2, "background": "navy"}
    results = list(package.paint_files(guides, tmp_path / "out", sigma=0.3, size=18, **options))
    assert len({result.recipe["batch"] for result in results if result.recipe}) > 1
    for result in results:
        picture = Path(result.output)
        assert replay(picture).read_bytes() == picture.read_bytes()  # the guide is where the ledger says


def test_single_pictures_and_other_guides(
    sdedit: Command, installed: Command, tiny_checkpoint: Path, guide: Path, tmp_path: Path
) -> None:
    words = ["--model", tiny_checkpoint, "--steps", 3, "--quiet"]
    assert sdedit("paint", guide, *words, "-o", "a.png").returncode == 0
    result = installed("replay", "a.png", "--json", "--quiet")
    assert json.loads(result.stdout)["output"] == "a-replayed.png"
    assert (tmp_path / "a-replayed.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    fails_in_one_sentence(sdedit("replay", "a.png", "--quiet"), "a-replayed.png", "--overwrite")
    blocks_picture(50, 20).save(tmp_path / "other.png")
    result = sdedit("replay", "a.png", "other.png", "-o", "b.png")
    assert "not the file" in result.stderr.decode()
    assert Image.open(tmp_path / "b.png").size == Image.open(tmp_path / "a.png").size


def test_a_model_that_is_elsewhere_is_named(
    sdedit: Command, tiny_checkpoint: Path, guide: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here.safetensors"
    here.write_bytes(tiny_checkpoint.read_bytes())
    words = ["--steps", 1, "--seed", 1, "-o", "a.png"]
    assert sdedit("paint", guide, "--model", "here.safetensors", *words).returncode == 0
    here.unlink()
    fails_in_one_sentence(sdedit("replay", "a.png"), "here.safetensors, by which a.png was made", "--model")
    assert sdedit("replay", "a.png", "--model", tiny_checkpoint, "-o", "b.png").returncode == 0
    assert (tmp_path / "a.png").exists()
    existing = sdedit("replay", "a.png", "--model", tiny_checkpoint, "-o", "b.png")
    fails_in_one_sentence(existing, "b.png exists; add --overwrite")
    assert b"--skip-existing" not in existing.stderr  # which replay does not have


def test_what_cannot_be_replayed(tiny_checkpoint: Path, guide: Path, tmp_path: Path) -> None:
    with pytest.raises(SdeditError, match="no file"):
        replay(tmp_path / "none.png")
    with pytest.raises(SdeditError, match="no recipe"):
        replay(guide)
    (result,) = package.paint_files(guide, tmp_path / "out", model=tiny_checkpoint, sampling=sampled(1))
    picture = Path(result.output)
    save_checkpoint(make_tiny_model(seed=1), tmp_path / "other.safetensors")
    with pytest.raises(SdeditError, match="not the model that made"):
        replay(picture, guide, tmp_path / "other.safetensors")
    with pytest.raises(SdeditError, match="the image itself"):
        replay(picture, guide, output=picture)
    for change, word in (({"steps": "many"}, "steps"), ({"batch": 10**9}, "batch"), ({"seed": True}, "seed")):
        text = PngImagePlugin.PngInfo()
        text.add_itxt("sdedit", json.dumps({**(result.recipe or {}), **change}))
        Image.open(picture).save(tmp_path / "odd.png", pnginfo=text)
        with pytest.raises(SdeditError, match=f"cannot be used.*{word}"):
            replay(tmp_path / "odd.png", guide)
    guide.write_bytes(guide.read_bytes() + b"changed")
    with pytest.raises(SdeditError, match=r"strokes\.png .* name it"):
        replay(picture)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[PaintOptions]:
    """The options that the command would paint with."""
    seen: list[PaintOptions] = []

    def remember(guides: object, list_file: object, output: object, options: PaintOptions, *rest: object) -> object:
        seen.append(options)
        yield from ()

    monkeypatch.setattr(paint, "run_paint_job", remember)
    monkeypatch.chdir(tmp_path)
    return seen


def test_the_command_line_is_above_the_file_and_the_file_above_defaults(asked: list[PaintOptions]) -> None:
    Path("a.toml").write_text(
        't0 = 0.3\nsteps = 40\nsize = "20x30"\ninclude = ["x*"]\nexclude = "y*"\noverwrite = true\n'
    )
    for words in (["g.png", "--config", "a.toml", "--steps", "9", "--skip-existing"], ["--config", "a.toml", "g.png"]):
        result = CliRunner().invoke(commands, ["paint", *words], standalone_mode=False)
        assert result.exception is None
    first, second = asked
    assert (first.t0, first.sampling.steps, first.size, first.repeats) == (0.3, 9, (20, 30), 1)
    assert (first.include, first.exclude) == (("x*",), ("y*",))
    assert (first.overwrite, first.skip_existing) == (False, True)
    assert (second.sampling.steps, second.overwrite) == (40, True)


def test_saved_options_paint_the_same(asked: list[PaintOptions]) -> None:
    words = ["--sigma", "1e-1", "--size", "20x30", "--include", "a'\"b", "--background", "#102030", "--seed", "7"]
    Path("a.toml").write_text("t0 = 0.3\nvariants = 2\n")
    for more in (["--config", "a.toml", *words, "--save-config", "b.toml"], ["--config", "b.toml"]):
        assert CliRunner().invoke(commands, ["paint", "g.png", *more], standalone_mode=False).exception is None
    assert asked[0] == asked[1]
    assert (asked[1].sigma, asked[1].t0, asked[1].variants) == (0.1, None, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("stepz = 4", ["stepz", "steps"]), ("steps = 'x'", ["--steps"]), ("overwrite = 1", ["overwrite", "true"]),
        ("t0 = true", ["t0"]), ("t0 = [0.5]", ["t0"]), ("t0 = ", ["not a TOML file"]), ("[paint]\nt0 = 0.5", ["paint"]),
        ("config = 'a'", ["config"]), (None, ["a.toml"]),
    ],
)  # fmt: skip
def test_files_that_are_refused(asked: list[PaintOptions], content: str | None, words: list[str]) -> None:
    if content is not None:
        Path("a.toml").write_text(content)
    result = CliRunner().invoke(commands, ["paint", "g.png", "--config", "a.toml"], standalone_mode=False)
    said = str(getattr(result.exception, "format_message", lambda: result.exception)())
    for word in words:
        assert word in said, said
    assert not asked
