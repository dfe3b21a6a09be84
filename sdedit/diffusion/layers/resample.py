"""Change of resolution by a factor of two, between the levels of the U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.kernels import triton_autograd, triton_ops
from sdedit.diffusion.layers.conv2d import Conv2d


class FIRDown(nn.Module):
    """(B, C, H, W) -> (B, C, H/2, W/2), anti-aliased with the separable filter [1, 3, 3, 1] (StyleGAN 2)."""

    kernel: Tensor

    def __init__(self, padding: int = 1, stride: int = 2) -> None:
        super().__init__()
        # Named device: the filter must be real also where a network is laid out on the meta device.
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device="cpu") / 8
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)
        self.padding = padding
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if triton_ops.supports(x):
            return triton_ops.fir_down(x, self.stride, self.padding)
        if triton_autograd.supports(x):
            return triton_autograd.fir_down(x, self.stride, self.padding)
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, -1, -1, -1)
        return F.conv2d(x, kernel, stride=self.stride, padding=self.padding, groups=channels)


class FIRUp(nn.Module):
    """(B, C, H, W) -> (B, C, 2H, 2W): zeros between the pixels, then the same filter at four times the gain.

    That filter is bilinear interpolation, a routine that is fast everywhere, but that it sees zeros beyond the edges,
    where interpolation repeats the last pixel: there a quarter of the weight is missing.
    """

    def forward(self, x: Tensor) -> Tensor:
        if triton_ops.supports(x):
            return triton_ops.fir_up(x)
        if triton_autograd.supports(x):
            return triton_autograd.fir_up(x)
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        for edge in (x[..., 0, :], x[..., -1, :], x[..., 0], x[..., -1]):
            edge.mul_(0.75)
        return x


class MeanDown(nn.Module):
    """(B, C, H, W) -> (B, C, H/2, W/2), each pixel the mean of four."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)


class NearestUp(nn.Module):
    """(B, C, H, W) -> (B, C, 2H, 2W), each pixel repeated."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class DownConv2d(nn.Module):
    """(B, C, H, W) -> (B, C, H/2, W/2) by a convolution of stride 2, as between the levels of DDPM.

    The zeros are right and below (Ho et al. 2020), or all round where `centred`. The embedding is not looked at.
    """

    def __init__(self, channels: int, centred: bool) -> None:
        super().__init__()
        self.padding = (1, 1, 1, 1) if centred else (0, 1, 0, 1)
        self.conv = Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.padding))


class UpConv2d(nn.Module):
    """(B, C, H, W) -> (B, C, 2H, 2W): each pixel repeated, then a convolution. The embedding is not looked at."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nearest = NearestUp()
        self.conv = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(self.nearest(x))


def downsampler(kind: str) -> nn.Module:
    return FIRDown() if kind == "fir" else MeanDown()


def upsampler(kind: str) -> nn.Module:
    return FIRUp() if kind == "fir" else NearestUp()
