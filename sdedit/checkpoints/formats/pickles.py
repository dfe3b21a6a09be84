"""Pickles read as data: tensors and plain containers are rebuilt, everything else is recorded, nothing is ever called.

`pickle_objects` says what comes of each call. Tensors are views of the mapped file, so a size that lies finds no bytes
instead of taking memory.
"""

from __future__ import annotations

import mmap
import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from sdedit.checkpoints.formats.detect import MOST_STRUCTURE
from sdedit.checkpoints.formats.pickle_objects import (
    Name,
    Record,
    RefusedError,
    Storage,
    instance,
    rebuild,
    storage_type,
)
from sdedit.errors import SdeditError
from sdedit.io.files import reason

_LARGE_BLOCK = 4096
_LARGEST_FRAME = 1 << 20
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_DAMAGE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class _Source:
    """A block of bytes read in order: small pieces are copied, large ones are views."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.position = 0
        self.copied = 0

    def read(self, size: int) -> bytes | memoryview:
        piece = self.view[self.position : self.position + size]
        self.position += len(piece)
        return piece if len(piece) > _LARGE_BLOCK else self._copy(piece)

    def readline(self) -> bytes:
        ahead = bytes(self.view[self.position : self.position + _LARGE_BLOCK])
        line = ahead[: ahead.find(b"\n") + 1]
        self.position += len(line)
        return self._copy(memoryview(line))

    def _copy(self, piece: memoryview) -> bytes:
        # A byte of a pickle can cost fifty of memory.
        self.copied += len(piece)
        if self.copied > MOST_STRUCTURE:
            raise pickle.UnpicklingError("it has more structure than any checkpoint")
        return bytes(piece)


class _Unpickler(pickle._Unpickler):
    """The pickle machine of the standard library with every way out of it closed.

    The one written in Python, as its table of operations can be cut down and its memo cannot be made to take memory.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, source: _Source, storages: dict[str, Storage]) -> None:
        super().__init__(source)  # type: ignore[arg-type]
        self.source = source
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        return Name(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Storage:
        kind, named, key, _, count, *view = pid
        dtype = storage_type(named)
        if kind != "storage" or dtype is None or type(count) is not int or count < 0 or any(view):
            raise pickle.UnpicklingError("it refers to something that is no block of numbers")
        return self.storages.setdefault(str(key), Storage(dtype, count))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()  # type: ignore[attr-defined]
        self.stack[-1] = rebuild(self.stack[-1], arguments, _legacy_torch)  # type: ignore[attr-defined]

    def load_newobj(self) -> None:
        arguments = self.stack.pop()  # type: ignore[attr-defined]
        self.stack[-1] = instance(self.stack[-1], arguments)  # type: ignore[attr-defined]

    def load_build(self) -> None:
        state = self.stack.pop()  # type: ignore[attr-defined]
        target = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(target, Record):
            target.state = state
        elif not isinstance(target, (OrderedDict, Tensor)):
            raise pickle.UnpicklingError("it sets the state of something that has none")

    def load_frame(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined]
        if size > _LARGEST_FRAME:
            raise pickle.UnpicklingError("it has a frame larger than any writer makes")
        self._unframer.load_frame(size)  # type: ignore[attr-defined]

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.FRAME[0]] = load_frame
    # Instances by other ways, the extension registry, and buffers whose size is believed before it is read.
    for _operation in (
        pickle.INST,
        pickle.OBJ,
        pickle.NEWOBJ_EX,
        pickle.EXT1,
        pickle.EXT2,
        pickle.EXT4,
        pickle.BYTEARRAY8,
        pickle.NEXT_BUFFER,
        pickle.READONLY_BUFFER,
    ):
        del dispatch[_operation[0]]


def read_pickle(path: Path) -> Any:
    """The content of a plain pickle, such as NVlabs publishes, as data.

    Raises:
        SdeditError: if the file is damaged or asks for a name that no checkpoint needs.
    """
    return _read(path, lambda view: _Unpickler(_Source(view), {}).load())


def read_legacy_torch(path: Path) -> Any:
    """The content of a file in the torch format before version 1.6, its tensors views of the mapped file.

    Raises:
        SdeditError: if the file is damaged or asks for a name that no checkpoint needs.
    """
    return _read(path, _legacy_torch)


def read_torch_zip(path: Path, entries: Mapping[str, tuple[int, int]]) -> Any:
    """The content of a file in the torch format since version 1.6, its tensors views of the mapped file.

    Args:
        path: the file.
        entries: where the content of each of the archive's files begins and ends, by its name.

    Raises:
        SdeditError: if the file is damaged or asks for a name that no checkpoint needs.
    """
    return _read(path, lambda view: _torch_zip(view, entries))


def map_file(path: Path) -> memoryview:
    """The bytes of a file, not read until they are used; writing to them would not reach the file.

    Raises:
        SdeditError: if it cannot be read or is empty.
    """
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except OSError as error:
        raise SdeditError(f"cannot read {path}: {reason(error)}") from error
    except ValueError as error:
        raise SdeditError(f"{path} is empty; download it again") from error


def _read(path: Path, parse: Any) -> Any:
    try:
        return parse(map_file(path))
    except RefusedError as error:
        raise SdeditError(
            f"{path} asks for {error}, which no checkpoint needs: it may be hostile, and nothing in it was run"
        ) from error
    except _DAMAGE as error:
        raise SdeditError(f"{path} is damaged, cut short, or not a checkpoint: {error}") from error


def _legacy_torch(view: memoryview) -> Any:
    """Magic number, protocol, system, content, keys of the storages, and then for each its length and its numbers."""
    source = _Source(view)
    storages: dict[str, Storage] = {}
    magic, _, system = (_Unpickler(source, {}).load() for _ in range(3))
    if magic != _TORCH_MAGIC or (isinstance(system, dict) and not system.get("little_endian", True)):
        raise pickle.UnpicklingError("it is not of this kind")
    start = source.position
    _Unpickler(source, storages).load()  # a first time, for the storages and for where it ends
    for key in _Unpickler(source, {}).load():
        storage = storages[str(key)]
        (count,) = struct.unpack("<q", source.read(8))
        size = count * storage.dtype.itemsize
        storage.data = source.view[source.position : source.position + size]
        if count != storage.count or len(storage.data) != size:
            raise pickle.UnpicklingError("it ends before its numbers do")
        source.position += size
    source.position = start
    return _Unpickler(source, storages).load()


def _torch_zip(view: memoryview, entries: Mapping[str, tuple[int, int]]) -> Any:
    """`data.pkl` with the content, and the numbers of the storage K in `data/K` beside it."""
    (name,) = [name for name in entries if name.rpartition("/")[2] == "data.pkl"]
    folder = name.removesuffix("data.pkl")
    if f"{folder}byteorder" in entries and bytes(view[slice(*entries[f"{folder}byteorder"])]) != b"little":
        raise pickle.UnpicklingError("its numbers are big-endian")
    storages: dict[str, Storage] = {}
    _Unpickler(_Source(view[slice(*entries[name])]), storages).load()  # a first time, for the storages
    for key, storage in storages.items():
        storage.data = view[slice(*entries[f"{folder}data/{key}"])]
        if len(storage.data) != storage.count * storage.dtype.itemsize:
            raise pickle.UnpicklingError("it ends before its numbers do")
    return _Unpickler(_Source(view[slice(*entries[name])]), storages).load()
