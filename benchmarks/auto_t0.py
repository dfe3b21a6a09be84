"""Does --t0 auto beat a fixed t0? KID and L2 of guides painted at their own suggestion, and all at one t0.

    sdedit strokes VALIDATION --size 128 -o val-strokes
    python benchmarks/auto_t0.py val-strokes VALIDATION auto-t0.csv

The fixed values are 0.5 and the mean suggestion, which spends as much noise as the suggestions do, evenly.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from sdedit import load_model, paint
from sdedit.diffusion.device import tune_allocator
from sdedit.diffusion.samplers import DEFAULT
from sdedit.evaluation.curve import paint_guides
from sdedit.evaluation.distances import l2, rmse
from sdedit.evaluation.features import load_extractor
from sdedit.evaluation.kid import kid
from sdedit.io.photographs import load_squares
from sdedit.io.writing import write_table
from sdedit.pipelines.auto_t0 import suggest_t0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guides", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--limit", type=int, default=400, help="guides, evenly spread over all")
    options = parser.parse_args()

    tune_allocator()
    model = load_model()
    guides, _ = load_squares(options.guides, model.native_size, options.limit)
    photographs, _ = load_squares(options.photographs, model.native_size)
    count = len(guides)
    extractor = load_extractor("efficientnet-lite0", model.device)
    reference = extractor(photographs)

    suggested = [suggest_t0(model, guide) for guide in guides]
    mean = sum(suggested) / count
    own = [paint(model, guide, t0, seed=index) for index, (guide, t0) in enumerate(zip(guides, suggested, strict=True))]
    rows = []
    for name, painted in (
        ("auto", torch.stack(own)),
        ("mean suggestion", paint_guides(model, guides, mean, DEFAULT)),
        ("0.5", paint_guides(model, guides, 0.5, DEFAULT)),
    ):
        value, error = kid(extractor(painted), reference)
        facts = {
            "t0": name,
            "mean t0": 0.5 if name == "0.5" else mean,
            "kid": value,
            "kid_error": error,
            "l2": float(l2(painted, guides).mean()),
            "rmse": float(rmse(painted, guides).mean()),
            "guides": count,
            "features": extractor.name,
            "model": model.name,
            **asdict(DEFAULT),
        }
        print(*facts.values(), flush=True)
        rows.append(facts)
    write_table(options.table, rows)


if __name__ == "__main__":
    main()
