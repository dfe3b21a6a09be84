"""Pictures a minute of the built-in model one by one and in batches, in one run, start-up excluded.

    python benchmarks/batching.py [BATCH] [ROUNDS]

Paints the same 16 guides of 128 px by turns with --batch 1 and --batch BATCH, and prints the median seconds of each.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

import sdedit
from sdedit.diffusion.device import tune_allocator
from sdedit.io.tensors import to_image

batch = int(sys.argv[1]) if len(sys.argv) > 1 else 8
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
tune_allocator()
model = sdedit.load_model(precision="auto")
with tempfile.TemporaryDirectory() as folder:
    guides = Path(folder, "guides")
    guides.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(16):
        blocks = torch.rand(3, 4, 4, generator=generator).repeat_interleave(32, 1).repeat_interleave(32, 2)
        to_image(blocks).save(guides / f"{number:02}.png")

    def seconds(at_once: int) -> float:
        with tempfile.TemporaryDirectory() as out:
            started = time.perf_counter()
            done = list(sdedit.paint_files(guides, out, model=model, batch=at_once, steps=10, sampler="er-sde", seed=0))
            assert all(result.status == "painted" for result in done)
            return time.perf_counter() - started

    for at_once in (1, batch):
        seconds(at_once)  # warm
    times: dict[int, list[float]] = {1: [], batch: []}
    for _ in range(rounds):
        for at_once, taken in times.items():
            taken.append(seconds(at_once))
one, many = (statistics.median(taken) for taken in times.values())
print(f"one by one {one:.2f} s, {batch} at once {many:.2f} s: {one / many:.2f} times the pictures a minute")
