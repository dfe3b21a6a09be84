"""Imports run down: between the folders of the package, and between the files of each; see docs/design.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sdedit"
FLOORS = {
    "errors": 1,
    "diffusion": 2,
    "io": 2,
    "checkpoints": 3,
    "pipelines": 3,
    "training": 4,
    "evaluation": 4,
    "jobs": 5,
    "studio": 6,
    "cli": 7,
    "__init__": 7,
    "__main__": 8,
}
DEPTHS = {
    "io": 4,
    "diffusion": 8,
    "checkpoints": 5,
    "pipelines": 4,
    "training": 6,
    "evaluation": 2,
    "jobs": 6,
    "studio": 7,
    "cli": 7,
}
MOST_ENTRIES = 10  # folders and files at the top, besides __init__.py and __main__.py

Module = tuple[str, ...]  # path below the package, without .py; a folder's face ends in "__init__"
Graph = Mapping[Module, set[Module]]


def test_imports_run_down() -> None:
    assert list(faults(PACKAGE)) == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"io/files.py": "from sdedit.jobs.paint import paint"}, "io/files imports jobs/paint, which is not below it"),
        ({"io/files.py": "import sdedit.jobs.paint"}, "io/files imports jobs/paint, which is not below it"),
        ({"io/files.py": "def f():\n    from sdedit.jobs import paint"}, "io/files imports jobs/paint, which"),
        ({"io/files.py": "from sdedit import jobs"}, "io/files imports jobs/__init__, which is not below it"),
        ({"io/files.py": "from sdedit.diffusion.noise import z"}, "io/files imports diffusion/noise, which"),
        ({"jobs/__init__.py": "from sdedit.cli import main"}, "jobs/__init__ imports cli/__init__, which"),
        ({"jobs/paint.py": "from sdedit import paint"}, "jobs/paint imports __init__, which is not below it"),
        ({"io/a.py": "from sdedit.io.b import x", "io/b.py": "from sdedit.io.a import y"}, "a circle: io/a, io/b"),
        (
            {"jobs/a/x.py": "import sdedit.jobs.b.x", "jobs/b/x.py": "", "jobs/b/y.py": "import sdedit.jobs.a.x"},
            "a circle: jobs/a, jobs/b",
        ),
        (
            {"io/one.py": "", "io/two.py": "import sdedit.io.one", "io/three.py": "from sdedit.io.two import x",
             "io/four.py": "from sdedit.io import three", "io/five.py": "import sdedit.io.four"},
            "io has 5 floors, not 4: io/five > io/four > io/three > io/two > io/one",
        ),
        ({f"{name}.py": "" for name in "abcdefghi"}, "13 entries at the top"),
        ({"extra/a.py": ""}, "extra has no floor"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(files: dict[str, str], words: str, tmp_path: Path) -> None:
    sound = ["__init__.py", "errors.py", "cli/__init__.py", "jobs/__init__.py", "jobs/paint.py", "diffusion/noise.py"]
    for name, text in {**dict.fromkeys(sound, "import sdedit.errors"), **files}.items():
        file = tmp_path / "sdedit" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert any(words in fault for fault in faults(tmp_path / "sdedit"))


def test_a_face_stands_for_the_files_it_shows(tmp_path: Path) -> None:
    (tmp_path / "io").mkdir()
    (tmp_path / "io" / "__init__.py").write_text("from sdedit.io.files import read")
    (tmp_path / "io" / "files.py").write_text("def read(): ...")
    (tmp_path / "jobs.py").write_text("from sdedit.io import read")
    assert read_imports(tmp_path)["jobs",] == {("io", "files")}


def faults(package: Path) -> Iterator[str]:
    """A sentence for each breach of the rules."""
    graph = read_imports(package)
    yield from crowded_top(package)
    yield from without_floor(graph)
    yield from running_up(graph)
    yield from circles(graph)
    yield from too_deep(graph)


def crowded_top(package: Path) -> Iterator[str]:
    files = [path.relative_to(package) for path in package.rglob("*.py")]
    entries = sorted({file.parts[0] for file in files} - {"__init__.py", "__main__.py"})
    if len(entries) > MOST_ENTRIES:
        yield f"{len(entries)} entries at the top: {', '.join(entries)}"


def without_floor(graph: Graph) -> Iterator[str]:
    yield from (f"{name} has no floor" for name in sorted({module[0] for module in graph} - FLOORS.keys()))


def running_up(graph: Graph) -> Iterator[str]:
    """Imports from another folder that does not lie lower; so no circle of folders can be."""
    for module, imported in sorted(graph.items()):
        for other in sorted(imported):
            if module[0] != other[0] and FLOORS.get(other[0], 0) >= FLOORS.get(module[0], 0):
                yield f"{'/'.join(module)} imports {'/'.join(other)}, which is not below it"


def circles(graph: Graph) -> Iterator[str]:
    """Circles among the entries, files or whole sub-folders, of any folder."""
    folders = {module[:length] for module in graph for length in range(len(module))}
    for folder in sorted(folders):
        length = len(folder) + 1
        entries: dict[Module, set[Module]] = {}
        for module, imported in graph.items():
            if module[: length - 1] == folder:
                inside = {other[:length] for other in imported if other[: length - 1] == folder}
                entries.setdefault(module[:length], set()).update(inside - {module[:length]})
        while free := [entry for entry, imported in entries.items() if not imported & entries.keys()]:
            for entry in free:
                del entries[entry]
        if entries:
            yield f"a circle: {', '.join('/'.join(entry) for entry in sorted(entries))}"


def too_deep(graph: Graph) -> Iterator[str]:
    """Folders in which a chain of imports from file to file, sub-folders among them, is longer than agreed."""
    for folder, depth in DEPTHS.items():
        inside = {
            module: {other for other in imported if other[0] == folder}
            for module, imported in graph.items()
            if module[0] == folder
        }
        chain = longest_chain(inside)
        if len(chain) > depth:
            yield f"{folder} has {len(chain)} floors, not {depth}: {' > '.join('/'.join(module) for module in chain)}"


def longest_chain(graph: Graph) -> list[Module]:
    """The longest way down; empty if there are circles, which are a fault of their own."""
    chains: dict[Module, list[Module]] = {}
    waiting = dict(graph)
    while waiting:
        ready = [module for module, imported in waiting.items() if imported <= chains.keys()]
        if not ready:
            return []
        for module in ready:
            below = max((chains[other] for other in waiting.pop(module)), key=len, default=[])
            chains[module] = [module, *below]
    return max(chains.values(), key=len, default=[])


def read_imports(package: Path) -> Graph:
    """Which files of a package import which, anywhere in their text."""
    files = {path.relative_to(package).with_suffix("").parts: path for path in package.rglob("*.py")}
    named = {module: set(named_imports(path)) for module, path in files.items()}

    def home(target: Module, name: str | None) -> Module | None:
        """The file that an imported name is from, past faces of folders that only show it; None for no file."""
        if name is not None and ((*target, name) in files or (*target, name, "__init__") in files):
            return home((*target, name), None)
        face = (*target, "__init__")
        if face in files:
            shown = [other for other, known in named[face] if name is not None and known == name]
            return home(shown[0], name) if shown else face
        return target if target in files else None

    graph: dict[Module, set[Module]] = {}
    for module, names in named.items():
        homes = {home(target, name) for target, name in names}
        graph[module] = {found for found in homes if found is not None and found != module}
    return graph


def named_imports(path: Path) -> Iterator[tuple[Module, str | None]]:
    """Module and name of each import from the package; no name where a module is imported as such."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sdedit":
            assert node.module is not None
            yield from ((tuple(node.module.split(".")[1:]), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "sdedit":
                    yield tuple(alias.name.split(".")[1:]), None
