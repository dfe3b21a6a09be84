"""Batches: windows of photographs of any sizes, noise levels, and what a recipe makes of the photographs there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sdedit.errors import SdeditError
from sdedit.training.batches import BatchKind, kind_of_batch, stratified_normal
from sdedit.training.config import BatchConfig
from sdedit.training.image_store import ImageStore
from sdedit.training.kinds import make_kinds
from sdedit.training.processes import Processes

ALONE = Processes()
CPU = torch.device("cpu")


def with_places(height: int, width: int, number: int) -> np.ndarray:
    """An image whose pixels hold their row, their column and the image's number."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([rows, columns, np.full_like(rows, number)], axis=2)


def kind_of(images: list[np.ndarray], side: int, count: int = 200, **options: float) -> BatchKind:
    return BatchKind(ImageStore(images), torch.arange(len(images)), side, count, -1.0, 1.4, **options)


def draw(kind: BatchKind, seed: int = 0, processes: Processes = ALONE) -> tuple[Tensor, Tensor, Tensor]:
    return kind.draw(torch.Generator().manual_seed(seed), processes)


def test_windows_of_images_of_different_sizes() -> None:
    sizes = [(30, 40), (16, 90), (50, 17)]
    _, y, _ = draw(kind_of([with_places(*size, number) for number, size in enumerate(sizes)], 16, 600))
    y = (y * 255).round()
    assert y.shape == (600, 3, 16, 16)
    assert (y[:, 0, 15, 3] - y[:, 0, 0, 0] == 15).all()
    step = y[:, 1, 0, 1] - y[:, 1, 0, 0]
    assert set(step.tolist()) == {1.0, -1.0}
    assert 240 < (step > 0).sum() < 360
    for number, (height, width) in enumerate(sizes):
        of_image = y[y[:, 2, 0, 0] == number]
        assert len(of_image) > 150
        assert (of_image[:, 2] == number).all()
        tops, lefts = of_image[:, 0, 0, 0], torch.minimum(of_image[:, 1, 0, 0], of_image[:, 1, 0, 15])
        assert (tops.min(), lefts.min()) == (0, 0)
        assert (tops.max(), lefts.max()) == (height - 16, pytest.approx(width - 16, abs=2))


def test_noise_has_its_level() -> None:
    flat = [np.full((32, 32, 3), 100, np.uint8)]
    x, y, sigma = draw(kind_of(flat, 32, 64))
    measured = (x - y).std(dim=(1, 2, 3))
    torch.testing.assert_close(measured, sigma, rtol=0.08, atol=0)
    torch.testing.assert_close(y, torch.full_like(y, 100 / 255))
    assert float(sigma.log().mean()) == pytest.approx(-1, abs=0.05)
    assert float(sigma.log().std()) == pytest.approx(1.4, abs=0.1)


def test_pairs_are_cut_alike_and_get_the_same_noise() -> None:
    image = with_places(40, 40, 7)
    x, y, sigma = draw(kind_of([np.concatenate([image, 255 - image], axis=2)], 16, 10))
    assert x.shape == (20, 3, 16, 16)
    torch.testing.assert_close(y[10:], 1 - y[:10])
    torch.testing.assert_close((x - y)[10:], (x - y)[:10], rtol=0, atol=1e-5)
    assert torch.equal(sigma[:10], sigma[10:])


@pytest.mark.parametrize("options", [{}, {"zoom": 0.7, "aspect": 0.1}])
def test_processes_share_the_batch_of_one(options: dict[str, float]) -> None:
    kind = kind_of([with_places(40, 50, 0), with_places(33, 34, 1)], 16, 12, **options)
    parts = []
    for index in range(3):
        processes = Processes()
        processes.index, processes.count = index, 3
        parts.append(draw(kind, processes=processes))
    for whole, shares in zip(draw(kind), zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(shares), whole)


