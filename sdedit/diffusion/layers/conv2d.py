"""Convolution as NCSN++ uses it, with faster ways to compute it on a CPU and on a GPU.

The faster ways change no parameter, so that a network is saved, averaged and trained as if they were not there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdedit.diffusion.kernels import triton_autograd, triton_ops, winograd


class _Packed(NamedTuple):
    """Weights of a convolution in the order it is computed with, and what they were made from."""

    source: Tensor  # the weights: holds a reference so that the address cannot be reused
    version: int | None
    scale: float
    winograd: bool
    weight: Tensor


class Conv2d(nn.Conv2d):
    """Conv2d fused with a scale, a per-channel shift and a residual.

    On a CPU that is oneDNN's doing, or Winograd's way with fewer products, and the weights are kept in the order it
    computes with instead of being reordered at every evaluation. On a GPU it is all one pass after the convolution.

    Pass the residual here instead of add(alpha=…): in bfloat16 add rounds the tail elements differently, and an image
    would depend on its place in the batch.
    """

    _packed: _Packed | None = None

    def forward(
        self, x: Tensor, scale: float = 1.0, shift: Tensor | None = None, residual: Tensor | None = None
    ) -> Tensor:
        """scale * convolution(x) + shift + residual.

        Args:
            x: (B, C_in, H, W).
            scale: the same at every call.
            shift: (B, C_out) or (1, C_out), for each channel.
            residual: (B, C_out, H', W'); may be overwritten.

        Returns:
            (B, C_out, H', W').
        """
        assert self.bias is not None
        if shift is None and triton_ops.supports(x):
            return triton_ops.scale_bias_add(self.without_bias(x), scale, self.bias, residual)
        if shift is None and scale == 1 and triton_autograd.supports(x):
            return triton_autograd.residual_sum(self.without_bias(x), self.bias.float(), residual, 1.0)
        bias = self.bias if scale == 1 else self.bias * scale
        if shift is not None and len(shift) == 1:
            # One shift for the whole batch is a bias, and costs nothing.
            bias, shift = (bias + shift[0]).to(bias.dtype), None
        if self._packs(x):
            h = self._convolve_packed(x, scale, bias, residual)
        else:
            weight = self.weight if scale == 1 else self.weight * scale
            h = F.conv2d(x, weight, bias.to(weight.dtype), self.stride, self.padding)
            h = h if residual is None else h.add_(residual)
        # Of the same type, since adding float32 to bfloat16 takes torch twenty times as long.
        return h if shift is None else h.add_(shift[:, :, None, None].to(h.dtype))

    def without_bias(self, x: Tensor) -> Tensor:
        h = F.conv2d(x, self.weight, None, self.stride, self.padding)
        return h.contiguous(memory_format=torch.channels_last)

    def _convolve_packed(self, x: Tensor, scale: float, bias: Tensor, residual: Tensor | None) -> Tensor:
        layout = (self.padding, self.stride, self.dilation, self.groups)
        fits_winograd = winograd.supports(x, self.weight, self.stride, self.padding)
        version = None if self.weight.is_inference() else self.weight._version
        packed = self._packed
        if (
            packed is None
            or packed.source.data_ptr() != self.weight.data_ptr()
            or packed[1:4] != (version, scale, fits_winograd)
        ):
            scaled = (self.weight if scale == 1 else self.weight * scale).detach()
            if fits_winograd:
                weight = winograd.pack(scaled)
            else:
                weight = torch.ops.mkldnn._reorder_convolution_weight(scaled, *layout, x.shape)
            packed = self._packed = _Packed(self.weight.detach(), version, scale, fits_winograd, weight)
        if fits_winograd:
            return winograd.convolve(x, packed.weight, bias, residual)
        if residual is None:
            return torch.ops.mkldnn._convolution_pointwise(x, packed.weight, bias, *layout, "none", [], None)
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            residual, x, packed.weight, bias, *layout, "add", None, None, [], None
        )

    def _packs(self, x: Tensor) -> bool:
        """Whether x can be taken with packed weights, for which there are no gradients."""
        if torch.compiler.is_compiling() or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return False
        if x.device.type != "cpu" or x.dtype != self.weight.dtype or not torch.backends.mkldnn.is_available():
            return False
        bf16 = x.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return bf16 or x.dtype == torch.float32
