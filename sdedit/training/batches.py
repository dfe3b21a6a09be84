"""Batches: random windows of photographs with noise, drawn and made on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdedit.training.image_store import ImageStore
from sdedit.training.processes import Processes
from sdedit.training.resizing import reach, shrink_matrix

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class BatchKind:
    """One kind of batch: square windows of a side, half of them mirrored, with noise ln sigma ~ N(mean, std^2).

    Mirrored landscapes are landscapes; nothing else is done to pixels unless `zoom` or `aspect` say so. These take
    larger windows and shrink them, as photographs taken from elsewhere might show; what they leak into the model is the
    filter's blur, and shapes drawn out by the aspect. Rotations, colours and the like, which EDM undoes by telling the
    network of them (Karras et al. 2022, appendix F.2), would leak whole, and there are none.

    Attributes:
        store: the photographs, C = 3, or C = 6 for photographs with what belongs to each.
        choices: (N,) int64, those of them that are large enough.
        side: height and width of a window, in pixels.
        count: windows in a batch, over all processes.
        noise_mean, noise_std: of ln sigma, sigma in units of images in [0, 1].
        zoom: windows are shrunk by factors from this, in (0, 1], to 1; as far as a photograph is large enough.
        aspect: and by up to this share, in [0, 1), more in one direction than in the other.
    """

    store: ImageStore
    choices: Tensor
    side: int
    count: int
    noise_mean: float
    noise_std: float
    zoom: float = 1.0
    aspect: float = 0.0

    @property
    def images(self) -> int:
        """Images in a batch, over all processes."""
        return self.count * self.store.pixels.shape[1] // 3

    def draw(self, generator: torch.Generator, processes: Processes) -> tuple[Tensor, Tensor, Tensor]:
        """A batch, or this process's share of it.

        Returns:
            x (B, 3, side, side) noised, y (B, 3, side, side) clean, sigma (B,), all float32. Of a store with C = 6 the
            first B / 2 are the photographs and the others what belongs to them, with the same noise.
        """
        device = self.store.pixels.device
        # All of the batch's random numbers, so that it is the same in any number of processes.
        places = torch.rand(self.count, 6, generator=generator, device=device, dtype=torch.float64)
        levels = stratified_normal(self.count, generator, device)
        noise = torch.randn(self.count, self.side, self.side, 3, generator=generator, device=device)
        places, levels, noise = map(processes.share, (places, levels, noise))

        windows = self._windows(places).permute(0, 3, 1, 2)
        sets = windows.shape[1] // 3
        y = torch.cat(windows.chunk(sets, dim=1)) if sets > 1 else windows
        sigma = torch.exp(self.noise_mean + self.noise_std * levels).repeat(sets)
        x = y + sigma[:, None, None, None] * noise.permute(0, 3, 1, 2).repeat(sets, 1, 1, 1)
        return x, y, sigma

    def _windows(self, places: Tensor) -> Tensor:
        """(B, side, side, C) float32 in [0, 1] for places (B, 6) in [0, 1)."""
        pick, down, right, mirror, zoom, aspect = places.unbind(dim=1)
        images = self.choices[(pick * len(self.choices)).long()]
        if self.zoom == 1 and self.aspect == 0:
            tops = (down * (self.store.heights[images] - self.side + 1)).long()
            lefts = (right * (self.store.widths[images] - self.side + 1)).long()
            windows = self.store.windows(images, tops, lefts, (self.side, self.side)).float() / 255
        else:
            windows = self._shrunk(images, down, right, self.zoom ** (zoom - 1), (2 * aspect - 1) * self.aspect)
        return torch.where(mirror[:, None, None, None] < 0.5, windows.flip(2), windows)

    def _shrunk(self, images: Tensor, down: Tensor, right: Tensor, larger: Tensor, taller: Tensor) -> Tensor:
        """Windows `larger` times the side, and by `taller` higher than wide, shrunk to the side."""
        longest = self.side / self.zoom * (1 + self.aspect)
        margin = reach(longest, self.side)
        taps = math.ceil(longest) + 2 * margin + 1

        def one_way(sizes: Tensor, place: Tensor, stretch: Tensor) -> tuple[Tensor, Tensor]:
            length = torch.minimum((self.side * larger * stretch).clamp(min=self.side), sizes)
            start = place * (sizes - length)
            first = start.long() - margin
            return first, shrink_matrix(start, length, sizes, self.side, first, taps).float()

        top, vertical = one_way(self.store.heights[images], down, 1 + taller)
        left, horizontal = one_way(self.store.widths[images], right, 1 - taller)
        pixels = self.store.windows(images, top, left, (taps, taps)).float() / 255
        rows = (vertical @ pixels.flatten(2)).unflatten(2, pixels.shape[2:])
        return torch.einsum("bjt,bitc->bijc", horizontal, rows).clamp(0, 1)


def stratified_normal(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(count,) draws from N(0, 1), one from each of `count` equally likely ranges, in random order.

    A batch then holds low and high noise levels in their due shares, and its gradient less chance (Kingma et al. 2021,
    arXiv 2107.00630, appendix I.1).
    """
    order, within = torch.rand(2, count, generator=generator, device=device)
    quantiles = (order.argsort() + within) / count
    return torch.special.ndtri(quantiles.clamp(1e-6, 1 - 1e-6))


def kind_of_batch(number: int, shares: Sequence[float]) -> int:
    """Which of several kinds, that have these shares of all batches, the batch of a number is.

    Multiples of the golden ratio fill [0, 1) evenly, so that no kind comes in clusters, and a run that goes on needs to
    remember nothing of it.
    """
    place = (number * _GOLDEN) % 1 * sum(shares)
    for kind, share in enumerate(shares):
        place -= share
        if place < 0:
            return kind
    return len(shares) - 1
