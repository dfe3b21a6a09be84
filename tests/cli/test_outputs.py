"""Where pictures go and what is said of it: folders by their slash, links, terminals, and values that were meant."""

from __future__ import annotations

import io
import os
import pty
import subprocess
from pathlib import Path

import pytest
from PIL import Image

import sdedit as package
from sdedit.cli.threads import wait_without_spinning
from sdedit.errors import SdeditError
from sdedit.io.files import read_stdin
from sdedit.io.images import working_size
from sdedit.io.outputs import plan_outputs
from sdedit.jobs.paint_files import paint_files
from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture


@pytest.fixture
def paint(sdedit: Command, tiny_checkpoint: Path) -> list[object]:
    return ["--model", tiny_checkpoint, "--steps", 1, "--seed", 1]


def test_a_name_with_a_slash_is_a_folder(sdedit: Command, guide: Path, paint: list[object], tmp_path: Path) -> None:
    painted = sdedit("paint", guide, "-o", "a/b/", *paint)
    assert painted.returncode == 0
    assert "1 step of" in painted.stderr.decode()
    assert painted.stderr.decode().splitlines()[-1] == "wrote a/b/strokes.png"
    again = sdedit("replay", "a/b/strokes.png", guide, "-o", "again/")
    assert again.returncode == 0, again.stderr
    assert sdedit("strokes", guide, "-o", "simulated/").stdout.decode() == "simulated/strokes-strokes.png\n"
    assert (tmp_path / "again" / "strokes.png").read_bytes() == (tmp_path / "a" / "b" / "strokes.png").read_bytes()
    folder = sdedit("paint", "a/b", "-o", "many/", *paint)
    assert "1 guide to many" in folder.stderr.decode()
    Image.new("RGB", (24, 20), "red").save(tmp_path / "other.png")
    edited = sdedit("edit", guide, "--strokes", "other.png", "-o", "c/", *paint)
    assert edited.stderr.decode().splitlines()[-1] == "wrote c/strokes-edited.png"
    composed = sdedit("composite", guide, "other.png", "-o", "d/", *paint)
    assert composed.stderr.decode().splitlines()[-1] == "wrote d/strokes-composite.png"
    swept = sdedit("sweep", guide, "-o", "e/", "--t0", "0.5", *paint)
    assert swept.stdout.decode().split() == ["e/strokes-sweep.png", "e/strokes-sweep.csv"]
    in_python = package.replay(tmp_path / "a" / "b" / "strokes.png", guide, output=f"{tmp_path}/f/")
    assert Path(in_python.output) == tmp_path / "f" / "strokes.png"
    (tmp_path / "plain").touch()
    fails_in_one_sentence(sdedit("paint", guide, "-o", "plain/", *paint), "cannot make the folder plain")


