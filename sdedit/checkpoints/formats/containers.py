"""Plain content out of the files torch and safetensors write; every tensor a view of the mapped file."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import torch

from sdedit.checkpoints.formats.detect import Kind, detect
from sdedit.checkpoints.formats.pickles import read_legacy_torch, read_torch_zip
from sdedit.errors import SdeditError
from sdedit.io.files import reason

_LENGTHS_AT = 26  # bytes into an entry's header, of the lengths of its name and of its extra field


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
    """`content` if it is a mapping of names to tensors, their names without what wrappers add.

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
    named = {plain_name(name): tensor for name, tensor in content.items()}
    if len(named) < len(content):
        raise SdeditError(f"{path} holds some weights twice, under names with and without what a wrapper adds")
    return named


def plain_name(name: str) -> str:
    """A tensor's name without what torch.compile ("_orig_mod.") and parallel training ("module.") put before it."""
    return name.replace("_orig_mod.", "").removeprefix("module.")


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
    except pickle.UnpicklingError:
        # torch refuses options and counters, too, and advises to switch this protection off. They are read as data.
        return read_torch_zip(path, _places(path))
    # torch raises almost anything on damaged files.
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError) as error:
        raise SdeditError(f"{path} is damaged or cut short; download it again: {error}") from error


def _places(path: Path) -> dict[str, tuple[int, int]]:
    """Where the content of each file in an archive that packs nothing begins and ends, by its name.

    Raises:
        SdeditError: if the archive is damaged.
    """
    places = {}
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            for entry in archive.infolist():
                file.seek(entry.header_offset + _LENGTHS_AT)
                start = entry.header_offset + _LENGTHS_AT + 4 + sum(struct.unpack("<HH", file.read(4)))
                places[entry.filename] = (start, start + entry.file_size)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise SdeditError(f"{path} is damaged or cut short; download it again: {error}") from error
    return places
