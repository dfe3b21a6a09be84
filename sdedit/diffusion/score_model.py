"""A score model: network, preconditioning and noise schedule together, as loaded from one checkpoint."""

from __future__ import annotations

import math
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
_SAME = 1e-6  # how far single precision may move a level


@dataclass(frozen=True)
class Finisher:
    """The network of sampling's last step, which takes the noise that is left at one level away in one evaluation.

    A denoiser answers with the mean of what an image may be, and takes many small steps to make texture of it. This one
    was trained against an adversary to answer with one such image (Xiao et al. 2022, arXiv 2112.07804), at
    `sigma_finish` of the schedule.

    Attributes:
        network: of any shape.
        preconditioning: makes of it what is called as D(x; sigma) is.
    """

    network: NCSNpp
    preconditioning: Preconditioning
    _graphs: CUDAGraphCache = field(default_factory=CUDAGraphCache, init=False, repr=False, compare=False)


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
        finisher: takes the last step of sampling, from the schedule's `sigma_finish`; None if the denoiser does.
    """

    network: NCSNpp
    preconditioning: Preconditioning
    schedule: Schedule
    native_size: int
    card: Mapping[str, Any] = field(default_factory=dict)
    checksum: str = ""
    notes: tuple[str, ...] = ()
    finisher: Finisher | None = None
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
    def networks(self) -> list[NCSNpp]:
        """All that it consists of: its network, and the finisher's."""
        return [self.network, *([] if self.finisher is None else [self.finisher.network])]

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
        return math.lcm(*(network.config.size_multiple for network in self.networks))

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """D(x; sigma), the expected clean image given the noised one.

        Args:
            x: (B, 3, H, W) float32, images in [0, 1] plus noise of level sigma.
            sigma: (B,) float32, noise levels in units of x, above 0; or (1,), a level all images share.

        Returns:
            (B, 3, H, W) float32.
        """
        return _evaluate(self, x, sigma)

    def finish(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The image that sampling's last step goes to, with the arguments and the result of `denoise`.

        It is the finisher's, if there is one and the noise is of the level it knows; else D(x; sigma).
        """
        if self.finisher is None or not math.isclose(float(sigma[0]), self.schedule.sigma_finish, rel_tol=_SAME):
            return self.denoise(x, sigma)
        return _evaluate(self.finisher, x, sigma)

    def score(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Gradient of the log density of x at noise level sigma: (D(x; sigma) - x) / sigma^2 (Tweedie's formula).

        Arguments and result have the shapes of `denoise`.
        """
        return (self.denoise(x, sigma) - x) / sigma[:, None, None, None] ** 2


def _evaluate(part: ScoreModel | Finisher, x: Tensor, sigma: Tensor) -> Tensor:
    network, denoise = part.network, part.preconditioning.denoise
    # A network of another kind may do what cannot be captured.
    if x.device.type == "cuda" and not torch.is_grad_enabled() and isinstance(network, NCSNpp):
        return part._graphs(denoise, network, network.stem.weight, x, sigma)
    return denoise(network, x, sigma)
