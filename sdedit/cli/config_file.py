"""`--config` and `--save-config`: options of a command from a TOML file and into one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sdedit.errors import SdeditError
from sdedit.io.tables import read_toml

_NOT_PRESETS = {"config", "save-config", "help", "watch", "shard"}  # of one run, not of a style


def read_config(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
    """Make the options in a TOML file the defaults of the command; a callback of its eager option."""
    if file is None:
        return
    options = _presets(context.command)
    defaults = {}
    for key, value in read_toml(file).items():
        name = key.replace("_", "-")
        if name not in options:
            raise SdeditError(f"{file} has the option {name}, which is none of {', '.join(sorted(options))}")
        listed = isinstance(value, list) and options[name].multiple
        if not isinstance(value, (str, int, float)) and not listed:
            raise SdeditError(f"{file} has {name} = {value!r}, which is no value of that option")
        if options[name].is_flag != isinstance(value, bool):
            kind = "true or false" if options[name].is_flag else "not true or false"
            raise SdeditError(f"{file} has {name} = {value!r}, but its value is {kind}")
        if isinstance(value, str):
            value = _at_home(file, value)
        defaults[options[name].name] = [value] if options[name].multiple and not listed else value
    context.default_map = {**(context.default_map or {}), **defaults}


def drop_overruled(context: click.Context, values: dict[str, Any], first: str, second: str) -> None:
    """Of two options that exclude each other, drop the one from the file if the other is on the command line."""
    for name, other in ((first, second), (second, first)):
        sources = context.get_parameter_source(name), context.get_parameter_source(other)
        if sources == (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP):
            values[other] = context.params[other] = False if isinstance(values[name], bool) else None


def write_config(context: click.Context, file: Path) -> None:
    """Write the options that were given, on the command line or in a file, as TOML.

    Raises:
        SdeditError: if the file cannot be written.
    """
    import json

    from sdedit.io.files import write_atomically

    lines = []
    for name, option in _presets(context.command).items():
        assert option.name is not None
        if context.get_parameter_source(option.name) in (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP):
            value = context.params[option.name]
            if value is None:
                continue  # overruled
            if isinstance(value, tuple) and not option.multiple:
                value = "x".join(map(str, value))  # a size
            # TOML writes strings, numbers, booleans and lists as JSON does.
            lines.append(f"{name} = {json.dumps(value)}\n")
    write_atomically(file, lambda out: out.write("".join(lines).encode()))


def _presets(command: click.Command) -> dict[str, click.Option]:
    """The options that a file can have, by their long names without dashes."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = {max(option.opts, key=len).removeprefix("--"): option for option in options}
    return {name: option for name, option in names.items() if name not in _NOT_PRESETS}


def _at_home(file: Path, value: str) -> str:
    """A path with the home folder for its "~", which no shell puts there in a file."""
    if value != "~" and not value.startswith("~/"):
        return value
    try:
        return str(Path(value).expanduser())
    except RuntimeError as error:
        raise SdeditError(f"{file} has {value}, but nothing says where home is; write the whole path") from error
