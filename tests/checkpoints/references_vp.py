"""The variance-preserving networks of score_sde_pytorch, as functions of their published tensors, written out."""

from __future__ import annotations

import math
from itertools import count

import torch
from references import Cifar
from torch import Tensor
from torch.nn import functional as F

WIDTHS = (128, 256, 256, 256)


def halved_or_doubled(x: Tensor, change: str) -> Tensor:
    """Means of 2 x 2 pixels, or every pixel four times."""
    if change == "down":
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean(dim=(3, 5))
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3) if change == "up" else x


def sinusoid(label: Tensor, width: int, cosine_first: bool = False) -> Tensor:
    """DDPM's sines and cosines, the last frequency 1/10000; guided-diffusion's cosines and sines, ending before it."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half) / (half if cosine_first else half - 1))
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
