"""How realistic images are (KID), and how faithful to their guides (L2): the two axes of SDEdit's figure 3."""

from sdedit.evaluation.distances import l2, rmse
from sdedit.evaluation.features import FEATURES, FeatureExtractor, load_extractor
from sdedit.evaluation.kid import KID_NEEDS, Kid, kid

__all__ = ["FEATURES", "KID_NEEDS", "FeatureExtractor", "Kid", "kid", "l2", "load_extractor", "rmse"]
