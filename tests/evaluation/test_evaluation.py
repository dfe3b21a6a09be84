"""KID and its features, faithfulness, the curve over t0, and plots."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from sdedit.diffusion.samplers import Sampling
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.evaluation import FeatureExtractor, kid, l2, load_extractor, rmse
from sdedit.evaluation.classifier import told_apart
from sdedit.evaluation.curve import realism_curve
from sdedit.evaluation.plot import plot_over_t0


def mean_squared_discrepancy(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate over all pairs, written out: Binkowski et al. 2018, equation 4."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within = (kernel(x, x).sum() - kernel(x, x).diagonal().sum()) / (n * (n - 1))
    within += (kernel(y, y).sum() - kernel(y, y).diagonal().sum()) / (m * (m - 1))
    return float(within - 2 * kernel(x, y).mean())


def test_kid_is_the_unbiased_discrepancy() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 8, generator=generator, dtype=torch.float64)
    y = torch.randn(60, 8, generator=generator, dtype=torch.float64) + 0.7
    estimate = kid(x, y)
    assert estimate.value == pytest.approx(mean_squared_discrepancy(x, y), abs=3 * estimate.error / math.sqrt(200))
    assert kid(x, y) == estimate
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    kid(x, y)
    assert torch.equal(torch.rand(1), before)  # nobody else's random numbers were taken


def test_the_standard_error_is_the_spread_between_samples() -> None:
    generator = torch.Generator().manual_seed(1)
    estimates = []
    for _ in range(60):
        x, y = torch.randn(2, 40, 6, generator=generator, dtype=torch.float64)
        estimates.append(kid(x + 0.5, y))
    values = torch.tensor([estimate.value for estimate in estimates])
    errors = torch.tensor([estimate.error for estimate in estimates])
    assert float(errors.mean()) == pytest.approx(float(values.std()), rel=0.3)


def test_told_apart_is_chance_for_the_same_and_all_for_others() -> None:
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(2, 200, 30, generator=generator, dtype=torch.float64)
    assert told_apart(x, y) == pytest.approx(0.5, abs=0.08)
    assert told_apart(x + 3, y) == 1
    # Two normal distributions a distance d apart are told apart in Phi(d / 2) of the cases.
    x[:, 0] += 2
    assert told_apart(x, y) == pytest.approx(0.8413, abs=0.05)
    # Pairs are left out together: what they share does not give either away.
    shared = 10 * torch.randn(200, 300, generator=generator, dtype=torch.float64)
    assert told_apart(shared, shared + 0.01 * torch.randn(200, 300, generator=generator, dtype=torch.float64)) < 0.6


def test_too_few_pictures() -> None:
    with pytest.raises(SdeditError, match=r"at least 10 photographs.* there are 9"):
        kid(torch.rand(20, 3), torch.rand(9, 3))
    with pytest.raises(SdeditError, match="at least 10 images to judge"):
        kid(torch.rand(2, 3), torch.rand(20, 3))


def test_distances() -> None:
    a, b = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    b[1] = 0.5
    assert l2(a, b).tolist() == pytest.approx([0, 0.5 * math.sqrt(60)])
    assert rmse(a, b).tolist() == pytest.approx([0, 0.5])


def test_efficientnet_features_tell_noise_from_flat_colour() -> None:
    extractor = load_extractor("efficientnet-lite0")
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 3, 32, 32, generator=generator)
    flat = torch.rand(3, 3, 1, 1, generator=generator).expand(3, 3, 32, 32)
    features = extractor(torch.cat([noise, flat]))
    assert features.shape == (6, 1280)
    assert features.dtype == torch.float64
    distances = torch.cdist(features, features)
    assert distances[:3, 3:].min() > distances[:3, :3].max()
    torch.testing.assert_close(extractor(noise), features[:3], rtol=1e-4, atol=1e-4)


def test_unknown_features() -> None:
    with pytest.raises(SdeditError, match="inception or efficientnet-lite0"):
        load_extractor("vgg")


def test_inception_weights_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(SdeditError, match=r"could not be downloaded.*efficientnet-lite0"):
        load_extractor("inception")


def test_curve_over_t0(tiny_model: ScoreModel) -> None:
    guides = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    extractor = FeatureExtractor("pixels", lambda pictures: pictures.flatten(1)[:, :50], torch.device("cpu"))
    calls: list[object] = []
    points = list(
        realism_curve(
            tiny_model,
            guides,
            extractor(guides),
            extractor,
            [0, 0.1, 0.6],
            Sampling("ancestral", 3, "uniform"),
            on_step=calls.append,
        )
    )
    assert [point.t0 for point in points] == [0, 0.1, 0.6]
    assert points[0].l2 == points[0].rmse == points[0].sigma == 0
    assert points[0].l2 < points[1].l2 < points[2].l2
    assert abs(points[0].kid) < 3 * points[0].kid_error
    assert points[2].kid > points[0].kid
    assert len(calls) == 2 * 3 * 2  # two values of t0, three steps, two batches


def test_plot(tmp_path: Path) -> None:
    plot_over_t0(tmp_path / "a.png", [0.1, 0.5], {"KID": [0.2, 0.1], "L2": [1, 5]}, {"KID": [0.01, 0.02]})
    picture = Image.open(tmp_path / "a.png").convert("RGB")
    colours = picture.getcolors(1 << 24)
    assert colours is not None
    assert {(31, 119, 180), (255, 127, 14)} <= {colour for _, colour in colours}
