"""The variance-preserving networks that diffusers does not have, as functions of their published tensors, written out:
those of score_sde_pytorch, EDM, guided-diffusion and improved-diffusion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.references import Cifar, SongUNet, Tensors

WIDTHS = (128, 256, 256, 256)


def halved_or_doubled(x: Tensor, change: str) -> Tensor:
    """Means of 2 x 2 pixels, or every pixel four times."""
    if change == "down":
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean(dim=(3, 5))
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3) if change == "up" else x


def sinusoid(label: Tensor, width: int, cosine_first: bool = False) -> Tensor:
    """DDPM's sines and cosines, the last frequency 1/10000; guided-diffusion's cosines and sines, ending before it."""
    half = width // 2
    frequencies = torch.exp(
        -math.log(10000) * torch.arange(half, device=label.device) / (half if cosine_first else half - 1)
    )
    sine, cosine = (label[:, None] * frequencies).sin(), (label[:, None] * frequencies).cos()
    return torch.cat([cosine, sine] if cosine_first else [sine, cosine], 1)


class DDPMpp(Cifar):
    """vp/cifar10_ddpmpp: the CIFAR network without its pyramid, told the number of the level."""

    resampled = staticmethod(halved_or_doubled)

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """F(x; label), x in [-1, 1] and scaled to unit variance."""
        numbers = count()

        def name() -> str:
            return f"all_modules.{next(numbers)}"

        embedding = self.linear(name(), sinusoid(label, 128), 512)
        embedding = self.linear(name(), F.silu(embedding), 512)
        h = self.conv(name(), x, 128, 3, padding=1)
        maps = [h]
        for level, channels in enumerate(WIDTHS):
            for _ in range(self.blocks):
                h = self.block(name(), h, channels, embedding)
                h = self.attention(name(), h) if level == self.attention_level else h
                maps.append(h)
            if level < 3:
                h = self.block(name(), h, channels, embedding, "down")
                maps.append(h)
        h = self.block(name(), h, 256, embedding)
        h = self.attention(name(), h)
        h = self.block(name(), h, 256, embedding)
        for level, channels in reversed([*enumerate(WIDTHS)]):
            for _ in range(self.blocks + 1):
                h = self.block(name(), torch.cat([h, maps.pop()], 1), channels, embedding)
            h = self.attention(name(), h) if level == self.attention_level else h
            if level > 0:
                h = self.block(name(), h, channels, embedding, "up")
        h = F.silu(self.norm(name(), h))
        return self.conv(name(), h, 3, 3, padding=1)


class DDPM(Cifar):
    """vp/cifar10_ddpm: convolutions between the levels, sums as they are, one attention at the end of a level up."""

    def block(self, name: str, x: Tensor, out: int, embedding: Tensor, change: str = "") -> Tensor:
        h = self.conv(f"{name}.Conv_0", F.silu(self.norm(f"{name}.GroupNorm_0", x)), out, 3, padding=1)
        h = h + self.linear(f"{name}.Dense_0", F.silu(embedding), out)[:, :, None, None]
        h = self.conv(f"{name}.Conv_1", F.silu(self.norm(f"{name}.GroupNorm_1", h)), out, 3, padding=1)
        return h + (x if out == x.shape[1] else self.nin(f"{name}.NIN_0", x, out))

    def nin(self, name: str, x: Tensor, out: int | None = None) -> Tensor:
        weight = self.tensors.get_tensor(f"{name}.W", x.shape[1], out or x.shape[1])
        bias = self.tensors.get_tensor(f"{name}.b", out or x.shape[1])
        return torch.einsum("bchw,cd->bdhw", x, weight) + bias[:, None, None]

    def attention(self, name: str, x: Tensor) -> Tensor:
        return super().attention(name, x) * math.sqrt(2)

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """F(x; label), x in [-1, 1] and scaled to unit variance."""
        numbers = count()

        def name() -> str:
            return f"all_modules.{next(numbers)}"

        embedding = self.linear(name(), sinusoid(label, 128), 512)
        embedding = self.linear(name(), F.silu(embedding), 512)
        h = self.conv(name(), x, 128, 3, padding=1)
        maps = [h]
        for level, channels in enumerate(WIDTHS):
            for _ in range(self.blocks):
                h = self.block(name(), h, channels, embedding)
                h = self.attention(name(), h) if level == self.attention_level else h
                maps.append(h)
            if level < 3:
                h = self.conv(f"{name()}.Conv_0", F.pad(h, (0, 1, 0, 1)), channels, 3, stride=2)
                maps.append(h)
        h = self.block(name(), h, 256, embedding)
        h = self.attention(name(), h)
        h = self.block(name(), h, 256, embedding)
        for level, channels in reversed([*enumerate(WIDTHS)]):
            for _ in range(self.blocks + 1):
                h = self.block(name(), torch.cat([h, maps.pop()], 1), channels, embedding)
            h = self.attention(name(), h) if level == self.attention_level else h
            if level > 0:
                h = self.conv(f"{name()}.Conv_0", halved_or_doubled(h, "up"), channels, 3, padding=1)
        h = F.silu(self.norm(name(), h))
        return self.conv(name(), h, 3, 3, padding=1)


class DDPMppEDM(SongUNet):
    """The same DDPM++ by EDM's names, within VPPrecond: means, no pyramid, no Fourier features."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__(tensors, 32, (1, 2, 2, 2), blocks=4)

    def unit(
        self, name: str, x: Tensor, out: int, embedding: Tensor, change: str = "", attends: bool = False
    ) -> Tensor:
        if not change:
            return super().unit(name, x, out, embedding, attends=attends)
        h = halved_or_doubled(F.silu(self.norm(f"{name}.norm0", x)), change)
        h = self.conv(f"{name}.conv0", h, out, 3, padding=1)
        h = F.silu(self.norm(f"{name}.norm1", h + self.linear(f"{name}.affine", embedding, out)[:, :, None, None]))
        h = self.conv(f"{name}.conv1", h, out, 3, padding=1)
        for layer in ("conv0", "skip"):
            self.tensors[f"{name}.{layer}.resample_filter"] = torch.ones(1, 1, 2, 2) / 4
        return (self.conv(f"{name}.skip", halved_or_doubled(x, change), out, 1) + h) * math.sqrt(0.5)

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """F(x; c_noise) for x in [-1, 1], scaled to unit variance."""
        embedding = F.silu(self.linear("map_layer0", sinusoid(label, 128), 512))
        embedding = F.silu(self.linear("map_layer1", embedding, 512))
        places = ["32x32", "16x16", "8x8", "4x4"]
        h = self.conv("enc.32x32_conv", x, 128, 3, padding=1)
        maps = [h]
        for level, (place, width) in enumerate(zip(places, WIDTHS, strict=True)):
            if level > 0:
                h = self.unit(f"enc.{place}_down", h, WIDTHS[level - 1], embedding, "down")
                maps.append(h)
            for number in range(4):
                h = self.unit(f"enc.{place}_block{number}", h, width, embedding, attends=place == "16x16")
                maps.append(h)
        h = self.unit("dec.4x4_in0", h, 256, embedding, attends=True)
        h = self.unit("dec.4x4_in1", h, 256, embedding)
        for level, (place, width) in reversed([*enumerate(zip(places, WIDTHS, strict=True))]):
            if level < 3:
                h = self.unit(f"dec.{place}_up", h, WIDTHS[level + 1], embedding, "up")
            for number in range(5):
                h = torch.cat([h, maps.pop()], 1)
                h = self.unit(
                    f"dec.{place}_block{number}", h, width, embedding, attends=place == "16x16" and number == 4
                )
        return self.conv("dec.32x32_aux_conv", F.silu(self.norm("dec.32x32_aux_norm", h)), 3, 3, padding=1)


