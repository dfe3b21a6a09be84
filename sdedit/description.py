"""Plain facts: the recipe of a picture, the properties of a checkpoint, the models that have names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sdedit.recipe import read_recipe


def describe(
    name_or_path: str, *, raw_weights: bool = False, sigma_max: float | None = None, offline: bool = False
) -> dict[str, Any]:
    """Facts about a picture or a checkpoint, in the order they are shown.

    Args:
        name_or_path: a picture painted by sdedit, or what `sdedit.load_model` takes.
        raw_weights: as in `sdedit.load_model`, like the rest.
        sigma_max: as there.
        offline: as there.

    Raises:
        SdeditError: if there is no such file or model, or it is neither a painted picture nor a checkpoint.
    """
    path = Path(name_or_path)
    if path.is_file() and (recipe := read_recipe(path)) is not None:
        return recipe

    from sdedit.checkpoints import load_model
    from sdedit.checkpoints.published import count_parameters
    from sdedit.sweetspot import CALIBRATION, calibration_of

    model = load_model(
        name_or_path,
        precision="fp32",
        raw_weights=raw_weights,
        sigma_max=sigma_max,
        offline=offline,
        show_progress=True,
    )
    config = model.network.config
    pyramids = f"input {config.input_pyramid}, output {config.output_pyramid}"
    facts = {
        "model": model.name,
        **{key: value for key, value in model.card.items() if key not in ("name", CALIBRATION)},
        "native size": f"{model.native_size} px",
        "size multiple": f"{model.size_multiple} px",
        "sigma": f"{model.schedule.sigma_min:g} to {model.schedule.sigma_max:g}",
        "sigma(0.5)": f"{model.schedule.sigma(0.5):.4g}",
        "preconditioning": model.preconditioning.kind,
        "parameters": count_parameters(model.network.state_dict()),
        "channels": ", ".join(map(str, config.channels)),
        "blocks": ", ".join(map(str, config.blocks)),
        "attention": ", ".join(f"level {level}" for level in config.attention_levels) or "middle only",
        "noise embedding": config.embedding,
        "pyramids": pyramids,
        "checksum": model.checksum,
    }
    if CALIBRATION in model.card:
        facts["calibrated"] = f"on {calibration_of(model).photographs} photographs"
    if model.notes:
        facts["assumed"] = "; ".join(model.notes)
    return facts


def list_models() -> list[dict[str, Any]]:
    """The models that can be asked for by name, those that come along first."""
    from sdedit.checkpoints.hub import built_in_models, is_downloaded
    from sdedit.checkpoints.native import read_native
    from sdedit.checkpoints.published import published_models

    rows = []
    for name, file in built_in_models().items():
        checkpoint = read_native(file)
        assert checkpoint.schedule is not None
        rows.append(
            {
                "name": name,
                "domain": checkpoint.card.get("domain", ""),
                "size": checkpoint.native_size,
                "sigma(0.5)": round(checkpoint.schedule.sigma(0.5), 3),
                "here": "built in",
                "licence": checkpoint.card.get("licence", ""),
            }
        )
    for model in published_models().values():
        here = "downloaded" if is_downloaded(model) else "no" if model.hub else "by hand"
        rows.append(
            {
                "name": model.name,
                "domain": model.domain,
                "size": model.size,
                "sigma(0.5)": round(model.schedule.sigma(0.5), 3),
                "here": here,
                "licence": model.licence,
            }
        )
    return rows
