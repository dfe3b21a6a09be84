"""The compiled part of the network: group normalisation with SiLU on a CPU, `norm_silu.c`.

torch runs it as separate passes over memory, which on a CPU with fast convolutions take about as long as those. No
compiled code comes with sdedit: where there is a C compiler the kernel is compiled once, in about a second, and kept in
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
from typing import Any

import torch
from torch import Tensor

_SOURCE = Path(__file__).with_name("norm_silu.c")
_TYPES = {torch.float32: "float", torch.bfloat16: "bfloat16"}
_COMPILE_SECONDS = 60


def is_available() -> bool:
    """Whether the kernel is compiled or can be, which is tried now."""
    return _library() is not None


def takes(x: Tensor) -> bool:
    """Whether there is a kernel for x (B, C, H, W): on a CPU, in channels_last, float32 or bfloat16."""
    return (
        x.device.type == "cpu"
        and x.dtype in _TYPES
        and x.is_contiguous(memory_format=torch.channels_last)
        and is_available()
    )


def norm_silu(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
    """silu(group_norm(x)), or group_norm(x) alone, computed in float32 with sums in float64; it has gradients.

    Args:
        x: (B, C, H, W) that `takes` accepts.
        weight, bias: (C,).
        groups: number of groups of channels, which divides C.
        eps: what is added to the variance.
        silu: whether the activation follows.

    Returns:
        (B, C, H, W) like x.
    """
    if torch.is_grad_enabled():
        return _NormSilu.apply(x, weight.float(), bias.float(), groups, eps, silu)
    return _forward(x, weight.float(), bias.float(), groups, eps, silu)[0]


class _NormSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
        y, statistics = _forward(x, weight, bias, groups, eps, silu)
        ctx.save_for_backward(x, weight, bias, statistics)
        ctx.silu = silu
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, statistics = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx, sums = torch.empty_like(x), _sums(x)
        _call("norm_silu_gradient", (x, dy, dx, weight, bias, statistics, sums), statistics.shape[1], ctx.silu)
        d_bias, d_weight = sums.sum(dim=(0, 1)).float()
        return dx, d_weight, d_bias, None, None, None


def _forward(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> tuple[Tensor, Tensor]:
    y, statistics = torch.empty_like(x), torch.empty(len(x), groups, 2)
    _call("norm_silu", (x, y, weight, bias, statistics, _sums(x)), groups, ctypes.c_float(eps), silu)
    return y, statistics


def _sums(x: Tensor) -> Tensor:
    return torch.empty(len(x), torch.get_num_threads(), 2, x.shape[1], dtype=torch.float64)


def _call(name: str, tensors: tuple[Tensor, ...], groups: int, *options: Any) -> None:
    """Run a function of norm_silu.c, whose arguments are pointers, sizes, options and the number of threads."""
    x = tensors[0]
    pointers = (ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors)
    batch, channels, height, width = x.shape
    sizes = (ctypes.c_long(size) for size in (batch, height * width, channels, groups))
    function = getattr(_library(), f"{name}_{_TYPES[x.dtype]}")
    function(*pointers, *sizes, *options, torch.get_num_threads())


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The compiled kernel, from the cache if it is there; None where it cannot be had."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler)))
    except (OSError, RuntimeError, subprocess.SubprocessError):
        return None  # no place or no home to keep it in, another compiler than the flags are for, or no OpenMP


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
