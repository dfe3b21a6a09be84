"""The options that say which U-Net of the NCSN++, DDPM, DDPM++ and ADM family a network is."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args, get_type_hints

_MOST_LEVELS = 12
_MOST_BLOCKS = 64
_MOST_CHANNELS = 8192


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of a U-Net. Level 0 is the highest resolution; each further level halves height and width.

    The defaults are the options shared by the published variance-exploding models
    (Song et al. 2021, arXiv 2011.13456, appendix H). DDPM (Ho et al. 2020, arXiv 2006.11239), DDPM++ (Song et al. 2021)
    and ADM (Dhariwal and Nichol 2021, arXiv 2105.05233) are the same figure with other joints.

    Raises:
        ValueError: if an option has the wrong type or is out of range; the text names the option.
    """

    stem_channels: int  # channels of the first convolution, and the unit of the noise embedding's width
    channels: tuple[int, ...]  # channels of each level
    blocks: tuple[int, ...]  # residual blocks of each level on the way down; one more on the way up
    attention_levels: tuple[int, ...] = ()  # levels with self-attention, besides the middle, which always has it
    # Of log sigma | of a noise index, sines first | of a noise index, cosines first.
    embedding: Literal["fourier", "positional", "timestep"] = "fourier"
    fourier_scale: float = 16.0  # standard deviation of the random frequencies
    # In residual blocks the [1,3,3,1] filter, or 2 x 2 mean down and nearest up; or, instead of such blocks, a
    # convolution of stride 2, padded right and below or all round, down, and nearest and a convolution up.
    resampling: Literal["fir", "mean", "conv", "conv-centred"] = "fir"
    input_pyramid: Literal["none", "skip", "residual"] = "none"  # how smaller copies of the input join each level
    output_pyramid: Literal["none", "skip"] = "none"  # whether each level adds to the output image itself
    skip_rescale: bool = True  # divide sums of two branches by sqrt(2)
    patch: int = 1  # side of the pixel blocks moved into channels before the first level
    image_channels: int = 3
    embedding_channels: int = 0  # the unit of the noise embedding's width, where that is not stem_channels; else 0
    resample_shortcut: bool = True  # a convolution on the shortcut of residual blocks that change the resolution
    scale_shift: bool = False  # the embedding scales and shifts the second normalisation, and is not added before it
    decoder_attention: Literal["last", "every"] = "last"  # after the last block of a level on the way up, or after each
    heads: int = 1  # of attention, unless head_channels is given
    head_channels: int = 0  # channels of an attention head; 0 for so many `heads` at every level
    norm_groups: int = 0  # of each normalisation; 0 for min(channels / 4, 32), or the next fewer that divide them
    norm_eps: float = 1e-6  # added to the variance in normalisations
    detail_blocks: int = 0  # residual blocks of a network for images of twice the U-Net's size; 0 for none
    detail_channels: int = 64  # its width

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
        check("embedding_channels", self.embedding_channels == 0 or 4 <= self.embedding_channels <= _MOST_CHANNELS)
        widths = (self.stem_channels, *self.channels)
        groups = self.norm_groups
        check("norm_groups", groups >= 0 and all(groups == 0 or n % groups == 0 for n in widths))
        check("norm_eps", 0 < self.norm_eps < 1)
        check("detail_blocks", 0 <= self.detail_blocks <= _MOST_BLOCKS)
        check("detail_channels", 4 <= self.detail_channels <= _MOST_CHANNELS)
        pyramids = self.input_pyramid, self.output_pyramid
        check("resampling", self.resamples_in_blocks or pyramids == ("none", "none"))
        attended = {self.channels[level] for level in (*self.attention_levels, -1)}
        check("heads", self.heads >= 1 and all(n % self.heads == 0 for n in attended))
        per_head = self.head_channels
        check("head_channels", per_head >= 0 and all(per_head == 0 or n % per_head == 0 for n in attended))

    @property
    def levels(self) -> int:
        return len(self.channels)

    def begins(self, wanted: NetworkConfig) -> bool:
        """Whether this is the wanted network, or that without its detail network."""
        without = replace(wanted, detail_blocks=0, detail_channels=self.detail_channels)
        return self in (wanted, without)

    @property
    def embedding_unit(self) -> int:
        """Channels of the noise embedding's features; its width is four times as many."""
        return self.embedding_channels or self.stem_channels

    @property
    def resamples_in_blocks(self) -> bool:
        """Whether residual blocks lead from level to level, and not convolutions alone."""
        return self.resampling in ("fir", "mean")

    def heads_of(self, channels: int) -> int:
        """The number of attention heads at a level of so many channels."""
        return channels // self.head_channels if self.head_channels else self.heads

    @property
    def size_multiple(self) -> int:
        """Heights and widths the network takes are multiples of this many pixels."""
        return self.patch * 2 ** (self.levels - 1) * (2 if self.detail_blocks else 1)
