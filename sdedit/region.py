"""The region of a large picture that goes through the model: what may change, with enough round it to fit in."""

from __future__ import annotations

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are beyond


def region_box(box: Box, size: tuple[int, int], context: float, least: int) -> Box:
    """Surround a box with context, inside a picture.

    Args:
        box: bounds of what may change.
        size: width and height of the picture.
        context: what is added on each side, as a share of the box's own width and height.
        least: the region has at least this many pixels a side, where the picture has: below the model's native size
            the picture would only be enlarged. And at least half its other side, since models know no ribbons.

    Returns:
        The region, moved inwards where it would reach beyond the picture.
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
