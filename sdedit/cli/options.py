"""Types of command-line values, each refusing with a sentence that says what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import click

from sdedit.quality import DEFAULT, QUALITIES, SAMPLINGS


class T0(click.ParamType):
    """A start time in (0, 1]."""

    name = "t0"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = _number(value)
        if not 0 < number <= 1:
            self.fail(f"t0 is a number above 0 and at most 1, such as 0.5; not {value!r}.", param, ctx)
        return number


class Sigma(click.ParamType):
    """A noise level above 0."""

    name = "sigma"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = _number(value)
        if not 0 < number < math.inf:
            self.fail(f"sigma is a number above 0, such as 1.9; not {value!r}.", param, ctx)
        return number


class Size(click.ParamType):
    """S, the shorter side in pixels, or WxH."""

    name = "size"

    def convert(
        self, value: str | int | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, int]:
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"[0-9]{1,6}", value):
            return int(value)
        if match := re.fullmatch(r"([0-9]{1,6})[xX]([0-9]{1,6})", value):
            return int(match[1]), int(match[2])
        self.fail(f"size is the shorter side in pixels, such as 256, or WIDTHxHEIGHT; not {value!r}.", param, ctx)


class Colour(click.ParamType):
    """A colour as Pillow names it, without transparency."""

    name = "colour"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from PIL import ImageColor

        try:
            ImageColor.getrgb(value)
        except ValueError:
            self.fail(f"a colour is a name such as white or a code such as #20304f; not {value!r}.", param, ctx)
        return value


class Shard(click.ParamType):
    """I/N, a share of a job."""

    name = "shard"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
        if match and 0 <= int(match[1]) <= int(match[2]) > 0:
            return int(match[1]), int(match[2])
        self.fail(f"a shard is I/N, such as 2/8; not {value!r}.", param, ctx)


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how the reverse SDE is run."""
    for option in (
        click.option(
            "--grid",
            type=click.Choice(["uniform", "karras"]),
            help="Steps of equal length in t, or shorter ones at low noise. [default: the sampler's own]",
        ),
        click.option(
            "--sampler",
            type=click.Choice(list(SAMPLINGS)),
            help="Solver of the reverse SDE: the paper's Algorithm 1; Euler-Maruyama in t (many steps only); the exact "
            "posterior; two of second order for few steps; and two of the ODE beside it, without noise. "
            f"[default: {DEFAULT.sampler}]",
        ),
        click.option(
            "--steps",
            type=click.IntRange(1, 100_000),
            help="Network evaluations, at every t0; more is finer and slower. "
            f"[default: the sampler's own, {DEFAULT.steps} for {DEFAULT.sampler}]",
        ),
        click.option(
            "--quality",
            type=click.Choice(list(QUALITIES)),
            help="Sampler, steps and grid in one: "
            + ", ".join(f"{name} is {q.steps} steps of {q.sampler}" for name, q in QUALITIES.items())
            + ".",
        ),
    ):
        command = option(command)
    return command


def weights_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which weights of a model are taken, and from where."""
    for option in (
        click.option("--offline", is_flag=True, help="Use only models that have been downloaded before."),
        click.option(
            "--sigma-max",
            type=Sigma(),
            help="Highest noise level of the model's schedule, for pictures in [0, 1]. [default: the model's own]",
        ),
        click.option(
            "--raw-weights", is_flag=True, help="The network as its training left it, not its moving average."
        ),
    ):
        command = option(command)
    return command


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
