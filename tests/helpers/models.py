"""Small networks with fixed random weights, and the options that networks come with."""

from __future__ import annotations

import torch
from torch import nn

from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import EDMPreconditioning
from sdedit.diffusion.samplers import Sampling, resolve_sampling
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel

CHURCH_CUT_SMALL = NetworkConfig(
    stem_channels=16,
    channels=(16, 16, 32, 32, 128, 32, 32),  # 128: diffusers fixes 32 groups in attention
    blocks=(2,) * 7,
    attention_levels=(4,),
    input_pyramid="skip",
    output_pyramid="skip",
)
SIZES = {"stem_channels": 8, "channels": (8, 12, 16), "blocks": (1, 2, 1)}  # of a small network
OPTIONS = [
    {},
    {"input_pyramid": "skip", "output_pyramid": "skip"},
    {"input_pyramid": "residual", "skip_rescale": False},
    {"input_pyramid": "residual", "output_pyramid": "skip", "patch": 2},
    {"embedding": "positional", "resampling": "mean", "patch": 4},
    {"attention_levels": [0, 2], "image_channels": 1},
]


def randomise(module: nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1


def make_tiny_model(seed: int = 0) -> ScoreModel:
    """A model of 16 px pictures that runs in a millisecond; sides are multiples of 4."""
    torch.manual_seed(seed)
    network = NCSNpp(NetworkConfig(16, (16, 16), (1, 1), patch=2, resampling="mean", fourier_scale=1.0))
    for parameter in network.parameters():  # also those that start at zero
        parameter.data.normal_(0, 0.05)
    network.eval().requires_grad_(False)
    return ScoreModel(network, EDMPreconditioning(), VESchedule(), 16, {"name": "tiny"})


def sampled(steps: int, sampler: str = "er-sde-churn") -> Sampling:
    """A sampler with a number of steps, on its own grid."""
    return resolve_sampling(sampler=sampler, steps=steps)