@dataclass(frozen=True)
class Guided:
    """A network of guided-diffusion or improved-diffusion; with `updown` ADM's resampling blocks."""

    unit: int  # model_channels
    multipliers: tuple[float, ...]
    blocks: int
    attention: tuple[int, ...]  # levels, 0 the highest
    updown: bool = True
    scale_shift: bool = True
    heads: int = 1
    head_channels: int = 64  # 0 for `heads`
    out: int = 6
    eps: float = 1e-5

    def __call__(self, tensors: Tensors, x: Tensor, label: Tensor) -> Tensor:
        """All `out` channels for x in [-1, 1], scaled to unit variance; label as the network is told it."""
        widths = [int(self.unit * multiplier) for multiplier in self.multipliers]

        def conv(name: str, x: Tensor, out: int, size: int, **options: int) -> Tensor:
            weight = tensors.get_tensor(f"{name}.weight", out, x.shape[1], size, size)
            return F.conv2d(x, weight, tensors.get_tensor(f"{name}.bias", out), **options)

        def linear(name: str, x: Tensor, out: int) -> Tensor:
            return F.linear(
                x, tensors.get_tensor(f"{name}.weight", out, x.shape[1]), tensors.get_tensor(f"{name}.bias", out)
            )

        def norm(name: str, x: Tensor) -> Tensor:
            weight = tensors.get_tensor(f"{name}.weight", x.shape[1], mean=1.0)
            return F.group_norm(x, 32, weight, tensors.get_tensor(f"{name}.bias", x.shape[1]), self.eps)

        def block(name: str, x: Tensor, out: int, change: str = "") -> Tensor:
            h = F.silu(norm(f"{name}.in_layers.0", x))
            h, x = halved_or_doubled(h, change), halved_or_doubled(x, change)
            h = conv(f"{name}.in_layers.2", h, out, 3, padding=1)
            shift = linear(f"{name}.emb_layers.1", F.silu(embedding), out * (1 + self.scale_shift))[:, :, None, None]
            if self.scale_shift:
                scale, shift = shift.chunk(2, dim=1)
                h = norm(f"{name}.out_layers.0", h) * (1 + scale) + shift
            else:
                h = norm(f"{name}.out_layers.0", h + shift)
            h = conv(f"{name}.out_layers.3", F.silu(h), out, 3, padding=1)
            return h + (x if out == x.shape[1] else conv(f"{name}.skip_connection", x, out, 1))

        def attention(name: str, x: Tensor) -> Tensor:
            channels = x.shape[1]
            heads = channels // self.head_channels if self.head_channels else self.heads
            weight = tensors.get_tensor(f"{name}.qkv.weight", 3 * channels, channels, 1)
            bias = tensors.get_tensor(f"{name}.qkv.bias", 3 * channels)
            qkv = F.conv1d(norm(f"{name}.norm", x).flatten(2), weight, bias)
            # Legacy order: for each head its q, its k and its v.
            q, k, v = qkv.reshape(len(x), heads, 3, channels // heads, -1).unbind(2)
            weights = torch.einsum("bhcq,bhck->bhqk", q, k) / math.sqrt(channels // heads)
            h = torch.einsum("bhqk,bhck->bhcq", weights.softmax(-1), v).reshape(len(x), channels, -1)
            weight = tensors.get_tensor(f"{name}.proj_out.weight", channels, channels, 1)
            return x + F.conv1d(h, weight, tensors.get_tensor(f"{name}.proj_out.bias", channels)).reshape(x.shape)

        embedding = linear("time_embed.0", sinusoid(label, self.unit, cosine_first=True), 4 * self.unit)
        embedding = linear("time_embed.2", F.silu(embedding), 4 * self.unit)
        h = conv("input_blocks.0.0", x, widths[0], 3, padding=1)
        maps, numbers = [h], count(1)
        for level, width in enumerate(widths):
            for _ in range(self.blocks):
                name = f"input_blocks.{next(numbers)}"
                h = block(f"{name}.0", h, width)
                h = attention(f"{name}.1", h) if level in self.attention else h
                maps.append(h)
            if level < len(widths) - 1:
                name = f"input_blocks.{next(numbers)}.0"
                if self.updown:
                    h = block(name, h, width, "down")
                else:
                    h = conv(f"{name}.op", h, width, 3, stride=2, padding=1)
                maps.append(h)
        h = block("middle_block.0", h, width)
        h = block("middle_block.2", attention("middle_block.1", h), width)
        numbers = count()
        for level, width in reversed([*enumerate(widths)]):
            for number in range(self.blocks + 1):
                name = f"output_blocks.{next(numbers)}"
                h = block(f"{name}.0", torch.cat([h, maps.pop()], 1), width)
                h = attention(f"{name}.1", h) if level in self.attention else h
                if level > 0 and number == self.blocks:
                    last = f"{name}.{1 + (level in self.attention)}"
                    if self.updown:
                        h = block(last, h, width, "up")
                    else:
                        h = conv(f"{last}.conv", halved_or_doubled(h, "up"), width, 3, padding=1)
        return conv("out.2", F.silu(norm("out.0", h)), self.out, 3, padding=1)


class Shapes(Tensors):
    """Tensors of which there is only the shape, for networks of any size."""

    def get_tensor(self, name: str, *shape: int, mean: float = 0.0, std: float | None = None) -> Tensor:
        return self.setdefault(name, torch.empty(shape, device="meta"))
