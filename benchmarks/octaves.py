"""How much there is in each octave of images: what paintings lack beside photographs, and what they have too much of.

    python benchmarks/octaves.py FOLDER_OR_TAR ... [--size 256] [--limit N]

For each, in units of [0, 1]: the octave's root mean square, and that of windows of 8 x 8 of its pixels at the 10th,
50th and 90th percentile, from flat to busy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sdedit.diffusion.octaves import double, halve
from sdedit.io.photographs import load_squares

OCTAVES = 5
WINDOW = 8
PERCENTILES = (0.1, 0.5, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER_OR_TAR", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    print(f"{'images':24} {'px':>5} {'rms':>7}" + "".join(f"{f'{100 * p:.0f} %':>8}" for p in PERCENTILES))
    for folder in given.folders:
        images, _ = load_squares(folder, given.size, given.limit)
        for octave in range(OCTAVES):
            coarse = halve(images)
            rms, local = measure(images - double(coarse))
            print(f"{folder.name:24} {2**octave:5} {rms:7.4f}" + "".join(f"{value:8.4f}" for value in local))
            images = coarse


def measure(band: Tensor) -> tuple[float, list[float]]:
    """The root mean square of an octave (N, C, H, W), and the percentiles of that of its windows."""
    power = band.square().mean(dim=1, keepdim=True)
    local = F.avg_pool2d(power, WINDOW).sqrt().flatten()
    return float(power.mean().sqrt()), torch.quantile(local, torch.tensor(PERCENTILES)).tolist()


if __name__ == "__main__":
    main()
