"""A convolution and the normalisation of its result, in fewer passes over memory where that can be."""

from __future__ import annotations

from torch import Tensor

from sdedit.diffusion.kernels import triton_autograd, triton_ops
from sdedit.diffusion.layers.conv2d import Conv2d
from sdedit.diffusion.layers.group_norm import GroupNormSiLU


def conv_group_norm(conv: Conv2d, norm: GroupNormSiLU, x: Tensor, shift: Tensor) -> Tensor:
    """norm(conv(x) + shift).

    Args:
        conv: the convolution, with a bias.
        norm: the normalisation, with its activation.
        x: (B, C_in, H, W).
        shift: (B, C_out) or (1, C_out), for each channel of the convolution's result.

    Returns:
        (B, C_out, H', W').
    """
    if triton_ops.supports(x):
        # Fused: the kernel reads the feature map anyway.
        assert conv.bias is not None
        return norm.by_triton(conv.without_bias(x), (conv.bias, shift))
    if triton_autograd.supports(x):
        assert conv.bias is not None
        return norm.by_triton_with_gradients(conv.without_bias(x), (conv.bias.float(), shift.float()))[0]
    return norm(conv(x, shift=shift))
