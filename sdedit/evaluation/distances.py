"""Faithfulness: how far a painting is from its guide, or an edit from what it had to keep.

Meng et al. 2021 (arXiv 2108.01073), section 4; LPIPS is Zhang et al. 2018 (arXiv 1801.03924).
"""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr, redirect_stdout

import torch
from torch import Tensor

from sdedit.errors import SdeditError


def l2(painted: Tensor, guides: Tensor) -> Tensor:
    """Euclidean distance over all pixels and channels, values in [0, 1]: the paper's L2.

    It grows with the root of the number of pixels; the paper's figures are for 256 x 256 px.

    Args:
        painted: (B, 3, H, W).
        guides: (B, 3, H, W).

    Returns:
        (B,).
    """
    return (painted - guides).flatten(1).norm(dim=1)


def rmse(painted: Tensor, guides: Tensor) -> Tensor:
    """Root of the mean squared difference over pixels and channels, in [0, 1] at every size; shapes as in `l2`."""
    return (painted - guides).flatten(1).square().mean(dim=1).sqrt()


@torch.inference_mode()
def masked_lpips(edited: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """LPIPS with AlexNet between two images whose masked parts are blackened.

    AlexNet's weights are downloaded at first use. Kept pixels that are the source's own give 0.

    Args:
        edited: (B, 3, H, W) in [0, 1], sides of at least 64 px.
        source: the same.
        mask: (B, 1, H, W), above 0 where the image may change.

    Returns:
        (B,).

    Raises:
        SdeditError: if torchmetrics is not installed or the weights cannot be had.
    """
    try:
        from torchmetrics.functional.image import learned_perceptual_image_patch_similarity as lpips
    except ImportError as error:
        raise SdeditError("LPIPS needs torchmetrics; install it with: pip install 'sdedit[evaluate]'") from error
    kept = (mask == 0).to(edited.dtype)
    try:
        said = io.StringIO()  # of the download
        with warnings.catch_warnings(), redirect_stderr(said), redirect_stdout(said):
            warnings.simplefilter("ignore")
            return lpips(edited * kept, source * kept, net_type="alex", reduction="none", normalize=True).flatten()
    except OSError as error:
        raise SdeditError("the weights of AlexNet, for LPIPS, could not be downloaded; get a connection") from error
