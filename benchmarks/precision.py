"""What bf16 costs: the same guides with the same noise in float32 and in bf16.

sdedit strokes VALIDATION --size 128 -o val-strokes
python benchmarks/precision.py val-strokes VALIDATION precision.csv
"""

from __future__ import annotations

from pathlib import Path

from common import load_set, make_parser

from sdedit import Sampling, load_model
from sdedit.evaluation.curve import paint_guides
from sdedit.io.writing import write_table


def main() -> None:
    parser = make_parser(__doc__, 40)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", default="landscapes-128")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--t0", type=float, default=0.5)
    options = parser.parse_args()

    sampling = Sampling("er-sde", options.steps, "karras")
    models = {precision: load_model(options.model, precision=precision) for precision in ("fp32", "bf16")}
    known = load_set(options, models["fp32"])
    rows, images = [], {}
    for precision, model in models.items():
        for seed in (0, 1_000_000):
            painted = images[precision, seed] = paint_guides(model, known.guides, options.t0, sampling, seed)
            difference = (painted - images["fp32", seed]).abs().mean() * 255
            facts = {"precision": precision, "seed": seed, **known.judge(painted), "t0": options.t0}
            rows.append({**facts, "steps": options.steps, "mean difference from fp32, of 255": float(difference)})
            print(*rows[-1].values(), flush=True)
    write_table(options.table, rows)


if __name__ == "__main__":
    main()
