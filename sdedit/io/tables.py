"""Tables of options: TOML files, and mappings of names to values as dataclasses."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from sdedit.errors import SdeditError
from sdedit.io.files import decode_text, reason

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = TypeVar("Table")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SdeditError: if it cannot be read, or is not TOML.
    """
    try:
        text = decode_text(path.read_bytes())
        text.encode()  # no bytes that are no UTF-8
        return tomllib.loads(text.replace("\r\n", "\n"))
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise SdeditError(f"{path} is not a TOML file: {error}") from error


def from_table(kind: type[Table], values: Mapping[str, Any], strict: bool = True) -> Table:
    """A dataclass from a mapping of its fields' names to values, as TOML and JSON have them; lists become tuples.

    Args:
        kind: the dataclass; its fields are numbers, text, booleans, tuples of them, None beside them, or dataclasses.
        values: the mapping.
        strict: refuse names that are no field's; otherwise they are left out.

    Raises:
        ValueError: if a field without a default is missing, a value is of another kind than its field, or a name is
            unknown; the text names it.
    """
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if strict and (unknown := [name for name in values if name not in known]):
        raise ValueError(f"there is no option {unknown[0]!r}; it has {', '.join(known)}")
    taken = {}
    for name, field in known.items():
        if name in values:
            taken[name] = _converted(hints[name], values[name], name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"it has no {name}")
    return kind(**taken)


def _converted(hint: Any, value: Any, name: str) -> Any:
    if isinstance(value, list):
        value = tuple(value)
    if not _fits(hint, value):
        raise ValueError(f"its {name} is {value!r}")
    return value


def _fits(hint: Any, value: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(choice, value) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        if not isinstance(value, tuple):
            return False
        if parts[-1] is Ellipsis:
            return all(_fits(parts[0], item) for item in value)
        return len(value) == len(parts) and all(map(_fits, parts, value))
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, bool, str):
        return type(value) is hint
    return isinstance(value, hint)
