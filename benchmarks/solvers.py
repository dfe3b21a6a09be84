"""KID, L2 and seconds of samplers at several numbers of evaluations: the measurement behind the default.

    sdedit strokes VALIDATION --size 128 -o val-strokes
    python benchmarks/solvers.py val-strokes VALIDATION solvers.csv

One line of the table for each sampler, N, grid and seed, written as soon as it is measured. The same command again goes
on with what is missing, so that hours of it may be spread over days; a table belongs to one model.
"""

from __future__ import annotations

import csv
import time
from dataclasses import asdict
from pathlib import Path

import torch
from common import load_set, make_parser

from sdedit import Sampling, load_model
from sdedit.evaluation.curve import realism_curve

FEW, MANY = (10, 15, 20, 30, 50), (100, 250, 500)


def contestants() -> list[Sampling]:
    """Every sampler with few and many evaluations on its grid, and with 20 on the other one; cheap ones first.

    heun takes odd numbers only, one more than the even ones.
    """
    grids = {
        "er-sde": ("karras", "uniform"),
        "er-sde-churn": ("karras", "uniform"),
        "dpm-2m-sde": ("karras", "uniform"),
        "dpm-2m": ("karras",),
        "heun": ("karras",),
        "ancestral": ("uniform",),
        "euler-maruyama": ("uniform",),
    }
    rows = [
        Sampling(sampler, steps + (sampler == "heun" and steps % 2 == 0), grid)
        for sampler, its_grids in grids.items()
        for grid in its_grids
        for steps in (FEW + MANY if grid == its_grids[0] else (20,))
    ]
    return sorted(rows, key=lambda row: row.steps)


def main() -> None:
    parser = make_parser(__doc__, 400)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", default="landscapes-128")
    parser.add_argument("--device", default="cpu", help="as of sdedit paint; the table names it")
    parser.add_argument("--t0", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", metavar="SAMPLER,N,GRID", help="these instead of all")
    options = parser.parse_args()

    model = load_model(options.model, options.device)
    known = load_set(options, model)
    compared = known.guides, known.reference, known.extractor

    rows = contestants()
    if options.only:
        words = [word.split(",") for word in options.only]
        rows = [Sampling(sampler, int(steps), grid) for sampler, steps, grid in words]
    table: Path = options.table
    done = set()
    if table.exists():
        with table.open(newline="") as stream:
            for line in csv.DictReader(stream):
                if line["checksum"] != model.checksum[:12]:
                    parser.error(f"{table} is of another model")
                done.add((line["sampler"], int(line["steps"]), line["grid"], int(line["seed"])))
    for seed in range(options.seeds):
        for sampling in rows:
            if (sampling.sampler, sampling.steps, sampling.grid, seed) in done:
                continue
            started = time.perf_counter()
            # A million apart, so that no two images of two rows' seeds share their noise.
            (point,) = realism_curve(model, *compared, [options.t0], sampling, seed * 1_000_000)
            seconds = (time.perf_counter() - started) / len(known.guides)
            facts = {
                **asdict(sampling),
                "seed": seed,
                **{key: f"{value:.5g}" for key, value in asdict(point).items()},
                "seconds": f"{seconds:.4g}",
                "guides": len(known.guides),
                "features": known.extractor.name,
                "model": model.name,
                "checksum": model.checksum[:12],
                "device": torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else "CPU",
            }
            new = not table.exists()
            with table.open("a", newline="") as stream:
                writer = csv.DictWriter(stream, list(facts))
                if new:
                    writer.writeheader()
                writer.writerow(facts)
            print(*facts.values(), flush=True)


if __name__ == "__main__":
    main()
