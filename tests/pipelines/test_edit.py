"""Edits and composites of pictures: kept pixels, modes, sizes, masks, strokes, patches."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw
from scipy import ndimage

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.source_image import SourceImage
from sdedit.pipelines.crop import CropOptions, crop_box
from sdedit.pipelines.edit import composite, edit
from sdedit.pipelines.mask import feather, find_strokes, grow, grow_found
from tests.helpers.models import sampled


def photo(mode: str = "RGB", width: int = 101, height: int = 67) -> Image.Image:
    """Smooth colours with noise, so that no pixel is like another; transparency that varies."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([rows / height, columns / width, 1 - rows / height, 0.2 + 0.8 * columns / width], axis=2) * 200
    pixels = (base + rng.integers(0, 40, base.shape)).astype(np.uint8)
    picture = Image.fromarray(pixels).convert("RGB")
    if mode in ("LA", "RGBA"):
        alpha = Image.fromarray(np.ascontiguousarray(pixels[..., 3]))
        picture = picture.convert(mode)
        picture.putalpha(alpha)
        return picture
    return picture.convert(mode)


def layer(width: int = 101, height: int = 67) -> Image.Image:
    strokes = Image.new("RGBA", (width, height))
    ImageDraw.Draw(strokes).ellipse((40, 20, 70, 45), fill=(200, 30, 20, 255))
    return strokes


