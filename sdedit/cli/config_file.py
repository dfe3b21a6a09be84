"""`--config` and `--save-config`: options of a command from a TOML file and into one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sdedit.errors import SdeditError
from sdedit.io.files import at_home, exists, open_input
from sdedit.jobs.console import Console

_NOT_PRESETS = {"config", "save-config", "help", "watch", "shard"}  # of one run, not of a style
_NOT_SAVED = {"overwrite"}  # which was for the file itself, perhaps, and not for all images from now on


def read_config(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
    """Make the options in a TOML file the defaults of the command; a callback of its eager option."""
    if file is None:
        return

    from sdedit.io.tables import read_toml

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
            value = at_home(value, str(file))
        elif listed:
            value = [at_home(one, str(file)) if isinstance(one, str) else one for one in value]
        defaults[options[name].name] = [value] if options[name].multiple and not listed else value
    context.default_map = {**(context.default_map or {}), **defaults}


def drop_overruled(context: click.Context, values: dict[str, Any], first: str, second: str) -> None:
    """Of two options that exclude each other, drop the one from the file if the other is on the command line."""
    for name, other in ((first, second), (second, first)):
        sources = context.get_parameter_source(name), context.get_parameter_source(other)
        if sources == (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP):
            values[other] = context.params[other] = False if isinstance(values[name], bool) else None


def write_config(context: click.Context, file: Path, console: Console) -> None:
    """Write the options that were given, on the command line or in a file, as TOML.

    Raises:
        SdeditError: if the file cannot be written, or says something else and is not to be replaced.
    """
    import json

    from sdedit.io.writing import write_atomically

    lines = []
    for name, option in _presets(context.command).items():
        assert option.name is not None
        given = context.get_parameter_source(option.name) in (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
        value = context.params[option.name]
        if not given or value is None or name in _NOT_SAVED:  # None: overruled
            continue
        if isinstance(value, tuple) and not option.multiple:
            value = option.type.told(value)  # type: ignore[attr-defined]  # of sdedit.cli.types
        # TOML writes strings, numbers, booleans and lists as JSON does.
        lines.append(f"{name} = {json.dumps(value)}\n")
    text = "".join(lines).encode()
    if exists(file) and not context.params["overwrite"] and open_input(str(file))[0].read() != text:
        raise SdeditError(f"{file} exists and says something else; add --overwrite to replace it, or name another file")
    write_atomically(file, lambda out: out.write(text))
    console.log(f"wrote {file}")


def _presets(command: click.Command) -> dict[str, click.Option]:
    """The options that a file can have, by their long names without dashes."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = {max(option.opts, key=len).removeprefix("--"): option for option in options}
    return {name: option for name, option in names.items() if name not in _NOT_PRESETS}
