"""The options that say which NCSN++ a network is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

_MOST_LEVELS = 12
_MOST_BLOCKS = 64
_MOST_CHANNELS = 8192


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of an NCSN++. Level 0 is the highest resolution; each further level halves height and width.

    The defaults are the options shared by the published variance-exploding models
    (Song et al. 2021, arXiv 2011.13456, appendix H).

    Raises:
        ValueError: if an option has the wrong type or is out of range; the text names the option.
    """

    stem_channels: int  # channels of the first convolution, and the unit of the noise embedding's width
    channels: tuple[int, ...]  # channels of each level
    blocks: tuple[int, ...]  # residual blocks of each level on the way down; one more on the way up
    attention_levels: tuple[int, ...] = ()  # levels with self-attention, besides the middle, which always has it
    embedding: Literal["fourier", "positional"] = "fourier"  # of log sigma | of an integer noise index
    fourier_scale: float = 16.0  # standard deviation of the random frequencies
    resampling: Literal["fir", "mean"] = "fir"  # [1,3,3,1] filter | 2 x 2 mean down, nearest up
    input_pyramid: Literal["none", "skip", "residual"] = "none"  # how smaller copies of the input join each level
    output_pyramid: Literal["none", "skip"] = "none"  # whether each level adds to the output image itself
    skip_rescale: bool = True  # divide sums of two branches by sqrt(2)
    patch: int = 1  # side of the pixel blocks moved into channels before the first level
    image_channels: int = 3

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            value, hint = getattr(self, field.name), hints[field.name]
            if hint == tuple[int, ...]:
                value = tuple(value) if isinstance(value, (list, tuple)) else value
                object.__setattr__(self, field.name, value)
                good = isinstance(value, tuple) and all(type(item) is int for item in value)
            elif hint is float:
                good = type(value) in (int, float)
            elif choices := get_args(hint):
                good = value in choices
            else:
                good = type(value) is hint
            if not good:
                raise ValueError(f"network option {field.name!r} cannot be {value!r}")

        def check(name: str, ok: bool) -> None:
            if not ok:
                raise ValueError(f"network option {name!r} is out of range: {getattr(self, name)!r}")

        check("channels", 1 <= len(self.channels) <= _MOST_LEVELS)
        check("channels", all(4 <= n <= _MOST_CHANNELS for n in self.channels))
        check("blocks", len(self.blocks) == self.levels and all(1 <= n <= _MOST_BLOCKS for n in self.blocks))
        check("stem_channels", 4 <= self.stem_channels <= _MOST_CHANNELS)
        check("attention_levels", all(0 <= level < self.levels for level in self.attention_levels))
        check("fourier_scale", 0 < self.fourier_scale < 1e6)
        check("patch", 1 <= self.patch <= 16)
        check("image_channels", 1 <= self.image_channels <= 16)

    @property
    def levels(self) -> int:
        return len(self.channels)

    @property
    def size_multiple(self) -> int:
        """Heights and widths the network takes are multiples of this many pixels."""
        return self.patch * 2 ** (self.levels - 1)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> NetworkConfig:
        """The configuration in a mapping of option names to values, as in a checkpoint or TOML file.

        Raises:
            ValueError: if an option is unknown, missing, or has a value that cannot be.
        """
        unknown = set(options) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"network options are unknown: {', '.join(sorted(unknown))}")
        missing = {"stem_channels", "channels", "blocks"} - set(options)
        if missing:
            raise ValueError(f"network options are missing: {', '.join(sorted(missing))}")
        return cls(**options)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
