"""The compiled parts of the network: the C sources of this folder, for a CPU.

No compiled code comes with sdedit: where there is a C compiler each source is compiled once, in about a second, and
kept in the user's cache; elsewhere torch does the same work, more slowly.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_KERNELS = ("group_norm_silu", "winograd")
_COMPILE_SECONDS = 60


def is_available() -> bool:
    """True if every C kernel is, or can be, compiled here."""
    return all(library(name) for name in _KERNELS)


@functools.cache
def library(name: str) -> ctypes.CDLL | None:
    """The functions of NAME.c, from the cache if they are there; None where they cannot be had."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(str(_compiled(Path(__file__).with_name(f"{name}.c"), compiler)))
    except (OSError, RuntimeError, subprocess.SubprocessError):
        return None  # no place or no home to keep it in, another compiler than the flags are for, or no OpenMP


def call(function: Any, tensors: Sequence[Tensor], sizes: Sequence[int], *options: Any) -> None:
    """Run a compiled function, whose arguments are pointers, sizes (long), options and the number of threads (int)."""
    pointers = (ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors)
    function(*pointers, *map(ctypes.c_long, sizes), *options, torch.get_num_threads())


def _compiled(source: Path, compiler: str) -> Path:
    flags = ["-O3", "-march=native", "-ffast-math", "-fPIC", "-fopenmp"]
    if platform.machine() == "x86_64":
        flags.append("-mprefer-vector-width=512")
    # Not a second OpenMP beside torch's, whose waiting threads would be in the way.
    openmp = [str(file) for file in (Path(torch.__file__).parent / "lib").glob("libgomp*")] or ["-fopenmp"]
    # A home folder may be shared by machines with other processors.
    key = "\n".join([source.read_text(), compiler, *flags, *openmp, torch.__version__, _processor()])
    name = f"{source.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdedit"
    file = folder / name
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        compiled, linked = Path(work, "kernel.o"), Path(work, "kernel.so")
        _run(compiler, *flags, "-c", str(source), "-o", str(compiled))
        # Linked without -ffast-math, with which gcc would change how the whole process rounds small numbers.
        _run(compiler, "-shared", str(compiled), *openmp, "-lm", "-o", str(linked))
        linked.replace(file)
    return file


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMPILE_SECONDS)


def _processor() -> str:
    """The instruction sets of the processor, as the operating system lists them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
