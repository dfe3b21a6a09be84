"""`sdedit paint` and `sdedit info`, with real files; as processes where streams, signals and imports count."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import re
import struct
import subprocess
import termios
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sdedit as package
from sdedit.cli import commands
from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.images import blocks_picture


@pytest.fixture
def quick(tiny_checkpoint: Path) -> list[str]:
    return ["--model", str(tiny_checkpoint), "--steps", "4"]


def test_version_and_help_need_nothing_that_takes_long_to_load(installed: Command) -> None:
    assert installed("--version").stdout.decode() == f"sdedit {package.__version__}\n"
    # What cannot be imported proves that nobody tried.
    code = (
        "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:]))\n"
        "from click.testing import CliRunner\nfrom sdedit.cli import commands\n"
        "for name in commands.commands: print(CliRunner().invoke(commands, [name, '--help'], "
        "catch_exceptions=False).output)"
    )
    slow = ["torch", "numpy", "scipy", "PIL", "tomllib", "importlib.metadata"]
    command = [Path(SDEDIT).with_name("python"), "-c", code, *slow]
    help_text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert help_text.count("Usage:") == len(commands.commands)
    for option in ("--t0", "--sigma", "--repeats", "--variants", "--background", "--overwrite", "--json"):
        assert option in help_text


def test_paints_beside_the_guide_and_says_what_it_does(installed: Command, quick: list[str], guide: Path) -> None:
    result = installed("paint", guide, *quick, "--t0", "0.3")
    assert result.returncode == 0, result.stderr
    assert result.stdout == b""
    line, wrote = result.stderr.decode().splitlines()
    assert re.fullmatch(
        r"tiny: 19x16 px \(guide 24x20\), t0 0\.3, sigma\(t0\) 0\.1287, 4 steps of er-sde-churn, seed \d+", line
    ), line
    assert wrote == f"wrote {guide.with_name('strokes-painted.png')}"
    with Image.open(guide.with_name("strokes-painted.png")) as picture:
        assert (picture.mode, picture.size) == ("RGB", (19, 16))


def test_little_noise_keeps_the_guide(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    assert sdedit("paint", guide, *quick, "--t0", "0.000001", "-o", "a.png", "--size", "24x20").returncode == 0
    painted = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    assert np.abs(painted - np.asarray(blocks_picture())).mean() < 4


def test_hardly_any_noise_at_all(sdedit: Command, quick: list[str], guide: Path) -> None:
    assert sdedit("paint", guide, *quick, "--t0", "1e-300").returncode == 0


def test_same_seed_same_file_other_seed_other_picture(
    sdedit: Command, quick: list[str], guide: Path, tmp_path: Path
) -> None:
    for name, seed in (("a.png", 7), ("b.png", 7), ("c.png", 8)):
        assert sdedit("paint", guide, *quick, "-o", name, "--seed", seed).returncode == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b
    assert (np.asarray(Image.open(io.BytesIO(a))) != np.asarray(Image.open(io.BytesIO(c)))).any()


def test_a_drawn_seed_paints_the_same_again(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    said = sdedit("paint", guide, *quick, "-o", "a.png").stderr.decode()
    seed = re.search(r"seed (\d+)", said)[1]  # type: ignore[index]
    sdedit("paint", guide, *quick, "-o", "b.png", "--seed", seed)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    other = sdedit("paint", guide, *quick, "-o", "c.png").stderr.decode()
    assert f"seed {seed}\n" not in other


def test_variants_equal_runs_of_their_own(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    result = sdedit("paint", guide, *quick, "-o", "v.png", "--variants", 3, "--seed", 10)
    assert "seeds 10 to 12" in result.stderr.decode()
    for variant in range(3):
        assert sdedit("paint", guide, *quick, "-o", "own.png", "--seed", 10 + variant, "--overwrite").returncode == 0
        assert (tmp_path / f"v-{variant + 1}.png").read_bytes() == (tmp_path / "own.png").read_bytes()
    assert not (tmp_path / "v.png").exists()


def test_pipe_equals_file(sdedit: Command, installed: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    sdedit("paint", guide, *quick, "--seed", 1, "-o", "file.png")
    for run, output in ((installed, []), (sdedit, ["-o", "-"])):
        piped = run("paint", "-", *quick, *output, "--seed", 1, stdin=guide.read_bytes())
        assert piped.returncode == 0, piped.stderr
        picture = Image.open(io.BytesIO(piped.stdout))
        assert (np.asarray(picture) == np.asarray(Image.open(tmp_path / "file.png"))).all()


def test_a_reader_that_goes_away_is_no_traceback(quick: list[str], guide: Path) -> None:
    process = subprocess.Popen(
        [SDEDIT, "paint", str(guide), *quick, "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    assert process.wait() == 1
    assert "Traceback" not in error
    assert "Exception" not in error


def test_progress_bar_on_a_terminal_only(quick: list[str], guide: Path, tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    words = [SDEDIT, "paint", str(guide), *quick, "-o", str(tmp_path / "a.png")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the terminal closes when the process ends
        while piece := os.read(ours, 4096):
            seen += piece
    os.close(ours)
    assert process.wait() == 0
    assert re.search(rb"\d/4 \[", seen), seen
    assert b"steps of er-sde" in seen


def test_recipe_json_and_info(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    result = sdedit(
        "paint", guide, *quick, "-o", "a.png", "--sigma", "0.5", "--sampler", "ancestral", "--repeats", 2,
        "--seed", 3, "--json", "--quiet",
    )  # fmt: skip
    assert result.stderr == b""
    told = json.loads(result.stdout)
    facts = {key: told.pop(key) for key in ("input", "output", "status", "seconds", "error", "reason")}
    assert facts.pop("seconds") > 0
    assert facts == {"input": str(guide), "output": "a.png", "status": "painted", "error": None, "reason": None}
    assert {key: told[key] for key in ("model", "guide", "steps", "sampler", "repeats", "seed", "width", "height")} == {
        "model": "tiny", "guide": "strokes.png", "steps": 4, "sampler": "ancestral", "repeats": 2, "seed": 3,
        "width": 19, "height": 16,
    }  # fmt: skip
    assert told["sigma"] == pytest.approx(0.5)
    assert told["t0"] == pytest.approx(np.log(50) / np.log(5000))
    assert len(told["checksum"]) == 64

    assert json.loads(sdedit("info", "a.png", "--json").stdout) == told
    lines = sdedit("info", "a.png").stdout.decode()
    assert re.search(r"^sampler +ancestral$", lines, re.MULTILINE)


def test_info_of_a_checkpoint(installed: Command, tiny_checkpoint: Path) -> None:
    told = json.loads(installed("info", tiny_checkpoint, "--json").stdout)
    assert told["model"] == "tiny"
    assert told["native size"] == "16 px"


def test_an_unstable_sampler_is_said(sdedit: Command, quick: list[str], guide: Path) -> None:
    words = ["paint", guide, *quick, "--sampler", "euler-maruyama-t", "--overwrite"]
    assert "unstable at this t0 with fewer than 9 steps" in sdedit(*words, "--steps", 8).stderr.decode()
    assert "unstable at" not in sdedit(*words, "--steps", 9).stderr.decode()


def test_steps_are_evaluations_whatever_t0(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    for t0 in ("0.1", "0.9"):
        sdedit("paint", guide, *quick, "--t0", t0, "-o", f"{t0}.png", "--seed", 1)
        assert json.loads(Image.open(tmp_path / f"{t0}.png").text["sdedit"])["steps"] == 4


@pytest.mark.parametrize(("size", "expected"), [("32", (38, 32)), ("40x24", (40, 24)), ("17x9", (17, 9))])
def test_size(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path, size: str, expected: tuple) -> None:
    result = sdedit("paint", guide, *quick, "--size", size, "-o", "a.png")
    assert result.returncode == 0
    assert Image.open(tmp_path / "a.png").size == expected
    # Churn is for one pass; the line and the recipe name what was done.
    sampler = "er-sde" if expected[1] > 17 else "er-sde-churn"
    assert f"steps of {sampler}," in result.stderr.decode()
    assert json.loads(sdedit("info", "a.png", "--json").stdout)["sampler"] == sampler


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF"), ("PNG", "PNG")])
def test_output_formats(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path, suffix: str, kind: str) -> None:
    assert sdedit("paint", guide, *quick, "-o", f"a.{suffix}").returncode == 0
    assert Image.open(tmp_path / f"a.{suffix}").format == kind


def test_output_folder_takes_the_guides_name(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert sdedit("paint", guide, *quick, "-o", "out").returncode == 0
    assert (tmp_path / "out" / "strokes.png").exists()
    mode = (tmp_path / "out" / "strokes.png").stat().st_mode & 0o777
    (tmp_path / "plain").touch()
    assert mode == (tmp_path / "plain").stat().st_mode & 0o777


def test_background_shows_through(sdedit: Command, quick: list[str], tmp_path: Path) -> None:
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    for colour in ("white", "black"):
        sdedit("paint", "clear.png", *quick, "--t0", "0.01", "--background", colour, "-o", f"{colour}.png")
    white, black = (np.asarray(Image.open(tmp_path / f"{c}.png")).mean() for c in ("white", "black"))
    assert white > 230
    assert black < 25


# Bad input: one sentence, a non-zero exit code, nothing written.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.png"], ["missing.png", "no file"]),
        (["empty-folder", "-o", "out"], ["empty-folder", "no images"]),
        (["folder"], ["folder", "--output"]),
        (["text.png"], ["text.png", "is not a PNG"]),
        (["truncated.jpg"], ["truncated.jpg", "not a whole image"]),
        (["empty.png"], ["empty.png", "is not a PNG"]),
        (["huge.png"], ["huge.png", "million pixels"]),
        (["strokes.png", "--t0", "0"], ["t0"]),
        (["strokes.png", "--t0", "1.5"], ["t0", "1.5"]),
        (["strokes.png", "--t0", "-0.5"], ["t0"]),
        (["strokes.png", "--t0", "nan"], ["t0", "nan"]),
        (["strokes.png", "--t0", "half"], ["t0", "half"]),
        (["strokes.png", "--sigma", "inf"], ["sigma", "inf"]),
        (["strokes.png", "--sigma", "51"], ["sigma", "[0.01, 50]"]),
        (["strokes.png", "--sigma", "0.01"], ["sigma", "above 0.01"]),
        (["strokes.png", "--t0", "0.5", "--sigma", "1.9"], ["--t0", "--sigma"]),
        (["strokes.png", "--model", "unknown"], ["unknown", "sdedit models list"]),
        (["strokes.png", "--model", "text.png"], ["text.png"]),
        (["strokes.png", "--model", "broken.safetensors"], ["broken.safetensors"]),
        (["strokes.png", "--model", "empty-folder"], ["empty-folder"]),
        (["strokes.png", "-o", "nowhere/a.png"], ["nowhere/a.png", "no folder"]),
        (["strokes.png", "-o", "strokes.png"], ["strokes.png", "the guide itself"]),
        (["strokes.png", "-o", "strokes.png", "--overwrite"], ["strokes.png", "the guide itself"]),
        (["strokes.png", "-o", "old.png"], ["old.png", "--overwrite"]),
        (["strokes.png", "-o", "a.xyz"], ["a.xyz", ".png"]),
        (["strokes.png", "-o", "-", "--variants", "2"], ["standard output"]),
        (["strokes.png", "-o", "-", "--json"], ["standard output"]),
        (["strokes.png", "--steps", "0"], ["--steps"]),
        (["strokes.png", "--size", "big"], ["size", "big"]),
        (["strokes.png", "--size", "2"], ["size", "2"]),
        (["strokes.png", "--size", "99999x99999"], ["size"]),
        (["strokes.png", "--background", "sky"], ["colour", "sky"]),
        (["strokes.png", "--device", "cuda:99"], ["cuda:99"]),
        (["strokes.png", "--device", "toaster"], ["toaster"]),
        (["strokes.png", "--sampler", "magic"], ["magic", "euler-maruyama"]),
        (["strokes.png", "extra.png"], ["--output"]),
        (["strokes.png", "--colour"], ["--colour"]),
        ([], ["GUIDE"]),
    ],
)
def test_bad_input(
    sdedit: Command, quick: list[str], guide: Path, tmp_path: Path, tiny_checkpoint: Path, arguments: list[str],
    words: list[str],
) -> None:  # fmt: skip
    (tmp_path / "empty-folder").mkdir()
    (tmp_path / "folder").mkdir()
    blocks_picture().save(tmp_path / "folder" / "a.png")
    (tmp_path / "text.png").write_text("strokes, but in words")
    jpeg = io.BytesIO()
    blocks_picture(300, 300).resize((600, 600)).save(jpeg, "JPEG")
    (tmp_path / "truncated.jpg").write_bytes(jpeg.getvalue()[:-900])
    (tmp_path / "empty.png").touch()
    if "huge.png" in arguments:
        Image.new("1", (14_000, 14_000)).save(tmp_path / "huge.png")
    (tmp_path / "old.png").write_bytes(b"precious")
    (tmp_path / "broken.safetensors").write_bytes(tiny_checkpoint.read_bytes()[:-100])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    options = [] if "--model" in arguments else quick
    fails_in_one_sentence(sdedit("paint", *options, "--quiet", *arguments), *words)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_empty_standard_input(installed: Command, quick: list[str]) -> None:
    fails_in_one_sentence(installed("paint", "-", *quick, "--quiet"), "standard input")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(sdedit: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    fails_in_one_sentence(sdedit("paint", guide, *quick, "--quiet", "-o", "locked/a.png"), "locked", "read-only")


def test_a_disk_that_fills_up_leaves_no_part(installed: Command, quick: list[str], guide: Path, tmp_path: Path) -> None:
    import resource

    # A limit on file size stops a write half-way, as a full disk does.
    def small_files_only() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    (tmp_path / "out").mkdir()
    result = installed("paint", guide, *quick, "--quiet", "-o", "out/a.png", preexec_fn=small_files_only)
    fails_in_one_sentence(result, "out/a.png")
    assert list((tmp_path / "out").iterdir()) == []


def test_info_of_what_it_cannot_describe(sdedit: Command, guide: Path, tmp_path: Path) -> None:
    fails_in_one_sentence(sdedit("info", guide), "strokes.png", "no recipe")
    fails_in_one_sentence(sdedit("info", "nothing"), "nothing")
    (tmp_path / "text").write_text("words")
    fails_in_one_sentence(sdedit("info", "text"), "text")
    (tmp_path / "cut.png").write_bytes(guide.read_bytes()[:30])
    fails_in_one_sentence(sdedit("info", "cut.png"), "cut.png")


def test_interrupt_leaves_nothing_half_written(quick: list[str], guide: Path, tmp_path: Path) -> None:
    import signal
    import time

    process = subprocess.Popen(
        [SDEDIT, "paint", str(guide), *quick, "--steps", "100000", "-o", str(tmp_path / "a.png")],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert b"steps of" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.stderr.read().decode().startswith("sdedit: interrupted")
    assert process.wait() == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["strokes.png"]
