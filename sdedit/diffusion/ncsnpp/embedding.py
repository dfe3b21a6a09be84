"""Noise-level embedding: a number per image becomes a vector that every residual block reads."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FourierFeatures(nn.Module):
    """sin and cos of 2 pi W u at fixed random frequencies W ~ scale N(0, 1), for u = log sigma."""

    frequencies: Tensor

    def __init__(self, features: int, scale: float) -> None:
        super().__init__()
        # Named device: on the meta device, where networks are laid out, this has torch import its compiler.
        self.register_buffer("frequencies", torch.randn(features, device="cpu") * scale)

    def forward(self, label: Tensor) -> Tensor:
        # The phase reaches about 2000 rad, so it stays in float32 whatever the body runs in.
        phase = label.float()[:, None] * self.frequencies.float() * (2 * math.pi)
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class PositionalFeatures(nn.Module):
    """sin and cos of an integer noise index at geometric frequencies (Vaswani et al. 2017, arXiv 1706.03762)."""

    frequencies: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        exponents = torch.arange(features, dtype=torch.float32, device="cpu") / (features - 1)
        self.register_buffer("frequencies", 10000.0**-exponents, persistent=False)

    def forward(self, label: Tensor) -> Tensor:
        phase = label.float()[:, None] * self.frequencies
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class TimestepFeatures(nn.Module):
    """cos and sin of an integer noise index, as ADM has them: cosines first, and the last frequency above 1/10000."""

    frequencies: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        exponents = torch.arange(features, dtype=torch.float32, device="cpu") / features
        self.register_buffer("frequencies", 10000.0**-exponents, persistent=False)

    def forward(self, label: Tensor) -> Tensor:
        phase = label.float()[:, None] * self.frequencies
        return torch.cat([phase.cos(), phase.sin()], dim=1)


class NoiseEmbedding(nn.Module):
    """Noise label (B,) -> embedding (B, 4 x unit), activated and ready for the blocks' projections."""

    def __init__(self, kind: str, unit: int, fourier_scale: float) -> None:
        super().__init__()
        width = 4 * unit
        if kind == "fourier":
            self.features: nn.Module = FourierFeatures(unit, fourier_scale)
            self.linear0 = nn.Linear(2 * unit, width)
        else:
            self.features = PositionalFeatures(unit // 2) if kind == "positional" else TimestepFeatures(unit // 2)
            self.linear0 = nn.Linear(unit // 2 * 2, width)
        self.linear1 = nn.Linear(width, width)

    def forward(self, label: Tensor) -> Tensor:
        hidden = F.silu(self.linear0(self.features(label)))
        # Every block begins with this activation; doing it here does it once.
        return F.silu(self.linear1(hidden))
