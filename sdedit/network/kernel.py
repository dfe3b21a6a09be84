"""The compiled part of the network: group normalisation with SiLU on a CPU, `norm_silu.c`.

torch runs it as separate passes over memory, which on a CPU with fast convolutions take about as long as those. No
compiled code comes with sdedit: where there is a C compiler the kernel is compiled once, in under a second, and kept in
the user's cache; elsewhere torch does the same work.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

_SOURCE = Path(__file__).with_name("norm_silu.c")
_FUNCTIONS = {torch.float32: "norm_silu_float", torch.bfloat16: "norm_silu_bfloat16"}
_POINTERS, _SIZES = 5, 4
_COMPILE_SECONDS = 60


def norm_silu(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor | None:
    """silu(group_norm(x)), or group_norm(x) alone, computed in float32 with sums in float64.

    Args:
        x: (B, C, H, W) on a CPU.
        weight, bias: (C,), of the type of x.
        groups: number of groups of channels, which divides C.
        eps: what is added to the variance.
        silu: whether the activation follows.

    Returns:
        (B, C, H, W) like x; None where x is not float32 or bfloat16 in channels_last, or the machine has no compiler.
    """
    if x.dtype not in _FUNCTIONS or not x.is_contiguous(memory_format=torch.channels_last):
        return None
    library = _library()
    if library is None:
        return None
    batch, channels, height, width = x.shape
    threads = torch.get_num_threads()
    y = torch.empty_like(x)
    sums = torch.empty(batch * threads * 2 * channels, dtype=torch.float64)
    pointers = (tensor.data_ptr() for tensor in (x, y, weight, bias, sums))
    getattr(library, _FUNCTIONS[x.dtype])(*pointers, batch, height * width, channels, groups, eps, silu, threads)
    return y


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The compiled kernel, from the cache if it is there; None where it cannot be had."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(str(_compiled(compiler)))
        for name in _FUNCTIONS.values():
            function = getattr(library, name)
            function.argtypes = [ctypes.c_void_p] * _POINTERS + [ctypes.c_long] * _SIZES
            function.argtypes += [ctypes.c_float, ctypes.c_int, ctypes.c_int]
            function.restype = None
    except (OSError, AttributeError, subprocess.SubprocessError):
        return None  # no place to keep it, another compiler than the flags are for, or no OpenMP
    return library


def _compiled(compiler: str) -> Path:
    flags = ["-O3", "-march=native", "-ffast-math", "-fPIC", "-fopenmp"]
    if platform.machine() == "x86_64":
        flags.append("-mprefer-vector-width=512")
    # Not a second OpenMP beside torch's, whose waiting threads would be in the way.
    openmp = [str(file) for file in (Path(torch.__file__).parent / "lib").glob("libgomp*")] or ["-fopenmp"]
    # A home folder may be shared by machines with other processors.
    key = "\n".join([_SOURCE.read_text(), compiler, *flags, *openmp, torch.__version__, _processor()])
    name = f"norm-silu-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdedit"
    file = folder / name
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        compiled, linked = Path(work, "kernel.o"), Path(work, "kernel.so")
        _run(compiler, *flags, "-c", str(_SOURCE), "-o", str(compiled))
        # Linked without -ffast-math, with which gcc would change how the whole process rounds small numbers.
        _run(compiler, "-shared", str(compiled), *openmp, "-lm", "-o", str(linked))
        linked.replace(file)
    return file


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMPILE_SECONDS)


def _processor() -> str:
    """What the processor can do, as the kernel of the system tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
