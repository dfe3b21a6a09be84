"""Animations: the guide dissolving into noise, and coming back as an image."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sdedit.diffusion.reverse_sde import Step
from sdedit.io.tensors import to_image, to_tensor
from sdedit.io.writing import write_atomically

STATES = ("x", "D")
_FRAME, _REST = 80, 1200  # milliseconds a frame stands; and the guide and the result
_SIDE = 256  # pixels; smaller images are shown enlarged by a whole number up to this
_FRAMES = 24  # each way, by default


class Animation:
    """Frames of one painting: the guide, guide + sigma z with rising sigma, the way back, the result.

    The noise z is that of the state which the way back starts from, so that the two ways meet. Values outside [0, 1]
    are shown as 0 or 1.

    Args:
        guide: at the size it is painted at.
        evaluations: how many there will be.
        every: one frame every so many evaluations; None for about 24 frames each way.
        state: what is shown on the way back, "x" for the state of the reverse SDE or "D" for D(x; sigma), the image
            expected behind it.

    Raises:
        ValueError: if `every` is below 1 or the state is neither.
    """

    def __init__(self, guide: Image.Image, evaluations: int, every: int | None = None, state: str = "x") -> None:
        self._every = math.ceil(evaluations / _FRAMES) if every is None else every
        if self._every < 1 or state not in STATES:
            raise ValueError(f"a frame every 1 and more evaluations, of {' or '.join(STATES)}")
        self._guide, self._state, self._evaluations = guide, state, evaluations
        self._noise: Tensor | None = None
        self._levels: list[float] = []  # of the frames
        self._back: list[Image.Image] = []
        self._seen = 0

    def add(self, step: Step) -> None:
        """Take note of an evaluation, up to as many as were announced; of a batch the first image is shown."""
        if self._seen == self._evaluations:
            return
        if self._seen % self._every == 0:
            width, height = self._guide.size
            x, d = (_at_size(state[:1], height, width)[0].to("cpu") for state in (step.x, step.denoised))
            if self._noise is None:
                self._noise = (x - to_tensor(self._guide)) / step.sigma
            self._levels.append(step.sigma)
            self._back.append(to_image(x if self._state == "x" else d))
        self._seen += 1
        self._last = step.denoised

    def write(self, path: Path, result: Image.Image | None = None) -> None:
        """Write a GIF, WebP or animated PNG, by the name's ending, that runs for ever.

        The result is what the last frame shows, of the guide's size; None for the last D.

        Raises:
            SdeditError: if the file cannot be written; no part of it is left.
        """
        assert self._noise is not None
        if result is None:
            width, height = self._guide.size
            result = to_image(_at_size(self._last[:1], height, width)[0])
        guide = to_tensor(self._guide)
        first_way = self._levels.index(min(self._levels)) + 1  # a repeat starts from high noise again
        there = [to_image(guide + sigma * self._noise) for sigma in reversed(self._levels[:first_way])]
        way = [*there, *self._back]
        # The first state is the end of the way there, the last D the result; Pillow would drop some of the doubles.
        way = [frame for frame, after in pairwise([*way, result]) if frame != after]
        frames = [self._guide, *way, result]
        times = [_REST] + [_FRAME] * len(way) + [_REST]
        zoom = max(1, _SIDE // max(result.size))
        frames = [frame.resize((frame.width * zoom, frame.height * zoom), Image.Resampling.NEAREST) for frame in frames]
        options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0}
        kind = Image.registered_extensions()[path.suffix.lower()]
        if kind == "WEBP":
            options["quality"] = 90
        write_atomically(path, partial(frames[0].save, format=kind, **options))


def _at_size(state: Tensor, height: int, width: int) -> Tensor:
    """A padded state (1, 3, H, W) cut to size; that of a coarser pass enlarged, its pixels left to be seen."""
    if state.shape[-2] < height or state.shape[-1] < width:
        return F.interpolate(state, (height, width), mode="nearest")
    return state[..., :height, :width]
