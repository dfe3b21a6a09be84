"""Averages of the weights over a share of the run that has been, so that it grows with the run.

Power-function averages (Karras et al. 2024, EDM2, arXiv 2312.02696, section 3.1): weights of step s count s^gamma. The
length of an average is sigma_rel, the standard deviation of that profile as a share of the run: 0.05 to 0.15 are usual,
and the plain mean of all weights, gamma = 0, has 0.289. Several are kept, and the best is chosen when the run is over.
"""

from __future__ import annotations

import functools

import numpy as np


@functools.cache
def gamma_of(length: float) -> float:
    """The exponent of an average of length sigma_rel, in (0, 0.288): EDM2, equation 123."""
    inverse = length**-2
    roots = np.roots([1, 7, 16 - inverse, 12 - inverse])
    return float(roots.real.max())


def weight_of_last(length: float, batches: int) -> float:
    """The share of the newest weights in the average after `batches` of them, from 1: EDM2, equation 127."""
    return float(1 - (1 - 1 / batches) ** (gamma_of(length) + 1))
