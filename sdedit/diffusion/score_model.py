"""A score model: network, preconditioning and noise schedule together, as loaded from one checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from sdedit.diffusion.cuda_graphs import CUDAGraphCache
from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.preconditioning import Preconditioning
from sdedit.diffusion.samplers import DEFAULT, DEFAULTS, Sampling
from sdedit.diffusion.schedule import Schedule

_LARGEST, _MOST_STEPS = 1024, 1000  # whatever a card says


@dataclass
class ScoreModel:
    """The denoiser D(x; sigma) and the score of noised images, x = image + sigma z, images in [0, 1].

    Attributes:
        network: the U-Net, F of its denoiser.
        preconditioning: makes the denoiser D(x; sigma) of it.
        schedule: sigma(t) of the SDE the network was trained for.
        native_size: height and width of the images it was trained on, in pixels.
        card: what the checkpoint says of itself (name, data, licence, training).
        checksum: SHA-256 of the checkpoint file, in hexadecimal; empty for a model not loaded from a file.
        notes: sentences about what the file did not say and was assumed.
    """

    network: NCSNpp
    preconditioning: Preconditioning
    schedule: Schedule
    native_size: int
    card: Mapping[str, Any] = field(default_factory=dict)
    checksum: str = ""
    notes: tuple[str, ...] = ()
    _graphs: CUDAGraphCache = field(default_factory=CUDAGraphCache, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What the card calls it."""
        return str(self.card.get("name", "unnamed"))

    @property
    def default_sampling(self) -> Sampling:
        """How images are sampled by default: with the sampler and the steps that the card names, if it names them."""
        sampler, steps = self.card.get("sampler"), self.card.get("steps")
        named = DEFAULTS.get(sampler, DEFAULT) if isinstance(sampler, str) else DEFAULT
        return replace(named, steps=steps) if type(steps) is int and 1 <= steps <= _MOST_STEPS else named

    @property
    def largest_size(self) -> int:
        """Shorter side, in pixels, up to which guides are painted at their own size by default.

        The card says it of a model that has been looked at on larger canvases; others paint at their native size.
        """
        largest = self.card.get("largest_size")
        return min(max(self.native_size, largest), _LARGEST) if type(largest) is int else self.native_size

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.network.stem.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Type the network's body runs in."""
        return self.network.stem.weight.dtype

    @property
    def size_multiple(self) -> int:
        """Heights and widths of images are multiples of this many pixels."""
        return self.network.config.size_multiple

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """D(x; sigma), the expected clean image given the noised one.

        Args:
            x: (B, 3, H, W) float32, images in [0, 1] plus noise of level sigma.
            sigma: (B,) float32, noise levels in units of x, above 0; or (1,), a level all images share.

        Returns:
            (B, 3, H, W) float32.
        """
        # A network of another kind may do what cannot be captured.
        if x.device.type == "cuda" and not torch.is_grad_enabled() and isinstance(self.network, NCSNpp):
            weight = self.network.stem.weight
            return self._graphs(self.preconditioning.denoise, self.network, weight, x, sigma)
        return self.preconditioning.denoise(self.network, x, sigma)

    def score(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Gradient of the log density of x at noise level sigma: (D(x; sigma) - x) / sigma^2 (Tweedie's formula).

        Arguments and result have the shapes of `denoise`.
        """
        return (self.denoise(x, sigma) - x) / sigma[:, None, None, None] ** 2
