"""Query parameters of the studio as the options of the commands: the same names, the same rules, the same sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import click

from sdedit.cli.edit import edit
from sdedit.cli.paint import paint
from sdedit.cli.painting import take_job, take_layers
from sdedit.cli.strokes import strokes
from sdedit.errors import SdeditError
from sdedit.jobs.options import PaintOptions

Pairs = Sequence[tuple[str, str]]

_SAMPLING = (
    "t0",
    "sigma",
    "quality",
    "steps",
    "sampler",
    "grid",
    "like",
    "repeats",
    "variants",
    "seed",
    "size",
    "model",
)
_PAINT = (*_SAMPLING, "passes", "background")
_EDIT = (*_SAMPLING, "context", "grow", "feather", "invert-mask")
_NOT_OPTIONS = ("guides", "images", "list_file", "output", "watch", "save_config", "quiet", "as_json")


def paint_options(pairs: Pairs) -> PaintOptions:
    """The options of `sdedit paint` in a query; the model is the one named, "" where none is.

    Raises:
        SdeditError: if one is unknown, or has a value that the command refuses.
    """
    context, options = _parsed(paint, pairs, _PAINT)
    return _with_model(_job(context, options, None), pairs)


def edit_options(pairs: Pairs) -> PaintOptions:
    """The same of `sdedit edit`; its strokes and its mask are to be put in."""
    context, options = _parsed(edit, pairs, _EDIT)
    layers = replace(take_layers("edit", options), layer="strokes.png")
    return _with_model(_job(context, options, layers), pairs)


def strokes_size(pairs: Pairs) -> int | None:
    """The option of `sdedit strokes`; errors as of `paint_options`."""
    return _parsed(strokes, pairs, ("size",), "-")[1]["size"]


def _job(context: click.Context, options: dict[str, Any], layers: Any) -> PaintOptions:
    try:
        return take_job(context, {name: value for name, value in options.items() if name not in _NOT_OPTIONS}, layers)
    except click.ClickException as error:
        raise SdeditError(error.format_message()) from error


def _with_model(options: PaintOptions, pairs: Pairs) -> PaintOptions:
    return replace(options, model=replace(options.model, source=dict(pairs).get("model", "")))


def _parsed(
    command: click.Command, pairs: Pairs, names: Collection[str], *arguments: str
) -> tuple[click.Context, dict[str, Any]]:
    """The command's options with those in a query; others than `names` are unknown here."""
    flags = {f"--{name}" for name in names} & _flags(command)
    words = list(arguments)
    for name, value in pairs:
        if name not in names:
            raise SdeditError(f"No such option: --{name[:80]}")
        if f"--{name}" in flags:
            if value not in ("", "1", "true"):
                raise SdeditError(f"--{name} is given without a value")
            words.append(f"--{name}")
        else:
            words.append(f"--{name}={value}")
    silent = click.Command(command.name, params=command.params, add_help_option=False)
    try:
        context = silent.make_context(command.name, words)
    except click.ClickException as error:
        raise SdeditError(error.format_message()) from error
    return context, dict(context.params)


def _flags(command: click.Command) -> set[str]:
    options = [option for option in command.params if isinstance(option, click.Option) and option.is_flag]
    return {name for option in options for name in option.opts}
