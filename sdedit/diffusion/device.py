"""Settings of the process that runs networks. Set by the command, never by importing the library."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from sdedit.errors import SdeditError

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_MOST_ALGORITHMS = 6  # that are tried for a convolution
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def tune_allocator() -> None:
    """Make glibc reuse large blocks instead of returning them to the kernel and faulting them in again.

    Feature maps are large and short-lived: this about halves the time of a network evaluation on a CPU.
    Does nothing where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(_M_TOP_PAD, 256 << 20)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 on a device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def find_device(name: str) -> torch.device:
    """The device of a name: "auto", "cpu", "cuda", "cuda:N" or "mps". "auto" takes a GPU if there is one.

    Raises:
        SdeditError: if this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise SdeditError(f"there is no device {name}; use auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SdeditError(f"there is no device {name}: torch finds {torch.cuda.device_count()} CUDA devices here")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SdeditError("there is no device mps: torch finds no Metal here")
    return device


def find_dtype(device: torch.device, precision: str) -> torch.dtype:
    """The type a network's body runs in, for a precision of "auto", "fp32", "bf16" or "fp16".

    Raises:
        SdeditError: if there is no such precision.
    """
    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    try:
        return _PRECISIONS[precision]
    except KeyError as error:
        raise SdeditError(f"there is no precision {precision}; use auto, bf16, fp16 or fp32") from error


def precision_name(dtype: torch.dtype) -> str:
    """The name `find_dtype` knows a type by."""
    return next(name for name, known in _PRECISIONS.items() if known == dtype)


@contextmanager
def fastest_convolutions() -> Iterator[None]:
    """Have cuDNN try several algorithms for each new convolution, which takes seconds, and keep the fastest."""
    settings = torch.backends.cudnn
    before = settings.benchmark, settings.benchmark_limit
    settings.benchmark, settings.benchmark_limit = True, _MOST_ALGORITHMS
    try:
        yield
    finally:
        settings.benchmark, settings.benchmark_limit = before


def compile_network(network: nn.Module) -> None:
    """Have the network compiled at its first evaluation of each shape of input.

    Raises:
        SdeditError: if this machine has no compiler for the network's device.
    """
    on_cpu = next(network.parameters()).device.type == "cpu"
    if on_cpu and not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++", "c++", "cl")):
        raise SdeditError("--compile needs a C++ compiler, such as g++; install one, or leave --compile out")
    if not on_cpu and importlib.util.find_spec("triton") is None:
        raise SdeditError("--compile needs the package triton on a GPU; install it, or leave --compile out")
    network.compile(dynamic=False)


def synchronize(device: torch.device) -> None:
    """Return when the device has done all it was given; only then has time been measured."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory(device: torch.device) -> int | None:
    """The most memory used so far, in bytes: on a CPU that of the process, on a GPU that of its tensors.

    None where the system does not tell, as on Windows.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
