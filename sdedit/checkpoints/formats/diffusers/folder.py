"""The folder of a model: where its configuration, its weights and its scheduler are.

Flat (config.json beside the weights, scheduler_config.json) as the published ones are, or with unet/ and scheduler/ as
newer pipelines are saved. The weights are safetensors or, failing that, a torch file; either may come in parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sdedit.errors import SdeditError
from sdedit.io.files import is_file, is_folder

WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
INDEX = ".index.json"
_MOST_JSON = 1 << 20


def network_folder(folder: Path) -> Path:
    """Where in a model's folder the network is.

    Raises:
        SdeditError: if there is none.
    """
    for place in (folder, folder / "unet"):
        if is_file(place / "config.json"):
            return place
    raise SdeditError(f"{folder} is a folder without a model: it has no config.json and no unet/config.json")


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights in a folder: one, or the parts that an index file lists.

    Raises:
        SdeditError: if there are none, or the index names a file outside the folder.
    """
    for name in WEIGHTS:
        if is_file(folder / name):
            return [folder / name]
        index = read_json(folder / (name + INDEX))
        if index is not None:
            return [folder / part for part in index_parts(folder / (name + INDEX), index)]
    raise SdeditError(f"{folder} has a config.json but no weights; it lacks {WEIGHTS[0]}")


def index_parts(file: Path, index: Mapping[str, Any]) -> list[str]:
    """The names of the files that an index lists.

    Raises:
        SdeditError: if one is not a plain name: an index could reach into any folder.
    """
    listed = index.get("weight_map")
    names = set(map(str, listed.values())) if isinstance(listed, dict) else set()
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*\.(safetensors|bin)", name):
            raise SdeditError(f"{file} names weights outside its folder, {name[:80]!r}; it may be hostile")
    if not names:
        raise SdeditError(f"{file} is no index of weights")
    return sorted(names)


def scheduler_files(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The scheduler's file beside the weights or in scheduler/ beside their folder, and what it says."""
    for file in (folder / "scheduler_config.json", folder.parent / "scheduler" / "scheduler_config.json"):
        options = read_json(file)
        if options is not None:
            yield file, options


def check_class(file: Path, options: Mapping[str, Any]) -> None:
    """Refuse a config.json of another network.

    Raises:
        SdeditError: naming what it is.
    """
    if options.get("_class_name", "UNet2DModel") != "UNet2DModel":
        raise SdeditError(f"{file} describes a {str(options['_class_name'])[:60]}; sdedit reads UNet2DModel")


def refuse_latent(path: Path, folder: Path) -> None:
    """Refuse a pipeline whose network paints in the space of an autoencoder: that may have three channels too.

    Raises:
        SdeditError: if the files beside `folder`, where the network is, say so; it names `path`.
    """
    whole = folder.parent if folder.name == "unet" else folder
    index = read_json(whole / "model_index.json") or {}
    if {"vae", "vqvae"} & index.keys() or any(is_folder(whole / part) for part in ("vae", "vqvae")):
        raise SdeditError(
            f"{path} is a latent diffusion pipeline, in the space of an autoencoder; sdedit paints with "
            "models of images"
        )


def read_json(file: Path) -> dict[str, Any] | None:
    """The table in a JSON file; None if there is no such file.

    Raises:
        SdeditError: if it is no JSON, no table, or larger than 1 MB.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_JSON + 1)
    except OSError:
        return None
    try:
        table = json.loads(data) if len(data) <= _MOST_JSON else None
    except (ValueError, RecursionError) as error:
        raise SdeditError(f"{file} is damaged: it is not JSON") from error
    if not isinstance(table, dict):
        raise SdeditError(f"{file} is not the small table that a model's folder has")
    return table
