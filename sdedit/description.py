"""What a file is, as plain facts: the recipe of a picture, or the properties of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sdedit.recipe import read_recipe


def describe(name_or_path: str) -> dict[str, Any]:
    """Facts about a picture or a checkpoint, in the order they are shown.

    Raises:
        SdeditError: if there is no such file or model, or it is neither a painted picture nor a checkpoint.
    """
    path = Path(name_or_path)
    if path.is_file() and (recipe := read_recipe(path)) is not None:
        return recipe

    from sdedit.checkpoints import load_model

    model = load_model(path if path.exists() else name_or_path, precision="fp32")
    network = model.network
    config = network.config
    return {
        "model": model.name,
        **{key: value for key, value in model.card.items() if key != "name"},
        "native size": f"{model.native_size} px",
        "size multiple": f"{model.size_multiple} px",
        "sigma": f"{model.schedule.sigma_min:g} to {model.schedule.sigma_max:g}",
        "sigma(0.5)": f"{model.schedule.sigma(0.5):.4g}",
        "preconditioning": model.preconditioning.kind,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "channels": ", ".join(map(str, config.channels)),
        "checksum": model.checksum,
    }
