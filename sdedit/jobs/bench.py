"""How fast a model is on a device: against the device's own convolutions, and against diffusers on the same weights."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from sdedit.checkpoints.formats.diffusers.write import export_diffusers
from sdedit.diffusion.device import peak_memory, precision_name, synchronize
from sdedit.diffusion.kernels import build, triton_ops
from sdedit.diffusion.ncsnpp import NCSNpp, NetworkConfig
from sdedit.diffusion.preconditioning import Preconditioning
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.images import working_size
from sdedit.jobs.bench_peers import peer

PEAK_SHAPES = ((256, 64), (256, 32), (128, 128))  # channels and side of the convolutions the peak is sought among
_PEERS = {"diffusers as shipped": "shipped", "diffusers with all settings": "tuned"}


def benchmark(
    model: ScoreModel, size: int | None, batch: int, repeats: int, with_diffusers: bool
) -> list[dict[str, Any]]:
    """Time evaluations of a model, interleaved with what they are compared with.

    Args:
        model: the score model, on its device.
        size: height and width in pixels; None is the native size.
        batch: images in an evaluation.
        repeats: evaluations of each contestant; medians are reported.
        with_diffusers: compare with UNet2DModel, in processes of its own: as it is shipped (float32), and with the
            allocator, bf16 and channels_last set as here.

    Returns:
        One row of facts for each contestant, sdedit first.

    Raises:
        SdeditError: if diffusers is not installed or has no such network, or the size cannot be painted.
    """
    side = size or model.native_size
    try:
        working_size((side, side), side)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    if side % model.size_multiple:
        raise SdeditError(f"{model.name} takes multiples of {model.size_multiple} px, not {side}")
    device = model.device
    x = torch.rand(batch, 3, side, side, device=device)
    sigma = torch.ones(1, device=device)

    def evaluate() -> float:
        started = time.perf_counter()
        model.denoise(x, sigma)
        synchronize(device)
        return time.perf_counter() - started

    with ExitStack() as stack, torch.inference_mode():
        contestants: dict[str, Callable[[], float]] = {"sdedit": evaluate}
        if with_diffusers:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sdedit-")))
            export_diffusers(model, folder)
            for name, settings in _PEERS.items():
                found = stack.enter_context(
                    peer("sdedit.jobs.bench_diffusers", folder / "unet", side, batch, device, settings)
                )
                if found is None:
                    raise SdeditError(
                        "diffusers does not run here; install it (pip install diffusers) or leave --diffusers out"
                    )
                contestants[name] = found.run
        evaluate()
        memory = peak_memory(device)  # before the convolutions that the peak is sought with
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        peaks = []
        for _ in range(repeats):
            for name, run in contestants.items():
                seconds[name].append(run())
            peaks.append(convolution_peak(device, model.dtype))
    own = statistics.median(seconds["sdedit"])
    work = operations(model.network.config, model.preconditioning, x.shape)
    rows: list[dict[str, Any]] = [
        {
            "contestant": name,
            "size": side,
            "batch": batch,
            "precision": precision_name(model.dtype) if name == "sdedit" else "",
            "s/evaluation": digits(statistics.median(times)),
            "times as long": digits(statistics.median(times) / own),
        }
        for name, times in seconds.items()
    ]
    rows[0] |= {
        "images/min": digits(60 * batch / (own * model.default_sampling.steps)),
        "GFLOP": digits(work / 1e9),
        "share of peak": digits(work / own / statistics.median(peaks)),
        "memory MB": "" if memory is None else round(memory / 1e6),
    }
    return rows


def warnings(device: torch.device) -> list[str]:
    """What a user should know of a device before numbers are believed: that it lacks what the kernels need."""
    if device.type == "cpu" and not build.is_available():
        return [
            "there is no C compiler (gcc) here, or no home folder to keep its work in: the network runs in "
            "torch alone, which is slower"
        ]
    if device.type == "cuda" and not triton_ops.is_available(device):
        return ["Triton cannot compile kernels for this GPU: the network runs in torch alone, which is slower"]
    return []


def operations(config: NetworkConfig, preconditioning: Preconditioning, shape: torch.Size) -> int:
    """Floating-point operations of an evaluation, counted on the meta device, where nothing is computed."""
    network = NCSNpp(config).to("meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        preconditioning.denoise(network, torch.empty(shape, device="meta"), torch.ones(1, device="meta"))
    return counter.get_total_flops()


def convolution_peak(device: torch.device, dtype: torch.dtype) -> float:
    """The most floating-point operations per second that 3 x 3 convolutions reach on this device now."""
    best = 0.0
    batch = 4 if device.type == "cpu" else 64  # what fills it
    for channels, side in PEAK_SHAPES:
        x = torch.randn(batch, channels, side, side, device=device).to(dtype, memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
        F.conv2d(x, weight, padding=1)
        for _ in range(2):
            started = time.perf_counter()
            F.conv2d(x, weight, padding=1)
            synchronize(device)
            work = 2 * weight.numel() * len(x) * side**2
            best = max(best, work / (time.perf_counter() - started))
    return best


def digits(value: float) -> float:
    """A number rounded to three digits."""
    return float(f"{value:.3g}")
