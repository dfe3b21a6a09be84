"""KID and RMSE with a weaker model evaluated beside a strong one at every step: how much guidance is worth training in.

With --start, their difference is added to the answers of a third model.

python benchmarks/guidance.py RUN/model.safetensors EARLIER.safetensors val-strokes VALIDATION --weights 0 1 1.3
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor

from sdedit import load_model
from sdedit.diffusion.device import tune_allocator
from sdedit.diffusion.samplers import DEFAULT
from sdedit.diffusion.score_model import ScoreModel
from sdedit.evaluation.curve import realism_curve
from sdedit.evaluation.features import load_extractor
from sdedit.io.photographs import load_squares
from sdedit.training.teachers import Guidance


class GuidedModel(ScoreModel):
    """A strong model that answers with guidance away from a weak one."""

    guidance: Guidance

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.guidance.denoise(x, sigma)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strong")
    parser.add_argument("weak")
    parser.add_argument("guides", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--start", help="the model whose answers are improved; default: STRONG")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 1.0])
    parser.add_argument("--t0", type=float, default=0.5)
    parser.add_argument("--limit", type=int, default=80, help="guides, evenly spread over all")
    options = parser.parse_args()

    tune_allocator()
    strong, weak = load_model(options.strong), load_model(options.weak)
    start = load_model(options.start) if options.start else strong
    guides, _ = load_squares(options.guides, strong.native_size, options.limit)
    photographs, _ = load_squares(options.photographs, strong.native_size)
    extractor = load_extractor("efficientnet-lite0", strong.device)
    reference = extractor(photographs)
    model = GuidedModel(**vars(start))
    for weight in options.weights:
        model.guidance = Guidance(start, strong, weak, weight)
        (point,) = realism_curve(model, guides, reference, extractor, [options.t0], DEFAULT)
        print(f"weight {weight:g}: KID {point.kid:.4f} +- {point.kid_error:.4f}, RMSE {point.rmse:.4f}", flush=True)


if __name__ == "__main__":
    main()
