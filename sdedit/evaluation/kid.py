"""Realism: the kernel Inception distance (KID) of Binkowski et al. 2018 (arXiv 1801.01401), by torchmetrics."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sdedit.errors import SdeditError

KID_NEEDS = 10  # images on either side; the error of so few is as large as most differences
_SUBSETS = 200


class Kid(NamedTuple):
    """An estimate of KID with its standard error; `value` has no bias, and may be a little below 0."""

    value: float
    error: float


def check_enough(count: int, words: str) -> None:
    """Refuse to estimate KID from fewer than KID_NEEDS images; `words` are what messages call them.

    Raises:
        SdeditError: if there are too few.
    """
    if count < KID_NEEDS:
        raise SdeditError(f"KID needs at least {KID_NEEDS} {words}, better 100 and more; there are {count}")


def kid(features: Tensor, reference: Tensor) -> Kid:
    """Squared maximum mean discrepancy with the kernel (x.y / F + 1)^3, unbiased, between two sets of features.

    The mean over 200 random subsets of half the images, always the same subsets. The standard deviation over them is
    the standard error of KID over all images: a subset of half has twice the variance of the whole, and what it
    shares with the whole takes half of that away (the delete-half jackknife, Shao and Wu 1989).

    Args:
        features: (N, F), of the images to judge.
        reference: (M, F), of the photographs. Where N and M differ, subsets are half the smaller.

    Raises:
        SdeditError: if either has fewer than KID_NEEDS images, or torchmetrics is not installed.
    """
    check_enough(len(features), "images to judge")
    check_enough(len(reference), "photographs")
    try:
        from torchmetrics.image.kid import KernelInceptionDistance
    except ImportError as error:
        raise SdeditError("KID needs torchmetrics; install it with: pip install 'sdedit[evaluate]'") from error
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # that it keeps all features in memory
        torch.manual_seed(0)  # torchmetrics draws its subsets from the process's generator
        metric = KernelInceptionDistance(
            nn.Identity(), subsets=_SUBSETS, subset_size=min(len(features), len(reference)) // 2
        )
        metric.set_dtype(torch.float64)
        metric.update(reference.double(), real=True)
        metric.update(features.double(), real=False)
        value, error_ = metric.compute()
    return Kid(float(value), float(error_))
