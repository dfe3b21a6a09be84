"""What bf16 costs: the same guides with the same noise in float32 and in bf16.

sdedit strokes VALIDATION --size 128 -o val-strokes
python benchmarks/precision.py val-strokes VALIDATION precision.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sdedit import load_model
from sdedit.evaluation.curve import paint_guides
from sdedit.evaluation.faithfulness import l2
from sdedit.evaluation.features import load_extractor
from sdedit.evaluation.realism import kid
from sdedit.quality import Sampling
from sdedit.runtime import keep_freed_memory
from sdedit.sweeping import write_table
from sdedit.training.data import centre_squares, load_photographs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guides", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--limit", type=int, default=40, help="guides, evenly spread over all")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--t0", type=float, default=0.5)
    options = parser.parse_args()

    keep_freed_memory()
    sampling = Sampling("er-sde", options.steps, "karras")
    rows, pictures = [], {}
    for precision in ("fp32", "bf16"):
        model = load_model(precision=precision)
        guides = centre_squares(load_photographs(options.guides, model.native_size)[0], model.native_size)
        count = min(options.limit, len(guides))
        guides = guides[[index * len(guides) // count for index in range(count)]]
        extractor = load_extractor("efficientnet-lite0", model.device)
        reference = extractor(
            centre_squares(load_photographs(options.photographs, model.native_size)[0], model.native_size)
        )
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
                "guides": count,
                "steps": options.steps,
            }
            print(*facts.values(), flush=True)
            rows.append(facts)
    write_table(options.table, rows)


if __name__ == "__main__":
    main()