def test_overwriting_a_link_writes_what_it_points_to(
    sdedit: Command, guide: Path, paint: list[object], tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    stored, link = tmp_path / "store" / "kept.png", tmp_path / "out.png"
    stored.touch()
    for words in (["paint", guide, *paint], ["strokes", guide]):
        link.unlink(missing_ok=True)
        link.symlink_to(stored)
        before = stored.read_bytes()
        assert sdedit(*words, "-o", link, "--overwrite").returncode == 0
        assert link.is_symlink()
        assert stored.read_bytes() != before
        assert list(stored.parent.iterdir()) == [stored]
    for words in (
        ["sweep", guide, *paint, "--t0", "0.5"], ["models", "convert", paint[1]],
        ["paint", guide, "-o", "x.png", *paint, "--animate"], ["paint", guide, "-o", "y.png", *paint, "--save-config"],
    ):  # fmt: skip
        file = {"sweep": "s.png", "models": "m.safetensors"}.get(str(words[0]), f"{words[-1]}.gif")
        (tmp_path / "store" / file).write_bytes(b"old")
        (tmp_path / file).symlink_to(tmp_path / "store" / file)
        result = sdedit(*words, *(["-o", file] if words[0] == "sweep" else [file]), "--overwrite")
        assert result.returncode == 0, result.stderr
        assert (tmp_path / file).is_symlink()
        assert (tmp_path / "store" / file).stat().st_size > 3
    for file in (tmp_path / "store").iterdir():
        file.unlink() if file != stored else None
    painted = tmp_path / "z.png"
    assert sdedit("paint", guide, "-o", painted, *paint).returncode == 0
    package.replay(painted, guide, output=link, overwrite=True)
    assert link.is_symlink()
    assert stored.read_bytes() == painted.read_bytes()
    # In a folder too, where it may point to the guide.
    (tmp_path / "guides").mkdir()
    (tmp_path / "many").mkdir()
    for name in ("a.png", "b.png"):
        blocks_picture().save(tmp_path / "guides" / name)
    (tmp_path / "many" / "a.png").symlink_to(stored)
    (tmp_path / "many" / "b.png").symlink_to(tmp_path / "guides" / "b.png")
    before = (tmp_path / "guides" / "b.png").read_bytes()
    result = sdedit("paint", "guides", "-o", "many", "--overwrite", *paint)
    assert result.returncode == 3
    assert "link to the guide itself" in result.stderr.decode()
    assert (tmp_path / "many" / "a.png").is_symlink()
    assert (tmp_path / "guides" / "b.png").read_bytes() == before


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", Terminal(io.BytesIO(b"data")))
        assert read_stdin() == b"data"
        assert "waiting for an image on standard input" in capsys.readouterr().err
        assert read_stdin("a list") == b""
        assert "waiting for a list" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Terminal(io.BytesIO()))
        with pytest.raises(SdeditError, match="not shown on a terminal"):
            plan_outputs("-", Path("a.png"), ["-"], [".png"])


