"""Images a minute of the built-in model one by one and in batches, in one run, start-up excluded.

    python benchmarks/batching.py [--batch 8] [--rounds 5]

Paints the same 16 guides of 128 px by turns one by one and BATCH at once, and prints the median seconds of each.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from sdedit import Sampling, load_model, paint_files
from sdedit.diffusion.device import tune_allocator
from sdedit.io.tensors import to_image


def make_guides(folder: Path, count: int) -> None:
    """Blocks of random colours."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        blocks = torch.rand(3, 4, 4, generator=generator).repeat_interleave(32, 1).repeat_interleave(32, 2)
        to_image(blocks).save(folder / f"{number:02}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="landscapes-128")
    options = parser.parse_args()

    tune_allocator()
    model, sampling = load_model(options.model), Sampling("er-sde", 10, "karras")
    with tempfile.TemporaryDirectory() as folder:
        guides = Path(folder, "guides")
        make_guides(guides, 16)

        def seconds(at_once: int) -> float:
            with tempfile.TemporaryDirectory() as out:
                started = time.perf_counter()
                done = list(paint_files(guides, out, model=model, batch=at_once, sampling=sampling, seed=0))
                assert all(result.status == "painted" for result in done)
                return time.perf_counter() - started

        sizes = (1, options.batch)
        for at_once in sizes:
            seconds(at_once)  # warm
        rounds = [[seconds(at_once) for at_once in sizes] for _ in range(options.rounds)]
    one, many = map(statistics.median, zip(*rounds, strict=True))
    print(f"one by one {one:.2f} s, {options.batch} at once {many:.2f} s: {one / many:.2f} times the images a minute")


if __name__ == "__main__":
    main()
