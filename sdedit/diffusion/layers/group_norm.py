"""Group normalisation with SiLU, with faster ways to compute it on a CPU and on a GPU; they change no parameter."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.kernels import group_norm_silu, triton_autograd, triton_ops


class GroupNormSiLU(nn.GroupNorm):
    """Group normalisation in so many groups, then SiLU; 0 is min(channels / 4, 32), or the next fewer that divide them.

    Statistics are taken in float32, whatever the type of x.
    """

    def __init__(self, channels: int, silu: bool = True, groups: int = 0, eps: float = 1e-6) -> None:
        if groups == 0:
            groups = min(channels // 4, 32)
            while channels % groups:
                groups -= 1
        super().__init__(groups, channels, eps=eps)
        self.silu = silu

    def forward(self, x: Tensor) -> Tensor:
        return self._with(self.weight, self.bias, x)

    def modulated(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """The normalised x (B, C, H, W) times 1 + scale plus shift, each (B, C) or (1, C), then SiLU."""
        if len(scale) == 1:
            # One level for the whole batch: its scale and shift are weights of the normalisation, and cost nothing.
            factor = 1 + scale[0]
            return self._with(self.weight * factor, self.bias * factor + shift[0], x)
        h = F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        h = h * (1 + scale)[:, :, None, None].to(h.dtype) + shift[:, :, None, None].to(h.dtype)
        return F.silu(h) if self.silu else h

    def beside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised x, and x itself for what goes past it; on a GPU their gradients are then added in one pass."""
        if not triton_autograd.supports(x):
            return self(x), x
        return self.by_triton_with_gradients(x)

    def by_triton(self, x: Tensor, shifts: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """As `forward`, of x (B, C, H, W) + shifts, (C,) and (B, C) or (1, C), for an x that `triton_ops` takes."""
        return triton_ops.norm_silu(x, self.weight, self.bias, self.num_groups, self.eps, self.silu, shifts)

    def by_triton_with_gradients(self, x: Tensor, shifts: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """As `by_triton`, for an x that `triton_autograd` takes, and x itself as of `beside`."""
        affine = self.weight.float(), self.bias.float()
        return triton_autograd.norm_silu(x, *affine, self.num_groups, self.eps, self.silu, shifts)

    def _with(self, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        if group_norm_silu.supports(x):
            return group_norm_silu.norm_silu(x, weight, bias, self.num_groups, self.eps, self.silu)
        if triton_ops.supports(x):
            return triton_ops.norm_silu(x, weight, bias, self.num_groups, self.eps, self.silu, None)
        if triton_autograd.supports(x):
            affine = weight.float(), bias.float()
            return triton_autograd.norm_silu(x, *affine, self.num_groups, self.eps, self.silu, None)[0]
        h = F.group_norm(x, self.num_groups, weight.to(x.dtype), bias.to(x.dtype), self.eps)
        return F.silu(h, inplace=not torch.is_grad_enabled()) if self.silu else h
