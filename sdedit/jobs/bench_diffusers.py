"""diffusers' UNet2DModel in a process of its own, so that it runs with the process settings it is shipped with.

    python -m sdedit.jobs.bench_diffusers FOLDER SIZE BATCH DEVICE shipped|tuned

writes {}, then answers each line it reads with the seconds of one evaluation.
"""

from __future__ import annotations

import sys
import time

import torch
from diffusers import UNet2DModel
from diffusers.utils import logging

from sdedit.diffusion.device import has_fast_bf16, synchronize, tune_allocator


def main(folder: str, size: int, batch: int, device_name: str, settings: str) -> None:
    """Evaluate on request; `tuned` gives the network every setting that needs no change to its code."""
    logging.set_verbosity_error()
    device = torch.device(device_name)
    network = UNet2DModel.from_pretrained(folder).to(device).eval()
    x = torch.randn(batch, 3, size, size, device=device)
    sigma = torch.ones(batch, device=device)
    tuned = settings == "tuned"
    if tuned:
        tune_allocator()
        network = network.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, tuned and has_fast_bf16(device)):
        network(x, sigma)
        print("{}", flush=True)
        for _ in sys.stdin:
            started = time.perf_counter()
            network(x, sigma)
            synchronize(device)
            print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
