"""No test module imports another: what several share is in helpers/, and fixtures are in conftest.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def imported(source: str) -> Iterator[str]:
    """The modules that a file of this package imports or may import, by their names in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "tests." + (node.module or "") if node.level else str(node.module)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_for_pytest_only(module: str) -> bool:
    parts = module.split(".")
    return any(part == "conftest" or part.startswith("test_") for part in parts)


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_module_of_tests_is_imported(path: Path) -> None:
    assert [module for module in imported(path.read_text()) if is_for_pytest_only(module)] == []


@pytest.mark.parametrize(
    "line",
    [
        "from conftest import blocks",
        "import tests.io.test_images",
        "from tests.io import test_images",
        "from tests.io.test_images import WANTED",
        "from .test_images import WANTED",
        "from . import test_images as other",
        "def f():\n    from tests.conftest import guide",
    ],
)
def test_a_planted_import_is_found(line: str) -> None:
    assert any(map(is_for_pytest_only, imported(line)))


@pytest.mark.parametrize("line", ["from tests.helpers.images import blocks_picture", "import numpy.testing", "x = 1"])
def test_other_imports_are_not(line: str) -> None:
    assert not any(map(is_for_pytest_only, imported(line)))
