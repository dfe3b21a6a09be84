"""Tables of options: TOML files, and mappings of names to values as dataclasses."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sdedit.errors import SdeditError
from sdedit.io.files import decode_text, reason

Table = TypeVar("Table")

_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_LISTS = {int: "a list of whole numbers", float: "a list of numbers", str: "a list of names"}


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SdeditError: if it cannot be read, or is not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = decode_text(path.read_bytes())
        text.encode()  # no bytes that are no UTF-8
        return tomllib.loads(text.replace("\r\n", "\n"))
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise SdeditError(f"{path} is not a TOML file: {error}") from error


def from_table(kind: type[Table], values: Any, name: str = "it", strict: bool = True) -> Table:
    """A dataclass from a mapping of its fields' names to values, as TOML and JSON have them.

    Lists become tuples, a single value a tuple of one where any number will do, and tables dataclasses.

    Args:
        kind: the dataclass; its fields are numbers, text, booleans, choices, tables, dataclasses, tuples of these, or
            None beside them.
        values: the mapping; anything else is refused.
        name: what messages call it.
        strict: refuse names that are no field's; otherwise they are left out.

    Raises:
        ValueError: if a field without a default is missing, a value is of another kind than its field or refused by
            the dataclass, or a name is unknown; the text names it.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is not a table")
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if strict and (unknown := [str(option) for option in values if option not in known]):
        raise ValueError(f"{name} has no option {unknown[0]!r}; it has {', '.join(known)}")
    taken = {}
    for option, field in known.items():
        if option in values:
            taken[option] = _converted(hints[option], values[option], option, name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{name} has no {option}")
    return kind(**taken)


def _converted(hint: Any, value: Any, option: str, name: str) -> Any:
    """The value as a field of that type has it, of the option of a table."""
    given, several = value, get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis
    if several and not isinstance(value, (list, tuple)):
        value = (value,)
    if isinstance(value, list):
        value = tuple(value)
    if is_dataclass(hint) and not isinstance(value, hint):  # type: ignore[arg-type]
        return from_table(hint, value, f"[{option}]")  # type: ignore[arg-type]
    if several and is_dataclass(get_args(hint)[0]):
        return tuple(from_table(get_args(hint)[0], entry, f"[[{option}]]") for entry in value)
    if not _fits(hint, value):
        raise ValueError(f"{name} has {option} {given!r}, which is not {_words(hint)}")
    return value


def _fits(hint: Any, value: Any) -> bool:
    choices = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(choice, value) for choice in choices)
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in choices
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        if choices[-1] is Ellipsis:
            return all(_fits(choices[0], item) for item in value)
        return len(value) == len(choices) and all(map(_fits, choices, value))
    if hint is float:
        return type(value) is float or (type(value) is int and abs(value) <= sys.float_info.max)
    if hint in (int, bool, str):
        return type(value) is hint
    return isinstance(value, get_origin(hint) or hint)


def _words(hint: Any) -> str:
    """What a value of a type is called."""
    choices = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_words(choice) for choice in choices if choice is not types.NoneType)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(choices)}"
    if get_origin(hint) is tuple:
        return _LISTS.get(choices[0], "a list")
    return _KINDS.get(hint, "a table")
