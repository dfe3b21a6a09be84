"""What bf16 costs: the same guides with the same noise in float32 and in bf16.

sdedit strokes VALIDATION --size 128 -o val-strokes
python benchmarks/precision.py val-strokes VALIDATION precision.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sdedit import load_model
from sdedit.diffusion.device import tune_allocator
from sdedit.diffusion.samplers import Sampling
from sdedit.evaluation.curve import paint_guides
from sdedit.evaluation.distances import l2
from sdedit.evaluation.features import load_extractor
from sdedit.evaluation.kid import kid
from sdedit.io.photographs import load_squares
from sdedit.io.writing import write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guides", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--limit", type=int, default=40, help="guides, evenly spread over all")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--t0", type=float, default=0.5)
    options = parser.parse_args()

    tune_allocator()
    sampling = Sampling("er-sde", options.steps, "karras")
    models = {precision: load_model(precision=precision) for precision in ("fp32", "bf16")}
    size, device = models["fp32"].native_size, models["fp32"].device
    guides, _ = load_squares(options.guides, size, options.limit)
    photographs, _ = load_squares(options.photographs, size)
    extractor = load_extractor("efficientnet-lite0", device)
    reference = extractor(photographs)
    rows, pictures = [], {}
    for precision, model in models.items():
        for seed in (0, 1_000_000):
            painted = paint_guides(model, guides, options.t0, sampling, seed)
            pictures[precision, seed] = painted
            value, error = kid(extractor(painted), reference)
            difference = (painted - pictures["fp32", seed]).abs().mean() * 255
            facts = {
                "precision": precision,
                "seed": seed,
                "kid": value,
                "kid_error": error,
                "l2": float(l2(painted, guides).mean()),
                "mean difference from fp32, of 255": float(difference),
                "t0": options.t0,
                "guides": len(guides),
                "steps": options.steps,
            }
            print(*facts.values(), flush=True)
            rows.append(facts)
    write_table(options.table, rows)


if __name__ == "__main__":
    main()