def test_stratified_normal() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([stratified_normal(8, generator, CPU) for _ in range(2000)])
    octiles = torch.special.ndtri(torch.arange(1, 8) / 8)
    assert all(sorted(torch.bucketize(row, octiles).tolist()) == list(range(8)) for row in draws)
    assert float(draws.mean()) == pytest.approx(0, abs=0.01)
    assert float(draws.std()) == pytest.approx(1, abs=0.02)
    assert float((draws[:, 0] * draws[:, 1]).mean()) == pytest.approx(-1 / 7, abs=0.06)  # and in random order


@pytest.mark.parametrize("side", [16, 64])
def test_shrunk_windows_are_those_of_pillow(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (16, 20, 3), np.uint8))
    image = np.asarray(small.resize((140, 112), Image.Resampling.BICUBIC))
    kind = kind_of([image], side, 4, zoom=0.6, aspect=0.2)
    places = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.9, 0.0, 0.5],  # the largest window, in the upper left corner
            [0.0, 0.999999, 0.999999, 0.9, 0.3, 0.5],  # lower right
            [0.0, 0.37, 0.61, 0.9, 0.5, 0.9],  # higher than wide
            [0.0, 0.5, 0.5, 0.1, 0.999999, 0.1],  # about as large as the result, mirrored
        ],
        dtype=torch.float64,
    )
    found = kind._windows(places) * 255
    for window, (_, down, right, mirror, zoom, aspect) in zip(found, places.tolist(), strict=True):
        larger, taller = 0.6 ** (zoom - 1), 0.2 * (2 * aspect - 1)
        height = min(max(side, side * larger * (1 + taller)), 112)
        width = min(max(side, side * larger * (1 - taller)), 140)
        top, left = down * (112 - height), right * (140 - width)
        box = (left, top, left + width, top + height)
        expected = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC, box)).astype(float)
        expected = expected[:, ::-1] if mirror < 0.5 else expected
        assert np.abs(window.numpy() - expected).max() < 1.6  # Pillow rounds twice


def test_kinds_come_in_their_shares_and_evenly() -> None:
    kinds = [kind_of_batch(number, (3, 1, 2)) for number in range(600)]
    assert Counter(kinds) == {0: pytest.approx(300, abs=3), 1: pytest.approx(100, abs=3), 2: pytest.approx(200, abs=3)}
    for start in range(0, 580, 20):
        assert 2 <= kinds[start : start + 20].count(1) <= 5
    assert {kind_of_batch(number, (2.0,)) for number in range(50)} == {0}


def test_photographs_take_part_where_they_are_large_enough() -> None:
    data = {"": [with_places(20, 30, 0), with_places(70, 64, 1)], "fine": [with_places(90, 128, 2)]}
    configs = [
        BatchConfig(side=16, batch=40),
        BatchConfig(side=32, shrink_to=64, batch=40),
        BatchConfig(side=16, batch=40, data=("fine",)),
        BatchConfig(side=64, batch=40),
    ]
    kinds = make_kinds(configs, data, "cpu", ALONE)
    numbers = [set((draw(kind)[1][:, 2].mean(dim=(1, 2)) * 255).round().tolist()) for kind in kinds]
    assert numbers == [{0.0, 1.0, 2.0}, {1.0, 2.0}, {2.0}, {1.0, 2.0}]
    assert kinds[0].store is kinds[3].store  # in memory once
    assert kinds[1].store.heights.tolist() == [70, 64]
    assert kinds[1].store.widths.tolist() == [64, 91]  # shrunk from 90 x 128


@pytest.mark.parametrize(
    ("change", "count", "words"),
    [
        ({"side": 256}, 1, ["256 px"]),
        ({"shrink_to": 200}, 1, ["200 px"]),
        ({"data": ("other",)}, 1, ["other", "--data other="]),
        ({"batch": 7}, 2, ["7", "2 processes"]),
    ],
)
def test_kinds_that_cannot_be(change: dict, count: int, words: list[str]) -> None:
    processes = Processes()
    processes.count = count
    with pytest.raises(SdeditError) as caught:
        make_kinds([replace(BatchConfig(side=16), **change)], {"": [with_places(40, 40, 0)]}, "cpu", processes)
    for word in words:
        assert word in str(caught.value)
