"""What the benchmarks of quality share: guides and photographs on the command line, and how paintings are judged."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sdedit.diffusion.device import tune_allocator
from sdedit.diffusion.score_model import ScoreModel
from sdedit.evaluation.distances import l2, rmse
from sdedit.evaluation.features import FeatureExtractor, load_extractor
from sdedit.evaluation.kid import kid
from sdedit.io.photographs import load_squares

FEATURES = "efficientnet-lite0"


def make_parser(description: str | None, limit: int, models: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A parser that takes models by these names, guides, photographs and a limit; `load_set` takes what it returns."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in models:
        parser.add_argument(name)
    parser.add_argument("guides", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--limit", type=int, default=limit, help="guides, evenly spread over all")
    tune_allocator()
    return parser


@dataclass(frozen=True)
class EvaluationSet:
    """Guides, and the photographs that paintings of them are compared with.

    Attributes:
        guides: (N, 3, H, W) float32 in [0, 1], at the model's native size.
        extractor: the features that KID compares.
        reference: (M, F), those of the photographs.
    """

    guides: Tensor
    extractor: FeatureExtractor
    reference: Tensor

    def judge(self, painted: Tensor) -> dict[str, Any]:
        """KID with its standard error, L2 and RMSE of paintings (N, 3, H, W) of all guides, and how many there are."""
        value, error = kid(self.extractor(painted), self.reference)
        return {
            "kid": value,
            "kid_error": error,
            "l2": float(l2(painted, self.guides).mean()),
            "rmse": float(rmse(painted, self.guides).mean()),
            "guides": len(self.guides),
            "features": self.extractor.name,
        }


def load_set(options: argparse.Namespace, model: ScoreModel) -> EvaluationSet:
    """The guides and photographs that a command line names, for a model."""
    guides, _ = load_squares(options.guides, model.native_size, options.limit)
    photographs, _ = load_squares(options.photographs, model.native_size)
    extractor = load_extractor(FEATURES, model.device)
    return EvaluationSet(guides, extractor, extractor(photographs))
