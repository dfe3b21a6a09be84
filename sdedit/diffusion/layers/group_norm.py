"""Group normalisation with SiLU, with faster ways to compute it on a CPU and on a GPU; they change no parameter."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.kernels import group_norm_silu, triton_ops


class GroupNormSiLU(nn.GroupNorm):
    """Group normalisation with min(channels / 4, 32) groups, or the next fewer that divide the channels, then SiLU.

    Statistics are taken in float32, whatever the type of x.
    """

    def __init__(self, channels: int, silu: bool = True) -> None:
        groups = min(channels // 4, 32)
        while channels % groups:
            groups -= 1
        super().__init__(groups, channels, eps=1e-6)
        self.silu = silu

    def forward(self, x: Tensor) -> Tensor:
        if group_norm_silu.supports(x):
            return group_norm_silu.norm_silu(x, self.weight, self.bias, self.num_groups, self.eps, self.silu)
        if triton_ops.supports(x):
            return self.by_triton(x)
        h = super().forward(x)
        return F.silu(h, inplace=not torch.is_grad_enabled()) if self.silu else h

    def by_triton(self, x: Tensor, shifts: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """As `forward`, of x (B, C, H, W) + shifts, (C,) and (B, C) or (1, C), for an x that `triton_ops` takes."""
        return triton_ops.norm_silu(x, self.weight, self.bias, self.num_groups, self.eps, self.silu, shifts)
