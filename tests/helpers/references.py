"""The networks diffusers does not have, as functions of their published tensors, written out without the library.

Every tensor is asked for by its published name and shape; the first run makes it, so that the function is the layout.
"""

from __future__ import annotations

import math
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional as F

ROOT_HALF = math.sqrt(0.5)
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])
FIR = TAPS.outer(TAPS) / 64


class Tensors(dict):
    """Tensors by name; one that is missing is drawn, with a variance that keeps the network's signal."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def get_tensor(self, name: str, *shape: int, mean: float = 0.0, std: float | None = None) -> Tensor:
        if name not in self:
            scale = std if std is not None else 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.2
            self[name] = mean + scale * torch.randn(shape, generator=self.generator)
        assert tuple(self[name].shape) == shape, name
        return self[name]


def fir(x: Tensor, padding: tuple[int, int], gain: float = 1.0, stride: int = 1) -> Tensor:
    kernel = (gain * FIR)[None, None].repeat(x.shape[1], 1, 1, 1)
    return F.conv2d(F.pad(x, padding * 2), kernel, groups=x.shape[1], stride=stride)


def resampled(x: Tensor, change: str) -> Tensor:
    if change == "up":  # zeros between the pixels, then the filter
        spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        spread[..., ::2, ::2] = x
        return fir(spread, (2, 1), 4.0)
    return fir(x, (1, 1), stride=2) if change == "down" else x


class Cifar:
    """The CIFAR-10 and CelebA networks of score_sde_pytorch: 'residual' input pyramid, no output pyramid."""

    resampled = staticmethod(resampled)

    def __init__(self, tensors: Tensors, blocks: int, fourier: bool, attention_level: int = 1) -> None:
        self.tensors, self.blocks, self.fourier, self.attention_level = tensors, blocks, fourier, attention_level

    def conv(self, name: str, x: Tensor, out: int, size: int, **options: int) -> Tensor:
        weight = self.tensors.get_tensor(f"{name}.weight", out, x.shape[1], size, size)
        return F.conv2d(x, weight, self.tensors.get_tensor(f"{name}.bias", out), **options)

    def linear(self, name: str, x: Tensor, out: int) -> Tensor:
        weight = self.tensors.get_tensor(f"{name}.weight", out, x.shape[1])
        return F.linear(x, weight, self.tensors.get_tensor(f"{name}.bias", out))

    def norm(self, name: str, x: Tensor) -> Tensor:
        channels = x.shape[1]
        weight = self.tensors.get_tensor(f"{name}.weight", channels, mean=1.0)
        bias = self.tensors.get_tensor(f"{name}.bias", channels)
        return F.group_norm(x, min(channels // 4, 32), weight, bias, 1e-6)

    def block(self, name: str, x: Tensor, out: int, embedding: Tensor, change: str = "") -> Tensor:
        h = self.resampled(F.silu(self.norm(f"{name}.GroupNorm_0", x)), change)
        h = self.conv(f"{name}.Conv_0", h, out, 3, padding=1)
        h = h + self.linear(f"{name}.Dense_0", F.silu(embedding), out)[:, :, None, None]
        h = self.conv(f"{name}.Conv_1", F.silu(self.norm(f"{name}.GroupNorm_1", h)), out, 3, padding=1)
        if change or out != x.shape[1]:
            x = self.conv(f"{name}.Conv_2", self.resampled(x, change), out, 1)
        return (x + h) * ROOT_HALF

    def nin(self, name: str, x: Tensor) -> Tensor:
        weight = self.tensors.get_tensor(f"{name}.W", x.shape[1], x.shape[1])
        bias = self.tensors.get_tensor(f"{name}.b", x.shape[1])
        return torch.einsum("bchw,cd->bdhw", x, weight) + bias[:, None, None]

    def attention(self, name: str, x: Tensor) -> Tensor:
        h = self.norm(f"{name}.GroupNorm_0", x)
        q, k, v = (self.nin(f"{name}.NIN_{number}", h) for number in range(3))
        weights = torch.einsum("bchw,bcij->bhwij", q, k) * x.shape[1] ** -0.5
        weights = weights.flatten(3).softmax(-1).reshape(weights.shape)
        h = self.nin(f"{name}.NIN_3", torch.einsum("bhwij,bcij->bchw", weights, v))
        return (x + h) * ROOT_HALF

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """The network before its division by sigma; label is log sigma, or the number of the noise level."""
        numbers = count()

        def name() -> str:
            return f"all_modules.{next(numbers)}"

        if self.fourier:
            phase = label[:, None] * self.tensors.get_tensor(f"{name()}.W", 128, std=16.0) * 2 * math.pi
        else:
            phase = label[:, None] * torch.exp(-math.log(10000) * torch.arange(64) / 63)
        embedding = self.linear(name(), torch.cat([phase.sin(), phase.cos()], 1), 512)
        embedding = self.linear(name(), F.silu(embedding), 512)
        x = pyramid = 2 * x - 1
        h = self.conv(name(), x, 128, 3, padding=1)
        maps = [h]
        for level, channels in enumerate((128, 256, 256, 256)):
            for _ in range(self.blocks):
                h = self.block(name(), h, channels, embedding)
                h = self.attention(name(), h) if level == self.attention_level else h
                maps.append(h)
            if level < 3:
                h = self.block(name(), h, channels, embedding, "down")
                pyramid = self.conv(f"{name()}.Conv2d_0", fir(pyramid, (2, 2)), channels, 3, stride=2)
                h = pyramid = (pyramid + h) * ROOT_HALF
                maps.append(h)
        h = self.block(name(), h, 256, embedding)
        h = self.attention(name(), h)
        h = self.block(name(), h, 256, embedding)
        for level, channels in reversed([*enumerate((128, 256, 256, 256))]):
            for _ in range(self.blocks + 1):
                h = self.block(name(), torch.cat([h, maps.pop()], 1), channels, embedding)
            h = self.attention(name(), h) if level == self.attention_level else h
            if level > 0:
                h = self.block(name(), h, channels, embedding, "up")
        h = F.silu(self.norm(name(), h))
        return self.conv(name(), h, 3, 3, padding=1)


class SongUNet(Cifar):
    """The same network by EDM's names: attention inside the blocks, q, k and v in alternating rows."""

    def __init__(self, tensors: Tensors, size: int, multipliers: tuple[int, ...], blocks: int) -> None:
        super().__init__(tensors, blocks, fourier=True)
        self.size, self.multipliers = size, multipliers

    def unit(
        self, name: str, x: Tensor, out: int, embedding: Tensor, change: str = "", attends: bool = False
    ) -> Tensor:
        h = resampled(F.silu(self.norm(f"{name}.norm0", x)), change)
        h = self.conv(f"{name}.conv0", h, out, 3, padding=1)
        h = F.silu(self.norm(f"{name}.norm1", h + self.linear(f"{name}.affine", embedding, out)[:, :, None, None]))
        h = self.conv(f"{name}.conv1", h, out, 3, padding=1)
        if change or out != x.shape[1]:
            x = self.conv(f"{name}.skip", resampled(x, change), out, 1)
        if change:
            for layer in ("conv0", "skip"):
                self.tensors[f"{name}.{layer}.resample_filter"] = FIR[None, None]
        x = (x + h) * ROOT_HALF
        if not attends:
            return x
        qkv = self.conv(f"{name}.qkv", self.norm(f"{name}.norm2", x), 3 * out, 1).reshape(len(x), out, 3, -1)
        q, k, v = qkv.unbind(2)
        weights = torch.einsum("ncq,nck->nqk", q, k / math.sqrt(out)).softmax(2)
        h = torch.einsum("nqk,nck->ncq", weights, v).reshape(x.shape)
        return (self.conv(f"{name}.proj", h, out, 1) + x) * ROOT_HALF

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """F(x; c_noise) for pictures x in [-1, 1]."""
        phase = label[:, None] * self.tensors.get_tensor("map_noise.freqs", 128, std=16.0) * 2 * math.pi
        embedding = F.silu(self.linear("map_layer0", torch.cat([phase.sin(), phase.cos()], 1), 512))
        embedding = F.silu(self.linear("map_layer1", embedding, 512))
        self.tensors.get_tensor("map_augment.weight", 256, 9)  # of training only
        widths = [128 * multiplier for multiplier in self.multipliers]
        places = [f"{self.size >> level}x{self.size >> level}" for level in range(len(widths))]
        h = self.conv(f"enc.{places[0]}_conv", x, 128, 3, padding=1)
        maps, pyramid = [h], x
        for level, (place, width) in enumerate(zip(places, widths, strict=True)):
            if level > 0:
                h = self.unit(f"enc.{place}_down", h, widths[level - 1], embedding, "down")
                name = f"enc.{place}_aux_residual"
                wide = F.pad(pyramid, (2, 2, 2, 2))
                weight = self.tensors.get_tensor(f"{name}.weight", h.shape[1], pyramid.shape[1], 3, 3)
                pyramid = fir(F.conv2d(wide, weight), (0, 0), stride=2)
                pyramid = pyramid + self.tensors.get_tensor(f"{name}.bias", h.shape[1])[:, None, None]
                self.tensors[f"{name}.resample_filter"] = FIR[None, None]
                h = pyramid = (h + pyramid) * ROOT_HALF
                maps.append(h)
            for number in range(self.blocks):
                h = self.unit(f"enc.{place}_block{number}", h, width, embedding, attends=place == "16x16")
                maps.append(h)
        h = self.unit(f"dec.{places[-1]}_in0", h, widths[-1], embedding, attends=True)
        h = self.unit(f"dec.{places[-1]}_in1", h, widths[-1], embedding)
        for level, (place, width) in reversed([*enumerate(zip(places, widths, strict=True))]):
            if level < len(widths) - 1:
                h = self.unit(f"dec.{place}_up", h, widths[level + 1], embedding, "up")
            for number in range(self.blocks + 1):
                attends = place == "16x16" and number == self.blocks
                h = torch.cat([h, maps.pop()], 1)
                h = self.unit(f"dec.{place}_block{number}", h, width, embedding, attends=attends)
        return self.conv(
            f"dec.{places[0]}_aux_conv", F.silu(self.norm(f"dec.{places[0]}_aux_norm", h)), 3, 3, padding=1
        )
