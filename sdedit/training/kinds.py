"""The batches a recipe asks for, from the photographs there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import torch

from sdedit.errors import SdeditError
from sdedit.io.photographs import Pixels, resized
from sdedit.training.batches import BatchKind
from sdedit.training.config import BatchConfig
from sdedit.training.image_store import ImageStore
from sdedit.training.processes import Processes


def make_kinds(
    configs: Sequence[BatchConfig],
    data: Mapping[str, Sequence[Pixels]],
    device: torch.device | str,
    processes: Processes,
) -> list[BatchKind]:
    """Put the photographs into the device's memory, as they are and shrunk, and cut them into kinds of batches.

    Args:
        configs: the tables [[batches]].
        data: photographs by the name of their set, (H, W, 3) uint8 each, or (H, W, 6) for pairs; pairs count as two.
        device: where the batches are made.
        processes: those among which each batch is shared.

    Raises:
        SdeditError: if a table names a set there is none of, no photograph is large enough for it, or the processes
            cannot share its batches evenly.
    """
    stores: dict[tuple[tuple[str, ...], int], ImageStore] = {}
    kinds = []
    for config in configs:
        names = config.data or tuple(data)
        for name in names:
            if name not in data:
                raise SdeditError(
                    f"[[batches]] names the data set {name}, which none is given as: --data {name}=FOLDER"
                )
        least = config.shrink_to or config.side
        images = [image for name in names for image in data[name]]
        large = [number for number, image in enumerate(images) if min(image.shape[:2]) >= least]
        if not large:
            raise SdeditError(f"no photograph has {least} px on its shorter side, which [[batches]] asks for")
        key = names, config.shrink_to
        if config.shrink_to:
            images = [images[number] for number in large]
            large = list(range(len(large)))
        if key not in stores:
            if config.shrink_to:
                with ThreadPoolExecutor() as threads:
                    images = list(threads.map(resized, images, repeat(config.shrink_to)))
            stores[key] = ImageStore(images, device)
        sets = images[0].shape[2] // 3
        count = max(1, round(config.batch / sets))
        if count % processes.count:
            raise SdeditError(f"a batch of {count} cannot be shared evenly by {processes.count} processes")
        choices = torch.tensor(large, device=device)
        noise = config.noise_mean, config.noise_std
        kinds.append(BatchKind(stores[key], choices, config.side, count, *noise, config.zoom, config.aspect))
    return kinds
