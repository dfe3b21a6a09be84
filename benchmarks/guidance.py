"""KID and RMSE with a weaker model evaluated beside a strong one at every step: how much guidance is worth training in.

With --start, their difference is added to the answers of a third model.

python benchmarks/guidance.py RUN/model.safetensors EARLIER.safetensors val-strokes VALIDATION --weights 0 1 1.3
"""

from __future__ import annotations

from common import load_set, make_parser
from torch import Tensor

from sdedit import ScoreModel, load_model
from sdedit.diffusion.samplers import DEFAULT
from sdedit.evaluation.curve import paint_guides
from sdedit.training.teachers import Guidance


class GuidedModel(ScoreModel):
    """A strong model that answers with guidance away from a weak one."""

    guidance: Guidance

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.guidance.denoise(x, sigma)


def main() -> None:
    parser = make_parser(__doc__, 80, models=("strong", "weak"))
    parser.add_argument("--start", help="the model whose answers are improved; default: STRONG")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 1.0])
    parser.add_argument("--t0", type=float, default=0.5)
    options = parser.parse_args()

    strong, weak = load_model(options.strong), load_model(options.weak)
    start = load_model(options.start) if options.start else strong
    known = load_set(options, strong)
    model = GuidedModel(**{name: value for name, value in vars(start).items() if not name.startswith("_")})
    for weight in options.weights:
        model.guidance = Guidance(start, strong, weak, weight)
        facts = known.judge(paint_guides(model, known.guides, options.t0, DEFAULT))
        print(
            f"weight {weight:g}: KID {facts['kid']:.4f} +- {facts['kid_error']:.4f}, RMSE {facts['rmse']:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
