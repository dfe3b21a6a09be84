"""What tests of a GPU share; without one its kernels run by Triton's interpreter."""

from __future__ import annotations

import pytest
import torch

from tests.helpers import tensors

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SHAPES = [(1, 16, 9, 7), (3, 12, 5, 1), (2, 48, 20, 33), (1, 20, 1, 1), (4, 64, 8, 8)]
TOLERANCES = {**tensors.TOLERANCES, torch.float16: 3e-3}
needs_gpu = pytest.mark.skipif(DEVICE.type != "cuda", reason="there is no GPU here")


def channels_last(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return tensors.channels_last(*shape, dtype=dtype).to(DEVICE)


def assert_close(y: torch.Tensor, expected: torch.Tensor) -> None:
    tolerance = TOLERANCES[y.dtype]
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.double(), expected.double(), rtol=tolerance, atol=tolerance)
