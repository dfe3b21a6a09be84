"""The region of a large image that goes through the model: what may change, with enough round it to fit in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sdedit.io.images import working_size

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are beyond


@dataclass(frozen=True)
class CropOptions:
    """How the crop round a mask is chosen, and how the mask's edge is treated.

    Attributes:
        size: the crop's shorter side in the model, in pixels; None is the model's native size.
        context: what goes through the model round the mask, as a share of the mask's width and height on each side.
        grow: pixels by which the mask is grown; None is three of the model's pixels for a mask that was found, and none
            for one that was given.
        feather: pixels inside the mask over which the painted part fades in; None is two of the model's pixels.

    Raises:
        ValueError: if context, grow or feather is below 0.
    """

    size: int | None = None
    context: float = 0.5
    grow: float | None = None
    feather: float | None = None

    def __post_init__(self) -> None:
        for name in ("context", "grow", "feather"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0, not {value}")


def bounding_box(mask: np.ndarray) -> Box:
    """Left, top, right and bottom, the latter two beyond, of what is above 0 in a mask (H, W) that is not empty."""
    rows, columns = (np.flatnonzero((mask > 0).any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def crop_box(box: Box, size: tuple[int, int], context: float, least: int) -> Box:
    """Surround a box with context, inside an image.

    Args:
        box: bounds of what may change.
        size: width and height of the image.
        context: what is added on each side, as a share of the box's own width and height.
        least: the region has at least this many pixels a side, where the image has: below the model's native size
            the image would only be enlarged. And at least half its other side: very narrow crops are
            outside the training distribution.

    Returns:
        The region, moved inwards where it would reach beyond the image.
    """
    left, top, right, bottom = box
    sides = [(1 + 2 * context) * length for length in (right - left, bottom - top)]
    sides = [max(side, other / 2, least) for side, other in zip(sides, reversed(sides), strict=True)]
    (x0, x1), (y0, y1) = (
        _place((low + high) / 2, side, whole)
        for low, high, side, whole in zip((left, top), (right, bottom), sides, size, strict=True)
    )
    return x0, y0, x1, y1


def _place(centre: float, side: float, whole: int) -> tuple[int, int]:
    length = min(round(side), whole)
    low = min(max(round(centre - length / 2), 0), whole - length)
    return low, low + length


@dataclass(frozen=True)
class Crop:
    """Where the model works.

    Attributes:
        box: the region of the image that goes through it.
        size: width and height it has there, in pixels.
    """

    box: Box
    size: tuple[int, int]

    @property
    def scale(self) -> float:
        """Pixels of the image for one of the model's; above 1 the painted part is enlarged, and soft."""
        return min(self.box[2] - self.box[0], self.box[3] - self.box[1]) / min(self.size)


def plan_crop(mask: np.ndarray, shorter: int, context: float) -> Crop:
    """Where the model works for a mask (H, W); `shorter` is the crop's shorter side there, in pixels.

    Raises:
        ValueError: if the region cannot be painted at that size.
    """
    box = crop_box(bounding_box(mask), (mask.shape[1], mask.shape[0]), context, shorter)
    return Crop(box, working_size((box[2] - box[0], box[3] - box[1]), shorter))
