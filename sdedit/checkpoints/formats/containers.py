"""Plain content out of the files torch and safetensors write; every tensor a view of the mapped file."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import safetensors
import torch

from sdedit.checkpoints.formats.detect import Kind, detect
from sdedit.checkpoints.formats.pickles import read_legacy_torch
from sdedit.errors import SdeditError
from sdedit.io.files import reason


def read_content(path: Path, kind: Kind) -> Any:
    """What a file of weights holds: for safetensors a mapping of names to tensors, for torch files what was saved.

    Raises:
        SdeditError: if the file is damaged, or holds anything but tensors and plain data.
    """
    if kind == "safetensors":
        return read_safetensors(path)[1]
    if kind == "torch legacy":
        return read_legacy_torch(path)
    if kind == "torch zip":
        return _read_torch_zip(path)
    raise SdeditError(f"{path} is a plain pickle, not a file of weights")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """A file that holds tensors by name and nothing else.

    Raises:
        SdeditError: if it holds something else.
    """
    return only_tensors(path, read_content(path, detect(path)))


def only_tensors(path: Path, content: Any) -> dict[str, torch.Tensor]:
    """`content` if it is a mapping of names to tensors.

    Raises:
        SdeditError: if it is not.
    """
    if not isinstance(content, dict) or not content:
        raise SdeditError(f"{path} holds no weights by name")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise SdeditError(f"{path} holds something else among its weights, under the name {str(name)[:80]!r}")
        if tensor.device.type != "cpu" or tensor.layout != torch.strided:
            raise SdeditError(f"{path} holds tensor {name[:80]} in a form that sdedit does not read")
    return dict(content)


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and tensors of a safetensors file.

    Raises:
        SdeditError: if it is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except safetensors.SafetensorError as error:
        raise SdeditError(f"{path} is not a complete safetensors file; download it again: {error}") from error


def _read_torch_zip(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        # torch's own sentence advises to switch this protection off.
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"asks for {name[1]}, which no checkpoint needs" if name else "is damaged or holds more than plain data"
        raise SdeditError(f"{path} {what}: it may be hostile, and nothing in it was run") from error
    # torch raises almost anything on damaged files.
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError) as error:
        raise SdeditError(f"{path} is damaged or cut short; download it again: {error}") from error
