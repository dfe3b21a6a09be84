"""Comparing an edited image file with the one before, outside the mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sdedit.errors import SdeditError
from sdedit.io.files import open_input
from sdedit.jobs.console import Console


def compare_outside(edited: Path, source: Path, mask: Path, console: Console) -> dict[str, Any]:
    """Compare an edited image with its source where the mask is black.

    Args:
        edited: an image file.
        source: the image before, of the same size.
        mask: of the same size, white where the image was allowed to change.
        console: says why LPIPS was not measured, if it was not.

    Returns:
        Facts by name: the number of pixels that had to be kept and of those that changed, their L2 and RMSE with values
        in [0, 1], and LPIPS with the rest blackened.

    Raises:
        SdeditError: if a file cannot be used, or their sizes differ.
    """
    import torch

    from sdedit.evaluation.distances import masked_lpips
    from sdedit.io.images import decode, open_image
    from sdedit.io.source_image import open_source
    from sdedit.io.tensors import to_tensor
    from sdedit.pipelines.mask import mask_values, without_traces

    before, after = (open_image(*open_input(str(file))) for file in (source, edited))
    sources = [open_source(*open_input(str(file))) for file in (source, edited)]
    free = decode(*open_input(str(mask)), mask_values)
    for (width, height), file in ((after.size, edited), (free.shape[::-1], mask)):
        if (width, height) != before.size:
            raise SdeditError(f"{file} has {width}x{height} px and {source} has {before.width}x{before.height} px")
    kept = torch.from_numpy(without_traces(free)[0]) == 0
    if not kept.any():
        raise SdeditError(f"{mask} is white everywhere: there is nothing outside it to measure")
    difference = (to_tensor(after) - to_tensor(before))[:, kept]
    changed = (difference != 0).any(dim=0)
    exact = [one.channels() for one in sources]
    alike = sources[0].profile == sources[1].profile and exact[0].dtype == exact[1].dtype
    if alike and exact[0].shape == exact[1].shape:
        # What 8 bits in sRGB do not show: lower bits, and transparency.
        changed |= torch.from_numpy((exact[0] != exact[1]).any(axis=2))[kept]
    facts: dict[str, Any] = {
        "kept pixels": int(kept.sum()),
        "of them changed": int(changed.sum()),
        "l2": float(f"{float(difference.norm()):.6g}"),
        "rmse": float(f"{float(difference.square().mean().sqrt()):.6g}"),
    }
    try:
        value = masked_lpips(to_tensor(after)[None], to_tensor(before)[None], (~kept)[None, None].float())
        facts["lpips"] = float(f"{float(value):.6g}")
    except SdeditError as error:
        console.log(f"LPIPS was not measured: {error}")
    return facts
