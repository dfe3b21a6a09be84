"""Tables into dataclasses: what is converted, and the sentence about what is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from sdedit.io.tables import from_table


@dataclass(frozen=True)
class Inner:
    number: float = 0.5
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    count: int
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    corner: tuple[int, int] | None = None
    inner: Inner = field(default_factory=Inner)
    rows: tuple[Inner, ...] = ()
    free: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count must not be negative")


def test_tables_become_dataclasses() -> None:
    table = {"count": 2, "corner": [3, 4], "inner": {"number": 1}, "rows": [{"names": ["x"]}, {}], "free": {"any": [1]}}
    expected = Outer(2, corner=(3, 4), inner=Inner(1), rows=(Inner(names=("x",)), Inner()), free={"any": [1]})
    assert from_table(Outer, table) == expected
    assert from_table(Outer, {"count": 2, "inner": Inner(2.0)}) == Outer(2, inner=Inner(2.0))


def test_a_single_value_is_a_list_of_one() -> None:
    assert from_table(Inner, {"names": "x"}).names == ("x",)


def test_unknown_names_can_be_left_out() -> None:
    assert from_table(Inner, {"number": 3, "colour": "red"}, strict=False) == Inner(3)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ([], "the table is not a table"),
        ({}, "the table has no count"),
        ({"count": 1, "colour": "red"}, "the table has no option 'colour'; it has count, kind"),
        ({"count": "many"}, "the table has count 'many', which is not a whole number"),
        ({"count": 1.0}, "the table has count 1.0, which is not a whole number"),
        ({"count": True}, "the table has count True, which is not a whole number"),
        ({"count": -1}, "count must not be negative"),
        ({"count": 1, "kind": "c"}, "the table has kind 'c', which is not one of a, b"),
        ({"count": 1, "kind": ["a"]}, "which is not one of a, b"),
        ({"count": 1, "flag": 1}, "the table has flag 1, which is not true or false"),
        ({"count": 1, "corner": [1, 2, 3]}, "the table has corner [1, 2, 3], which is not a list of whole numbers"),
        ({"count": 1, "corner": 1}, "which is not a list of whole numbers"),
        ({"count": 1, "inner": 5}, "[inner] is not a table"),
        ({"count": 1, "inner": {"number": "x"}}, "[inner] has number 'x', which is not a number"),
        ({"count": 1, "inner": {"number": 10**400}}, "which is not a number"),
        ({"count": 1, "rows": [1]}, "[[rows]] is not a table"),
        ({"count": 1, "rows": [{"names": [1]}]}, "[[rows]] has names [1], which is not a list of names"),
        ({"count": 1, "free": 1}, "the table has free 1, which is not a table"),
    ],
)
def test_sentences(table: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        from_table(Outer, table, "the table")