def disc(width: int = 101, height: int = 67, level: int = 255) -> Image.Image:
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).ellipse((30, 12, 80, 55), fill=level)
    return mask


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(101, 67), (16, 16), (33, 160)])
def test_kept_pixels_are_the_sources_bit_for_bit(tiny_model: ScoreModel, mode: str, size: tuple[int, int]) -> None:
    picture = photo(mode, *size)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((3, 4, size[0] // 2, size[1] // 2), fill=255)
    strokes = Image.new("RGB", size, (200, 30, 20))
    edited = edit(tiny_model, picture, strokes, mask, sampling=sampled(3))
    assert (edited.mode, edited.size) == (mode, size)
    before, after = (np.asarray(p).reshape(size[1], size[0], -1) for p in (picture, edited))
    kept = np.asarray(mask) == 0
    assert (before[kept] == after[kept]).all()
    changed = (before != after).any(axis=2)[~kept]
    assert changed.mean() > 0.8
    if mode in ("LA", "RGBA"):
        assert (before[..., -1] == after[..., -1]).all()


def test_a_large_picture_keeps_its_size_and_what_is_far_away(tiny_model: ScoreModel) -> None:
    picture = photo("RGB", 2000, 1500)
    strokes = picture.copy()
    ImageDraw.Draw(strokes).ellipse((900, 700, 1100, 800), fill=(10, 200, 30))
    edited = np.asarray(edit(tiny_model, picture, strokes, sampling=sampled(2)))
    changed = (edited != np.asarray(picture)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert edited.shape == (1500, 2000, 3)
    assert rows.min() > 600
    assert rows.max() < 900
    assert columns.min() > 800
    assert columns.max() < 1200
    assert changed[720:780, 950:1050].mean() > 0.9


def test_without_a_mask_the_transparency_of_strokes_says_where(tiny_model: ScoreModel) -> None:
    picture = photo()
    changed = (
        np.asarray(edit(tiny_model, picture, layer(), sampling=sampled(2), crop=CropOptions(grow=0)))
        != np.asarray(picture)
    ).any(axis=2)
    assert not changed[np.asarray(layer())[..., 3] == 0].any()
    assert changed[25:40, 48:62].mean() > 0.9


def test_strokes_are_found_in_spite_of_jpeg_noise() -> None:
    picture = Image.effect_noise((300, 200), 30).convert("RGB")
    strokes = picture.copy()
    ImageDraw.Draw(strokes).line((50, 60, 220, 130), fill=(180, 60, 40), width=12)
    data = io.BytesIO()
    strokes.save(data, "JPEG", quality=75)
    found = find_strokes(np.asarray(picture), np.asarray(Image.open(data)))
    truth = Image.new("L", picture.size)
    ImageDraw.Draw(truth).line((50, 60, 220, 130), fill=255, width=12)
    painted = np.asarray(truth) > 0
    assert found[painted].mean() > 0.95
    assert not found[grow(painted.astype(np.float32), 6) == 0].any()
    plain = io.BytesIO()
    picture.save(plain, "JPEG", quality=75)
    assert not find_strokes(np.asarray(picture), np.asarray(Image.open(plain))).any()


def test_masks_grow_and_feather() -> None:
    mask = np.zeros((21, 31), np.float32)
    mask[10, 15] = 0.5
    grown = grow(mask, 4)
    rows, columns = np.nonzero(grown)
    assert ((rows - 10) ** 2 + (columns - 15) ** 2).max() == 16
    assert set(grown[grown > 0].tolist()) == {0.5}
    square = np.zeros((41, 41), np.float32)
    square[10:31, 10:31] = 1
    weights = feather(square, 5)
    assert (weights[square == 0] == 0).all()
    assert (weights[15:26, 15:26] == 1).all()
    assert (np.diff(weights[20, 9:16]) > 0).all()
    assert (feather(np.ones((5, 5)), 3) == 1).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_grows_in_a_window_as_it_would_in_the_whole_image(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = np.zeros(tuple(random.integers(2, 50, 2)), np.float32)
    for _ in range(3):
        row, column, height, width = random.integers(0, 20, 4)
        mask[row : row + height, column : column + width] = random.choice([0.5, 1])
    if not mask.any():
        mask[0, 0] = 1
    pixels = float(random.choice([0.5, 1, 2.7, 9, 100]))
    far, nearest = ndimage.distance_transform_edt(mask == 0, return_indices=True)
    wanted = np.where(far <= pixels, mask[tuple(nearest)], mask)
    assert (grow(mask, pixels) == wanted).all()
    if (mask == 1).any():
        wanted = np.where(ndimage.distance_transform_edt(mask < 1) <= pixels, 1, wanted)
    assert (grow_found(mask, pixels) == wanted).all()


@pytest.mark.parametrize("box", [(0, 0, 5, 5), (990, 700, 1000, 750), (10, 10, 900, 20), (0, 0, 1000, 750)])
def test_regions_hold_the_mask_and_stay_inside(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = crop_box(box, (1000, 750), 0.5, 128)
    assert 0 <= left <= box[0]
    assert 0 <= top <= box[1]
    assert box[2] <= right <= 1000
    assert box[3] <= bottom <= 750
    assert min(right - left, bottom - top) >= 128
    assert 2 * min(right - left, bottom - top) >= min(right - left, 750)


def test_a_grey_mask_changes_less(tiny_model: ScoreModel) -> None:
    picture = photo("RGB", 64, 64)
    changes = []
    for level in (255, 60):
        mask = Image.new("L", (64, 64), level)
        edited = edit(tiny_model, picture, picture, mask, sampling=sampled(8, "ancestral"), t0=0.6)
        changes.append(np.abs(np.asarray(edited).astype(int) - np.asarray(picture)).mean())
    assert changes[1] < changes[0] / 2


def test_a_white_mask_is_paint(tiny_model: ScoreModel) -> None:
    from sdedit import paint

    picture = photo("RGB", 16, 24)
    edited = edit(tiny_model, picture, picture, Image.new("L", (16, 24), 255), t0=0.5, sampling=sampled(4), seed=5)
    painted = paint(tiny_model, picture, t0=0.5, sampling=sampled(4), seed=5)
    assert (np.asarray(edited) == np.asarray(painted)).all()


def test_colours_go_through_the_profile_and_back(tiny_model: ScoreModel) -> None:
    """At next to no noise an edit changes next to nothing, also where the source's numbers mean other colours."""
    picture = photo("RGB", 40, 30)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    assert SourceImage.from_image(picture).profile is None
    picture.info["icc_profile"] = profile.tobytes()
    assert SourceImage.from_image(picture).profile is None  # no colours can be converted to RGB numbers with this one
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = SourceImage.from_image(picture)
    assert source.profile is not None
    there_and_back = source.from_srgb(source.srgb((0, 0, 40, 30), source.colours()))
    assert np.abs(there_and_back.astype(int) - source.colours()).max() <= 2


def test_composite_pastes_where_it_is_told(tiny_model: ScoreModel) -> None:
    background, patch = photo("RGB", 120, 90), Image.new("RGBA", (20, 10), (250, 20, 20, 255))
    made = composite(
        tiny_model,
        background,
        patch,
        at=(70, 40),
        scale=1.5,
        t0=0.02,
        sampling=sampled(2),
        crop=CropOptions(grow=0, feather=0),
    )
    changed = (np.asarray(made) != np.asarray(background)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 54, 70, 99)
    assert np.asarray(made)[44:50, 75:95, 0].mean() > 200
    hanging_over = composite(
        tiny_model, background, patch, at=(-10, -5), t0=0.02, sampling=sampled(2), crop=CropOptions(grow=0)
    )
    rows, columns = np.nonzero((np.asarray(hanging_over) != np.asarray(background)).any(axis=2))
    assert rows.max() < 5
    assert columns.max() < 10


def test_composite_by_a_mask(tiny_model: ScoreModel) -> None:
    background, patch = photo("RGB", 60, 60), Image.new("RGB", (20, 20), (250, 20, 20))
    mask = Image.new("L", (20, 20))
    mask.paste(255, (0, 0, 10, 20))
    made = composite(
        tiny_model, background, patch, mask, at=(10, 10), t0=0.02, sampling=sampled(2), crop=CropOptions(grow=0)
    )
    columns = np.nonzero((np.asarray(made) != np.asarray(background)).any(axis=2))[1]
    assert (columns.min(), columns.max()) == (10, 19)


BLACK, RED = Image.new("L", (101, 67)), Image.new("RGB", (20, 20), "red")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: edit(m, photo(), layer(), disc(50, 67)), "50x67 px.*101x67 px"),
        (lambda m: edit(m, photo(), layer(), disc(67, 101)), "67x101 px.*101x67 px"),
        (lambda m: edit(m, photo(), layer(), BLACK), "black everywhere"),
        (lambda m: edit(m, photo(), layer(50, 50)), "at its own size"),
        (lambda m: edit(m, photo(), photo()), "do not differ"),
        (lambda m: edit(m, photo(), Image.new("RGBA", (101, 67))), "do not differ"),
        (lambda m: composite(m, photo(), RED, at=(101, 0)), "outside"),
        (lambda m: composite(m, photo(), RED, at=(0, -20)), "outside"),
        (lambda m: composite(m, photo(), Image.new("RGBA", (9, 9))), "transparent everywhere"),
        (lambda m: composite(m, photo(), RED, disc(), at=(0, 0)), "101x67 px.*20x20 px"),
        (lambda m: composite(m, photo(), RED, Image.new("L", (20, 20))), "black everywhere"),
        (lambda m: composite(m, photo(), RED, scale=100), "smaller scale"),
    ],
)
def test_what_cannot_be_done(tiny_model: ScoreModel, call: object, words: str) -> None:
    with pytest.raises(SdeditError, match=words):
        call(tiny_model)  # type: ignore[operator]