def test_values_that_were_meant(sdedit: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    for words, said in (
        (["paint", guide, "--size", 0], "at least 8; not 0"),
        (["sweep", guide, "--size", 4], "at least 8"),
        (["paint", guide, "--t0", 400], "did you mean 0.4?"),
        (["paint", guide, "--t0", 40], "did you mean 0.4?"),
        (["edit", guide, "--strokes", guide, "--t0", 450], "did you mean 0.45?"),
        (["sweep", guide, "--t0", "200:600:100"], "did you mean 0.6?"),
        (["evaluate", guide, guide, "--t0", 400], "did you mean 0.4?"),
        (["paint", guide, "--t0", "auto:300:600"], "did you mean 0.6?"),
        (["strokes", guide, "--size", 0], "--size"),
    ):
        fails_in_one_sentence(sdedit(*words), said)
    with pytest.raises(SdeditError, match="size must be at least 8"):
        list(paint_files(guide, tmp_path / "out", model=tiny_checkpoint, size=0))
    with pytest.raises(SdeditError, match=r"did you mean 0\.4\?"):
        list(paint_files(guide, tmp_path / "out", model=tiny_checkpoint, t0=400))
    model, image = package.load_model(tiny_checkpoint), blocks_picture()
    with pytest.raises(ValueError, match=r"did you mean 0\.4\?"):
        package.paint(model, image, 400)
    with pytest.raises(ValueError, match="0 x 0 px"):
        package.paint(model, image, size=0)
    with pytest.raises(ValueError, match="0 x 0 px"):
        package.edit(model, image, image.rotate(180), crop=package.CropOptions(size=0))
    for options, words in (({"repeats": 0}, "repeats"), ({"scale": 0.0}, "scale"), ({"scale": -1.0}, "scale")):
        with pytest.raises(ValueError, match=words):
            package.composite(model, image, image.resize((8, 8)), **options)
    with pytest.raises(ValueError, match="context"):
        package.CropOptions(context=-1)


def test_very_slim_guides_are_refused(sdedit: Command, paint: list[object], tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    Image.new("RGB", (10, 3000)).save(tmp_path / "guides" / "slim.png")
    blocks_picture().save(tmp_path / "guides" / "whole.png")
    for command in ("paint", "sweep"):
        fails_in_one_sentence(sdedit(command, "guides/slim.png", *paint), "10 x 3000", "--size WIDTHxHEIGHT")
    fails_in_one_sentence(sdedit("strokes", "guides/slim.png", "--size", 16), "10 x 3000")
    Image.new("RGB", (10, 3000), "red").save(tmp_path / "red.png")
    edit = sdedit("edit", "guides/slim.png", "--strokes", "red.png", *paint)
    fails_in_one_sentence(edit, "10 x 3000")
    assert b"WIDTHxHEIGHT" not in edit.stderr  # which edit does not take
    for number in range(8):
        blocks_picture().save(tmp_path / "guides" / f"{number}.png")
    calibrated = sdedit("models", "calibrate", paint[1], "guides", "-o", "c.safetensors")
    assert calibrated.returncode == 3
    assert "guides/slim.png: it is 10 x 3000" in calibrated.stderr.decode()
    with pytest.raises(ValueError, match="10 x 3000"):
        package.paint(package.load_model(str(paint[1])), Image.new("RGB", (10, 3000)))
    assert sdedit("paint", "guides/slim.png", "--size", "16x64", *paint).returncode == 0
    many = sdedit("paint", "guides", "-o", "out", *paint)
    assert many.returncode == 3
    assert (tmp_path / "out" / "whole.png").exists()
    assert working_size((10, 160), 128) == (128, 2048)


@pytest.mark.parametrize("words", [["paint", "-"], ["strokes", "-"], ["edit", "-", "--strokes", "strokes.png"]])
def test_a_command_says_what_it_waits_for_on_a_terminal(guide: Path, words: list[str], tmp_path: Path) -> None:
    here, there = pty.openpty()
    words = [SDEDIT, *words, "-o", "out.png"]
    with subprocess.Popen(words, stdin=there, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        os.write(here, b"\n\x04")  # the end of a file, as Ctrl-D gives it
        assert said == b"waiting for an image on standard input; Ctrl-C ends this\n"
        assert b"standard input" in process.stderr.read()
        assert process.wait() == 1
    shown = [*words[:-1], "-"]
    with subprocess.Popen(
        shown, stdin=subprocess.DEVNULL, stdout=there, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert b"an image is not shown on a terminal; send it on with > or |" in process.stderr.read()
        assert process.wait() == 1
    os.close(here)
    os.close(there)


@pytest.mark.parametrize(
    "line",
    ["paint @", "edit @ --strokes a.png", "sweep @", "strokes @", "composite @ a.png", "evaluate @ a", "replay @",
     "train @ --data a -o b", "train a --data @ -o b", "compare @ a --mask b", "models calibrate m @", "rebuild @"],
)  # fmt: skip
def test_the_name_in_a_variable_that_is_not_set(sdedit: Command, line: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    fails_in_one_sentence(sdedit(*(word.replace("@", "") for word in line.split())))
    assert sorted(tmp_path.rglob("*")) == before


def test_how_threads_wait_is_settled_before_torch_and_stays_the_users() -> None:
    empty: dict[str, str] = {}
    wait_without_spinning(empty)
    assert empty == {"GOMP_SPINCOUNT": "1000"}
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        chosen = {name: "7"}
        wait_without_spinning(chosen)
        assert chosen == {name: "7"}


def test_it_is_settled_in_the_command(installed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("import os\nraise SystemExit(os.environ.get('GOMP_SPINCOUNT', 'none'))")
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    for given, expected in (({}, b"1000"), ({"GOMP_SPINCOUNT": "5"}, b"5"), ({"OMP_WAIT_POLICY": "active"}, b"none")):
        result = installed("models", "verify", "landscapes-128", env={"PYTHONPATH": paths, **given})
        assert result.stderr.strip() == expected
