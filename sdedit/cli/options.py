"""Types of command-line values, each refusing with a sentence that says what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import click

from sdedit.quality import DEFAULT, QUALITIES, SAMPLINGS


class T0(click.ParamType):
    """A start time in (0, 1]; or, if allowed, "auto" or "auto:LOW:HIGH", which is (LOW, HIGH)."""

    name = "t0"

    def __init__(self, auto: bool = False) -> None:
        self._auto = auto

    def convert(
        self, value: str | float | tuple[float, float], param: click.Parameter | None, ctx: click.Context | None
    ) -> float | tuple[float, float]:
        if isinstance(value, tuple):
            return value
        if self._auto and isinstance(value, str) and value.split(":")[0] == "auto":
            bounds = [_number(part) for part in value.split(":")[1:]] or [0.3, 0.6]
            if len(bounds) == 2 and 0 < bounds[0] <= bounds[1] <= 1:
                return bounds[0], bounds[1]
            self.fail(f"an automatic t0 is auto or auto:LOW:HIGH, such as auto:0.2:0.7; not {value!r}.", param, ctx)
        number = _number(value)
        if not 0 < number <= 1:
            self.fail(f"t0 is a number above 0 and at most 1, such as 0.5; not {value!r}.", param, ctx)
        return number


class T0Range(click.ParamType):
    """FROM:TO:STEP with both ends, or values with commas between them; times in (0, 1]."""

    name = "t0 range"

    def convert(
        self, value: str | tuple[float, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if not isinstance(value, str):
            return value
        bounds = [_number(part) for part in value.split(":")]
        if len(bounds) == 3 and bounds[2] > 0 and 0 < bounds[0] <= bounds[1] <= 1 and bounds[2] >= 1e-3:
            low, high, step = bounds
            return tuple(round(low + step * index, 6) for index in range(math.floor((high - low) / step + 1e-6) + 1))
        times = tuple(_number(part) for part in value.split(","))
        if all(0 < time <= 1 for time in times):
            return times
        self.fail(
            f"give FROM:TO:STEP or values with commas, above 0 to 1, such as 0.2:0.8:0.1; not {value!r}.", param, ctx
        )


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


class Offset(click.ParamType):
    """X,Y in pixels."""

    name = "offset"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if not isinstance(value, str):
            return value
        if match := re.fullmatch(r"\s*([+-]?[0-9]{1,6})\s*,\s*([+-]?[0-9]{1,6})\s*", value):
            return int(match[1]), int(match[2])
        self.fail(f"a place is X,Y in pixels, such as 120,80; not {value!r}.", param, ctx)


def solver_options(steps: int, sampler: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that say how the reverse SDE is solved, and from which noise."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        return _add(
            command,
            click.option(
                "--steps",
                type=click.IntRange(1, 100_000),
                default=steps,
                show_default=True,
                help="Network evaluations, at every t0; more is finer and slower.",
            ),
            click.option(
                "--sampler",
                type=click.Choice(list(SAMPLINGS)),
                default=sampler,
                show_default=True,
                help="Steps of the reverse SDE: the paper's Algorithm 1 and others of first order, or of second order "
                "(dpm-2m-sde, er-sde), good at few steps; dpm-2m and heun solve the ODE, without fresh noise.",
            ),
            click.option(
                "--seed", type=click.IntRange(0, 2**63 - 10_001), help="Of the noise. [default: drawn, and said]"
            ),
        )

    return add


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which model is used, and where it runs."""
    return _add(
        command,
        click.option(
            "--model", default="landscapes-128", show_default=True, help="Name of a model, or a checkpoint file."
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
        click.option(
            "--precision",
            type=click.Choice(["auto", "bf16", "fp32"]),
            default="auto",
            show_default=True,
            help="Of the network's body; auto takes bf16 where the device is fast at it.",
        ),
        weights_options,
    )


def animation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an animation."""
    return _add(
        command,
        click.option(
            "--animate",
            metavar="FILE",
            help="Also write a .gif, .webp or .apng of the guide dissolving into noise and coming back; of the first "
            "variant.",
        ),
        click.option(
            "--animate-every",
            metavar="K",
            type=click.IntRange(1),
            help="A frame every K evaluations. [default: about 24 frames each way]",
        ),
        click.option(
            "--animate-state",
            type=click.Choice(["x", "D"]),
            default="x",
            show_default=True,
            help="What is shown on the way back: the noised state x, or D(x; sigma), the picture expected behind it.",
        ),
    )


def _add(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):  # so that --help lists them in this order
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
