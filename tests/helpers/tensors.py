"""Feature maps with random numbers, and how close what is computed from them must come."""

from __future__ import annotations

import torch

TOLERANCES = {torch.float32: 2e-5, torch.bfloat16: 2e-2}  # bfloat16 has eight bits


def channels_last(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator).to(dtype).to(memory_format=torch.channels_last)
