"""The public names: every parameter of theirs is annotated and documented, and help shows it readably."""

from __future__ import annotations

import inspect
import pydoc
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import sdedit

FUNCTIONS = [name for name in sdedit.__all__ if inspect.isfunction(getattr(sdedit, name))]
CLASSES = [name for name in sdedit.__all__ if inspect.isclass(getattr(sdedit, name))]


def entries(text: str, *sections: str) -> set[str]:
    """The names that the sections of a docstring have entries for; "a, b: …" is one of two."""
    found: set[str] = set()
    for section in sections:
        match = re.search(rf"^{section}:\n((?:(?: {{4}}.*)?\n)+)", text + "\n", re.MULTILINE)
        for line in re.findall(r"^ {4}([\w, ]+):", match[1] if match else "", re.MULTILINE):
            found |= {name.strip() for name in line.split(",")}
    return found


def faults(function: Callable[..., Any], documented: set[str]) -> Iterator[str]:
    signature = inspect.signature(function)
    if signature.return_annotation is inspect.Signature.empty:
        yield "what it returns is not annotated"
    for name, parameter in signature.parameters.items():
        if name in ("self", "cls"):
            continue
        if parameter.annotation is inspect.Parameter.empty:
            yield f"{name} is not annotated"
        if name not in documented:
            yield f"{name} is not documented"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    function = getattr(sdedit, name)
    text = inspect.getdoc(function) or ""
    assert list(faults(function, entries(text, "Args"))) == []
    assert "\nReturns:\n" in text
    assert "\nRaises:\n" in text


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str) -> None:
    kind = getattr(sdedit, name)
    text = inspect.getdoc(kind) or ""
    documented = entries(text, "Args", "Attributes")
    if not issubclass(kind, Exception):
        made = [fault for fault in faults(kind, documented) if "returns" not in fault]
        assert made == []
    for label, member in vars(kind).items():
        if label.startswith("_") or not isinstance(member, (property, staticmethod, classmethod, type(test_classes))):
            continue
        method = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        assert method is not None
        told = inspect.getdoc(method) or ""
        assert told, f"{label} has no docstring"
        words = set(re.findall(r"\w+", told))
        assert list(faults(method, words | entries(told, "Args"))) == [], label


def test_every_name_is_there() -> None:
    assert all(hasattr(sdedit, name) for name in sdedit.__all__)
    assert sorted(sdedit._HOMES.keys() | {"__version__"}) == sorted(sdedit.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_reads_well(name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(getattr(sdedit, name)))
    assert " at 0x" not in text  # a default that only Python can read
    assert max(map(len, inspect.getdoc(getattr(sdedit, name)).splitlines())) <= 120  # type: ignore[union-attr]


def test_what_is_missing_is_found() -> None:
    def bad(given: int, other, third: int = 0):
        """Does nothing.

        Args:
            given: a number, of
                which: more is said here.
        """

    found = list(faults(bad, entries(inspect.getdoc(bad) or "", "Args")))
    assert found == [
        "what it returns is not annotated",
        "other is not annotated",
        "other is not documented",
        "third is not documented",
    ]
