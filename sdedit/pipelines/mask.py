"""Masks: where an image may change. White (1) may change, black (0) is kept, grey starts to change at its own t0."""

from __future__ import annotations

import math

import numpy as np
import scipy  # which loads scipy.ndimage at its first use: painting alone need not wait for it
from PIL import Image

from sdedit.io.images import as_rgb

_DIFFERENCE = 0.06  # of values in [0, 1]; the noise of a JPEG file stays below it once averaged over a few pixels
_TRACE = 8.5 / 255  # shares up to it are none
_COVERED = 0.5  # of a pixel: from there on what covers it is all that is seen of it
_SPECK = 2  # pixels; what is not wider is no stroke


def mask_values(image: Image.Image) -> np.ndarray:
    """(H, W) float32 in [0, 1] of an image of any mode: its brightness, where it is transparent over black."""
    return np.asarray(as_rgb(image, "the mask", "black").convert("L"), np.float32) / 255


def without_traces(share: np.ndarray) -> tuple[np.ndarray, int]:
    """Shares (H, W) in [0, 1] with those of a few levels of 255 as none, and how many pixels that were.

    Lossy formats and canvases leave such traces where nothing is meant.
    """
    traces = (share > 0) & (share <= _TRACE)
    return np.where(traces, np.float32(0), share).astype(np.float32), int(traces.sum())


def free_to_change(share: np.ndarray) -> np.ndarray:
    """How far a pixel may change that is covered by a share (H, W) in [0, 1]: fully from a half on."""
    return (share / _COVERED).clip(0, 1).astype(np.float32)


def window(place: np.ndarray, margin: float) -> tuple[slice, slice]:
    """Rows and columns of a window round all of a place (H, W) bool that is not empty, wider by a margin.

    What lies no further from the place than the margin is inside; distances within it are those in the whole image,
    which takes seconds where that has millions of pixels.
    """
    beyond = math.ceil(margin) + 1
    lines = [np.flatnonzero(place.any(axis=axis)) for axis in (1, 0)]
    down, across = (slice(max(0, int(found[0]) - beyond), int(found[-1]) + beyond + 1) for found in lines)
    return down, across


def grow(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask (H, W) that reaches so many pixels further, each new pixel like the nearest that was above 0."""
    if pixels <= 0 or not mask.any():
        return mask
    here = window(mask > 0, pixels)
    part = mask[here]
    distance, (rows, columns) = scipy.ndimage.distance_transform_edt(part == 0, return_indices=True)
    grown = mask.copy()
    grown[here] = np.where(distance <= pixels, part[rows, columns], part)
    return grown


def feather(mask: np.ndarray, pixels: float) -> np.ndarray:
    """Weights (H, W) in [0, 1] of what is painted: 0 outside the mask, rising smoothly over so many pixels inside it.

    Where the mask is too narrow for that, they rise faster, to 1 in the middle of its widest part. The edge of the
    image is no edge of the mask.
    """
    inside = mask > 0
    if inside.all():
        return np.ones(mask.shape, np.float32)
    distance = scipy.ndimage.distance_transform_edt(inside)
    rise = (distance / min(pixels + 1, distance.max())).clip(0, 1)
    return (rise**2 * (3 - 2 * rise)).astype(np.float32)


def grow_found(mask: np.ndarray, pixels: float) -> np.ndarray:
    """As `grow`, but beyond what may change fully, so may the new pixels, whatever soft edge lies between."""
    core = mask == 1
    if pixels <= 0 or not core.any():
        return grow(mask, pixels)
    here = window(core, pixels)
    grown = grow(mask, pixels)
    near = scipy.ndimage.distance_transform_edt(~core[here]) <= pixels
    grown[here] = np.where(near, np.float32(1), grown[here])
    return grown


def find_strokes(image: np.ndarray, strokes: np.ndarray) -> np.ndarray:
    """Where somebody painted over an image: (H, W) bool.

    Differences are averaged over a few pixels, so that the noise of lossy formats cancels; specks are dropped, and
    small holes, where a stroke has the image's own colour, are closed.

    Args:
        image: (H, W, C) uint8.
        strokes: the same with strokes on it.
    """
    difference = (strokes.astype(np.float32) - image) / 255
    averaged = scipy.ndimage.gaussian_filter(difference, (1.5, 1.5, 0))
    found = np.abs(averaged).max(axis=2) > _DIFFERENCE
    disc = scipy.ndimage.iterate_structure(scipy.ndimage.generate_binary_structure(2, 1), _SPECK)
    found = scipy.ndimage.binary_opening(found, disc)
    padded = np.pad(found, 2 * _SPECK, mode="edge")  # the closing would eat from the image's edges
    return scipy.ndimage.binary_closing(padded, disc)[2 * _SPECK : -2 * _SPECK, 2 * _SPECK : -2 * _SPECK] | found
