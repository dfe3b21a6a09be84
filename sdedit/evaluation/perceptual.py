"""Perceptual distance outside a mask: LPIPS (Zhang et al. 2018, arXiv 1801.03924), as SDEdit measures its edits."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr

import torch
from torch import Tensor

from sdedit.errors import SdeditError


@torch.inference_mode()
def masked_lpips(edited: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """LPIPS with AlexNet between two pictures whose masked parts are blackened.

    AlexNet's weights are downloaded at first use. Kept pixels that are the source's own give 0.

    Args:
        edited: (B, 3, H, W) in [0, 1], sides of at least 64 px.
        source: the same.
        mask: (B, 1, H, W), above 0 where the picture may change.

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
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # the download's lines
            warnings.simplefilter("ignore")
            return lpips(edited * kept, source * kept, net_type="alex", reduction="none", normalize=True).flatten()
    except OSError as error:
        raise SdeditError("the weights of AlexNet, for LPIPS, could not be downloaded; get a connection") from error
