"""Weights within a file that holds more: which of the mappings in it is the network, and which its moving average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.errors import SdeditError

_AVERAGES = (
    "ema",
    "ema_model",
    "model_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "ema_model_state_dict",
    "params_ema",
)
_NETWORKS = ("model", "state_dict", "model_state_dict", "net", "network", "unet", "module", "params", "weights")


@dataclass(frozen=True)
class Found:
    """What of a file is the network.

    Attributes:
        content: tensors by name; the whole file where it is nothing else.
        weights: "EMA" or "raw", or empty where that is not said.
        notes: sentences on what was assumed.
    """

    content: Any
    weights: str = ""
    notes: tuple[str, ...] = ()


def find_network(path: Path, content: Any, raw_weights: bool) -> Found:
    """The network in what a file holds, by the names that trainings give it.

    Raises:
        SdeditError: if there are several mappings of weights, and their names do not tell which is meant.
    """
    if not isinstance(content, dict):
        return Found(content)
    sets = {name: value for name, value in content.items() if _is_weights(value)}
    if not sets or any(isinstance(value, Tensor) for value in content.values()):
        return Found(content)
    averages, networks = ([name for name in known if name in sets] for known in (_AVERAGES, _NETWORKS))
    if averages and not raw_weights:
        return Found(sets[averages[0]], "EMA")
    if not networks and len(sets) == 1 and not averages:
        networks = list(sets)
    if len(networks) != 1:
        raise SdeditError(
            f"{path} holds several sets of weights ({', '.join(map(str, sets))[:80]}), and which is the network cannot "
            "be told; save it alone"
        )
    nameless = [name for name in _AVERAGES if name in content and name not in sets]
    told = [f"its moving average, {name}, is not in a form that is read, so the network is taken" for name in nameless]
    weights = "raw" if averages or nameless else ""
    return Found(sets[networks[0]], weights, () if raw_weights else tuple(told[:1]))


def _is_weights(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )
