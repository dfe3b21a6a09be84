"""Does --t0 auto beat a fixed t0? KID and L2 of guides painted at their own suggestion, and all at one t0.

    sdedit strokes VALIDATION --size 128 -o val-strokes
    python benchmarks/auto_t0.py val-strokes VALIDATION auto-t0.csv

The fixed values are 0.5 and the mean suggestion, which spends as much noise as the suggestions do, evenly.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from common import load_set, make_parser

from sdedit import load_model, paint, suggest_t0
from sdedit.diffusion.samplers import DEFAULT
from sdedit.evaluation.curve import paint_guides
from sdedit.io.writing import write_table


def main() -> None:
    parser = make_parser(__doc__, 400)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", default="landscapes-128")
    options = parser.parse_args()

    model = load_model(options.model)
    known = load_set(options, model)
    suggested = [suggest_t0(model, guide) for guide in known.guides]
    mean = sum(suggested) / len(suggested)
    own = [
        paint(model, guide, t0, sampling=DEFAULT, seed=index)
        for index, (guide, t0) in enumerate(zip(known.guides, suggested, strict=True))
    ]
    rows = []
    for name, painted in (
        ("auto", torch.stack(own)),
        ("mean suggestion", paint_guides(model, known.guides, mean, DEFAULT)),
        ("0.5", paint_guides(model, known.guides, 0.5, DEFAULT)),
    ):
        facts = {"t0": name, "mean t0": 0.5 if name == "0.5" else mean, **known.judge(painted)}
        rows.append({**facts, "model": model.name, **asdict(DEFAULT)})
        print(*rows[-1].values(), flush=True)
    write_table(options.table, rows)


if __name__ == "__main__":
    main()
