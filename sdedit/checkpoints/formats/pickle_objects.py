"""What the calls in a pickle make: tensors and plain containers, and records of everything else that is on a list.

Every name a pickle asks for must be on the list, and even those never become the real function or class: they stand for
a few lines here.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What pickles mention besides tensors, EDM's first. Instances become a `Record`; a network is found in their state.
_RECORDED = {
    "torch_utils.persistence._reconstruct_persistent_obj",
    "torch.nn.modules.container.ModuleDict",
    "torch.nn.modules.container.ModuleList",
    "torch.nn.modules.container.Sequential",
    "torch.device",
    "torch.Size",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "_codecs.encode",
    # What trainings keep beside their weights: options, paths, counters.
    "argparse.Namespace",
    "types.SimpleNamespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "builtins.set",
    "__builtin__.set",
}
_TABLES = {"dnnlib.util.EasyDict", "easydict.EasyDict", "collections.defaultdict", "collections.Counter"}


@dataclass(frozen=True)
class Name:
    """A function or class that a pickle asked for; never the thing itself."""

    name: str


@dataclass
class Record:
    """An object that was not made: the name it asked for, its arguments and its state."""

    name: str
    arguments: Any
    state: Any = None


@dataclass
class Storage:
    """The numbers of one or more tensors; `data` is unknown until the place in the file has been found."""

    dtype: torch.dtype
    count: int
    data: memoryview | None = None


class RefusedError(Exception):
    """A pickle asked for a name that is not on the list."""


def storage_type(value: Any) -> torch.dtype | None:
    """The type of the numbers in a storage of a named kind; None for anything else."""
    return _DTYPES.get(value.name.removeprefix("torch.")) if isinstance(value, Name) else None


def rebuild(function: Any, arguments: Any, read_bytes: Callable[[memoryview], Any]) -> Any:
    """What calling `function` would have made, for the few functions that tensors and containers need.

    Args:
        function: what the pickle calls.
        arguments: with which arguments.
        read_bytes: reads a torch file of the format before version 1.6, which storages can be saved as.

    Raises:
        RefusedError: if it is on no list.
    """
    name = function.name if isinstance(function, Name) else type(function).__name__
    if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
        return _tensor(*arguments[:4])
    if name == "torch._utils._rebuild_parameter":
        return arguments[0]
    if name == "torch.storage._load_from_bytes":
        return read_bytes(memoryview(bytearray(arguments[0]) if isinstance(arguments[0], bytes) else arguments[0]))
    if name == "collections.OrderedDict":
        return OrderedDict(*arguments)
    return instance(function, arguments)


def instance(cls: Any, arguments: Any) -> Any:
    """What making an instance of `cls` leaves: a table, or a record of it; errors as of `rebuild`."""
    name = cls.name if isinstance(cls, Name) else type(cls).__name__
    if name in _TABLES:
        return {}
    if name == "collections.OrderedDict":
        return OrderedDict()
    if name not in _RECORDED:
        raise RefusedError(name)
    return Record(name, arguments)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor | None:
    """A view of a storage, or None while the storage's place in the file is unknown."""
    if not isinstance(storage, Storage) or len(size) != len(stride):
        raise pickle.UnpicklingError("it has a tensor without numbers")
    if any(type(number) is not int or number < 0 for number in (offset, *size, *stride)):
        raise pickle.UnpicklingError("it has a tensor of impossible shape")
    if storage.data is None:
        return None
    if 0 in size:
        return torch.empty(size, dtype=storage.dtype)
    if offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) >= storage.count:
        raise pickle.UnpicklingError("it has a tensor larger than its numbers")
    return torch.frombuffer(storage.data, dtype=storage.dtype).as_strided(size, stride, offset)
