"""Types of values on the command line: times, noise levels, sizes, colours, offsets and shards."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import click

from sdedit.errors import meant_time


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
            meant = meant_time(max(bounds, default=0)) or "."
            self.fail(
                f"an automatic t0 is auto or auto:LOW:HIGH, such as auto:0.2:0.7; not {value!r}{meant}", param, ctx
            )
        number = _number(value)
        if not 0 < number <= 1:
            meant = meant_time(number) or "."
            self.fail(f"t0 is a number above 0 and at most 1, such as 0.5; not {value!r}{meant}", param, ctx)
        return number

    def told(self, value: tuple[float, float]) -> str:
        """The words for bounds."""
        return f"auto:{value[0]:g}:{value[1]:g}"


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
        meant = meant_time(max(bounds[:2] if len(bounds) == 3 else times)) or "."
        self.fail(
            f"give FROM:TO:STEP or values with commas, above 0 to 1, such as 0.2:0.8:0.1; not {value!r}{meant}",
            param,
            ctx,
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
            if int(value) < 8:
                self.fail(f"size is the shorter side in pixels, at least 8; not {value}.", param, ctx)
            return int(value)
        if match := re.fullmatch(r"([0-9]{1,6})[xX]([0-9]{1,6})", value):
            return int(match[1]), int(match[2])
        self.fail(f"size is the shorter side in pixels, such as 256, or WIDTHxHEIGHT; not {value!r}.", param, ctx)

    def told(self, value: tuple[int, int]) -> str:
        """The words for both sides."""
        return f"{value[0]}x{value[1]}"


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

    def told(self, value: tuple[int, int]) -> str:
        """The words for a place."""
        return f"{value[0]},{value[1]}"


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


class File(click.Path):
    """A path; "" is none, as comes of a variable of the shell that is not set."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name is that of no file.", param, ctx)
        return super().convert(value, param, ctx)


class DataSet(click.ParamType):
    """A path, or NAME=PATH; a path that exists is one, whatever is in it. The name is "" where none is given."""

    name = "data set"

    def convert(
        self, value: str | tuple[str, Path], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        if not isinstance(value, str):
            return value
        if not value:
            self.fail("an empty name is that of no folder.", param, ctx)
        named = re.fullmatch(r"(\w[\w-]*)=(.+)", value)
        if named is None or Path(value).exists():
            return "", Path(value)
        return named[1], Path(named[2])
