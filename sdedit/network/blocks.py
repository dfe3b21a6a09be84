"""The building blocks of NCSN++: residual block, self-attention, and the joints of its image pyramids."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.network.resample import FIRDown


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with min(channels / 4, 32) groups, or the next fewer that divide the channels."""
    groups = min(channels // 4, 32)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels, eps=1e-6)


def activate(x: Tensor) -> Tensor:
    """SiLU of x, which is overwritten where no gradient will need it: a large tensor less to write."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    # A branch that starts at zero leaves the identity, which deep stacks train from (Ho et al. 2020).
    nn.init.zeros_(layer.weight)
    return layer


class ResidualBlock(nn.Module):
    """BigGAN-type residual block, optionally changing resolution (Song et al. 2021, appendix H).

    x (B, C_in, H, W), embedding (B, E) or (1, E) -> (B, C_out, H', W'), H' = H, H/2 or 2H by `resample`.
    """

    def __init__(
        self, c_in: int, c_out: int, embedding: int, skip_rescale: bool, resample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.norm0 = group_norm(c_in)
        self.resample = resample
        self.conv0 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.project = nn.Linear(embedding, c_out)
        self.norm1 = group_norm(c_out)
        self.conv1 = _zeroed(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out or resample is not None else None
        self.scale = math.sqrt(0.5) if skip_rescale else 1.0

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = activate(self.norm0(x))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self._shifted_conv0(h, self.project(embedding))
        h = self.conv1(activate(self.norm1(h)))
        if self.shortcut is not None:
            x = self.shortcut(x)
        return h.add_(x).mul_(self.scale)

    def _shifted_conv0(self, h: Tensor, shift: Tensor) -> Tensor:
        """conv0 of h plus the shift (B, C_out) of each channel."""
        if len(shift) > 1:
            return self.conv0(h).add_(shift[:, :, None, None])
        # One shift for the whole batch is a bias, and costs nothing.
        assert self.conv0.bias is not None
        bias = (self.conv0.bias + shift[0]).to(h.dtype)
        return F.conv2d(h, self.conv0.weight, bias, padding=1)


class Attention(nn.Module):
    """Single-head self-attention over all pixels of x (B, C, H, W), with its residual sum."""

    def __init__(self, channels: int, skip_rescale: bool) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv2d(channels, channels, 1))
        self.scale = math.sqrt(0.5) if skip_rescale else 1.0

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        # (B, 3C, H, W) -> three of (B, 1 head, HW, C)
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)[:, None]
        h = F.scaled_dot_product_attention(*qkv.chunk(3, dim=-1))
        h = self.out(h[:, 0].transpose(1, 2).reshape(batch, channels, height, width))
        return h.add_(x).mul_(self.scale)


class InputSkip(nn.Module):
    """'Input skip': the input, filtered down to this level, is mixed into h through a 1 x 1 convolution."""

    def __init__(self, image_channels: int, channels: int, downsample: nn.Module) -> None:
        super().__init__()
        self.downsample = downsample
        self.mix = nn.Conv2d(image_channels, channels, 1)

    def forward(self, h: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        image = self.downsample(image)
        return self.mix(image).add_(h), image


class InputResidual(nn.Module):
    """'Residual' input pyramid: a strided convolution carries the pyramid down, and its sum with h becomes both."""

    def __init__(self, image_channels: int, channels: int, skip_rescale: bool) -> None:
        super().__init__()
        self.filter = FIRDown(padding=2, stride=1)
        self.conv = nn.Conv2d(image_channels, channels, 3, stride=2)
        self.scale = math.sqrt(0.5) if skip_rescale else 1.0

    def forward(self, h: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        h = self.conv(self.filter(image)).add_(h).mul_(self.scale)
        return h, h


class ToImage(nn.Module):
    """Features (B, C, H, W) -> image channels: normalise, activate, convolve."""

    def __init__(self, channels: int, image_channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.conv = _zeroed(nn.Conv2d(channels, image_channels, 3, padding=1))

    def forward(self, h: Tensor) -> Tensor:
        return self.conv(activate(self.norm(h)))
