"""The sum at the end of a residual branch."""

from __future__ import annotations

from torch import Tensor

from sdedit.diffusion.kernels import triton_autograd, triton_ops
from sdedit.diffusion.layers.conv2d import Conv2d


def residual_sum(conv: Conv2d, h: Tensor, x: Tensor, scale: float, shortcut: Conv2d | None = None) -> Tensor:
    """scale * (conv(h) + x), or with shortcut(x) in place of x; on a GPU in one pass after the convolutions.

    Args:
        conv: the last convolution of the branch.
        h: (B, C', H, W), its input.
        x: (B, C, H, W), what the branch is added to.
        scale: factor of the sum.
        shortcut: a convolution that brings x to the result's channels.

    Returns:
        (B, C, H, W).
    """
    with_gradients = triton_autograd.supports(h)
    if not with_gradients and not triton_ops.supports(h):
        return conv(h, scale, residual=x * scale if shortcut is None else shortcut(x, scale))
    assert conv.bias is not None
    bias, residual = conv.bias.float(), x
    if shortcut is not None:
        assert shortcut.bias is not None
        bias, residual = bias + shortcut.bias.float(), shortcut.without_bias(x)
    if with_gradients:
        return triton_autograd.residual_sum(conv.without_bias(h), bias, residual, scale)
    return triton_ops.scale_bias_add(conv.without_bias(h), scale, bias, residual, scale)
