"""The documents: links resolve, commands parse and run, Python runs, and the page of options is what --help says."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image

import sdedit
from sdedit.cli import commands

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "sdedit" / "checkpoints" / "models").glob("*.md")),
]
WRITTEN = [page for page in PAGES if page.name != "options.md"]  # by hand
INSTALLATION = ("python3 -m venv ", ".venv/bin/")  # what .ci/run does, but for .venv/bin/sdedit
CHEAP = {"evaluate": ["--t0", "0.5"], "bench": ["--repeats", "1"]}  # the last of two values counts


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@dataclass(frozen=True)
class Block:
    """A fenced block of code; `why` says why it cannot run here, if it cannot."""

    language: str
    text: str
    why: str = ""


def blocks(page: Path, language: str) -> list[Block]:
    fence = re.compile(r"(?:<!-- not run: (.*?) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    found = [Block(match[2], match[3], match[1] or "") for match in fence.finditer(page.read_text(encoding="utf-8"))]
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    """The text without fenced blocks and comments."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    text = re.sub(r"`[^`]*`", "", prose(page))
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    assert broken_links(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A title\n[a](a.md#a-title) [b](#another) [c](c.md) ![d\nd](https://d) `[e](e)`\n")
    assert broken_links(page) == ["#another", "c.md"]


def test_every_page_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and page.name not in text] == []


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert len(text.encode()) <= 9000


def test_the_page_of_options_is_what_help_says() -> None:
    make = runpy.run_path(str(ROOT / "docs" / "make_options.py"))
    assert make["PAGE"].read_text(encoding="utf-8") == make["options_page"](), "run python docs/make_options.py"


def test_the_citation_is_of_this_version() -> None:
    version = re.compile(r'^version(?:: | = ")([\w.]+)', re.MULTILINE)
    found = [version.search((ROOT / name).read_text(encoding="utf-8")) for name in ("CITATION.cff", "pyproject.toml")]
    assert found[0]
    assert found[1]
    assert found[0][1] == found[1][1]


def shell_lines(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def sdedit_commands(page: Path) -> list[list[str]]:
    """The words after `sdedit` of every command on a page, in blocks and in the text."""
    lines = [line for block in blocks(page, "sh") for line in shell_lines(block.text)]
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(page))]
    found = []
    for line in lines:
        for match in re.finditer(r"(?:^|(?<!--like)[\s/'])sdedit ", line):
            quoted = line[match.start()] == "'"  # as in sbatch --wrap 'sdedit …'
            rest = line[match.end() :].split("'")[0] if quoted else line[match.end() :]
            lexer = shlex.shlex(rest, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
            end = next((i for i, word in enumerate(words) if set(word) <= set("|&;<>")), len(words))
            found.append([word for word in words[:end] if word != "…"])
    return found


def parse(words: list[str]) -> None:
    """Parse a command as click does, but for files that need not exist and values in capitals."""
    command: click.Command = commands
    context = click.Context(commands, info_name="sdedit")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        child = command.get_command(context, words[0])
        if child is None:
            raise click.UsageError(f"there is no command {words[0]}")
        context = click.Context(child, info_name=words[0], parent=context)
        command, words = child, words[1:]
    values, rest, parameters = command.make_parser(context).parse_args(list(words))
    if rest:
        raise click.UsageError(f"{rest} are too many arguments")
    for parameter in parameters:
        value = values.get(parameter.name)
        is_file = isinstance(parameter.type, (click.Path, click.types.StringParamType))
        if isinstance(value, str) and not is_file and not re.fullmatch(r"[A-Z]+|.*\$.*", value):
            parameter.type_cast_value(context, value)


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_commands_parse(page: Path) -> None:
    for words in sdedit_commands(page):
        try:
            parse(words)
        except click.UsageError as error:
            pytest.fail(f"sdedit {shlex.join(words)}: {error.format_message()}")


@pytest.mark.parametrize(
    "line", ["paint a.png --tO 0.5", "paint a.png --t0 2", "point a.png", "info a.png b.png", "paint --quality good"]
)
def test_wrong_commands_do_not_parse(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line.split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages call strokes.png, sketches and so on, in which commands run."""
    sources = {
        "strokes.png": "guides/mountain-lake.png",
        "sketches/glacier.png": "guides/glacier.png",
        "sketches/night/coast.png": "guides/coast.png",
        "photo.png": "painted/coast.png",
        "strokes-layer.png": "walkthrough/coast-strokes.png",
        "background.png": "painted/coast.png",
        "part.png": "walkthrough/rocky-ridge-part.png",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((EXAMPLES / source).read_bytes())
    (tmp_path / "photos").mkdir()
    for path in sorted((EXAMPLES / "painted").glob("*-*.jpg")):  # ten or more, as evaluate asks for
        Image.open(path).resize((32, 32)).save(tmp_path / "photos" / f"{path.stem}.png")
    Image.open(tmp_path / "strokes-layer.png").getchannel("A").save(tmp_path / "mask.png")
    for path in sorted((tmp_path / "photos").iterdir()):
        layer = Image.new("RGBA", (32, 32))
        layer.paste((200, 60, 40, 255), (4, 6, 20, 18))
        (tmp_path / "layers").mkdir(exist_ok=True)
        layer.save(tmp_path / "layers" / path.name)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def calibrated(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that can suggest a t0."""
    file = tmp_path_factory.mktemp("model") / "calibrated.safetensors"
    words = ["models", "calibrate", str(tiny_checkpoint), str(EXAMPLES / "painted"), "-o", str(file)]
    result = CliRunner().invoke(commands, words)
    assert result.exit_code == 0, result.output
    return file


def quick(words: list[str], model: Path) -> list[str]:
    """The same command at two steps of a tiny model, and with what makes others cheap."""
    options = {name for parameter in commands.commands[words[0]].params for name in parameter.opts}
    steps = ["--steps", "2"] if "--steps" in options else []
    tiny = ["--model", str(model)] if "--model" in options and words[0] != "replay" else []
    return [*words, *steps, *tiny, *CHEAP.get(words[0], [])]


def run_line(line: str, model: Path | None) -> None:
    """Run a line of shell: commands joined by &&, a pipe into sdedit, output into a file.

    Args:
        line: of a block of code.
        model: what to paint with, quickly; None to run the line as it is written.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for words in _split(list(lexer), "&&"):
        *before, words = _split(words, "|")
        if Path(words[0]).name != "sdedit" and shlex.join(words).startswith(INSTALLATION):
            continue
        assert Path(words[0]).name == "sdedit", f"{line}: say why it is not run"
        stdin = subprocess.run(before[0], capture_output=True, check=True).stdout if before else None
        *words, target = words if words[-2] == ">" else [*words, ""]
        words = [word for word in words[1:] if word != ">"]
        result = CliRunner().invoke(commands, words if model is None else quick(words, model), input=stdin)
        assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"
        if target:
            Path(target).write_bytes(result.stdout_bytes)


def _split(words: list[str], mark: str) -> Iterator[list[str]]:
    while mark in words:
        yield words[: words.index(mark)]
        words = words[words.index(mark) + 1 :]
    if words:
        yield words


RUN = [page for page in WRITTEN if any(not block.why for block in blocks(page, "sh"))]


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_run(page: Path, folder: Path, calibrated: Path) -> None:
    lines = [line for block in blocks(page, "sh") if not block.why for line in shell_lines(block.text)]
    for number, line in enumerate(lines):
        run_line(line, None if page.name == "README.md" and number == 0 else calibrated)


PYTHON = [(page, number) for page in WRITTEN for number in range(len(blocks(page, "python")))]


@pytest.mark.parametrize(("page", "number"), PYTHON, ids=lambda value: getattr(value, "name", value))
def test_python_compiles(page: Path, number: int) -> None:
    compile(blocks(page, "python")[number].text, page.name, "exec")


RUNNING_PYTHON = {ROOT / "README.md": (0,), ROOT / "docs" / "python.md": (0, 1, 2, 3)}


@pytest.mark.parametrize(
    ("page", "number"),
    [(page, number) for page, numbers in RUNNING_PYTHON.items() for number in numbers],
    ids=lambda value: getattr(value, "name", value),
)
def test_python_runs(page: Path, number: int, folder: Path, calibrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = sdedit.load_model(str(calibrated))
    monkeypatch.setattr(sdedit, "load_model", lambda *arguments, **options: tiny)
    if page.name != "README.md":  # whose folder is painted with the model that comes with the package
        monkeypatch.setattr("sdedit.checkpoints.load.load_model", lambda *arguments, **options: tiny)
    exec(compile(blocks(page, "python")[number].text, page.name, "exec"), {})


def test_the_notebook_runs(calibrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = sdedit.load_model(str(calibrated))
    monkeypatch.setattr(sdedit, "load_model", lambda *arguments, **options: tiny)
    monkeypatch.chdir(EXAMPLES)
    notebook = json.loads((EXAMPLES / "quickstart.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "clear the outputs: they are large, and differ from machine to machine"
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert isinstance(names["edited"], Image.Image)
