"""A few levels of 255 count as nothing, in masks, strokes and patches; above them the blend follows the share."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.pipelines.crop import CropOptions
from sdedit.pipelines.edit import composite, edit
from tests.helpers.commands import Command, fails_in_one_sentence
from tests.helpers.models import sampled
from tests.helpers.profiles import exchanged

SIZE = (64, 48)
BOX = (20, 12, 40, 32)
NOISE = Image.fromarray(np.random.default_rng(0).integers(60, 200, (48, 64, 3), np.uint8))
OUTSIDE = np.ones((48, 64), bool)
OUTSIDE[1:43, 9:51] = False  # beyond the box and what grows from it


def changed(edited: Image.Image) -> np.ndarray:
    return (np.asarray(edited) != np.asarray(NOISE)).any(axis=2)


def share(level: int, size: tuple[int, int] = SIZE) -> Image.Image:
    mask = Image.new("L", size, level)
    mask.paste(255, BOX)
    return mask


def layer(level: int) -> Image.Image:
    strokes = Image.new("RGBA", SIZE, (220, 30, 30, 255))
    strokes.putalpha(share(level))
    return strokes


def edited_by_mask(model: ScoreModel, level: int) -> Image.Image:
    return edit(model, NOISE, Image.new("RGB", SIZE, "red"), share(level), sampling=sampled(3))


def edited_by_layer(model: ScoreModel, level: int) -> Image.Image:
    return edit(model, NOISE, layer(level), sampling=sampled(3))


def pasted(model: ScoreModel, level: int) -> Image.Image:
    return composite(model, NOISE, layer(level), sampling=sampled(3))


@pytest.mark.parametrize("make", [edited_by_mask, edited_by_layer, pasted])
def test_a_few_levels_are_nothing_and_more_are_blended_in_by_their_share(tiny_model: ScoreModel, make) -> None:
    crop = make(tiny_model, 0)
    assert not changed(crop)[OUTSIDE].any()
    assert changed(crop)[~OUTSIDE].any()
    for level in (1, 2, 8):
        assert np.array_equal(make(tiny_model, level), crop)
    differences = [
        np.abs(np.asarray(make(tiny_model, level)).astype(int) - np.asarray(NOISE))[OUTSIDE].mean()
        for level in (12, 40, 127)
    ]
    assert 0 < differences[0] < differences[1] < differences[2]
    assert differences[0] < 20


def test_the_black_of_a_jpeg_is_black(sdedit: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    NOISE.save(tmp_path / "photo.png")
    Image.new("RGB", SIZE, "red").save(tmp_path / "strokes.png")
    share(1).save(tmp_path / "mask.png")
    layer(1).save(tmp_path / "layer.png")
    words = ["--model", tiny_checkpoint, "--steps", 2, "-o", "out.png", "--overwrite"]
    for task, note in (
        (["edit", "photo.png", "--strokes", "strokes.png", "--mask", "mask.png"], "the mask has 2672 px"),
        (["edit", "photo.png", "--strokes", "layer.png"], "the strokes' transparency has 2672 px"),
        (["composite", "photo.png", "layer.png"], "the patch's transparency has 2672 px"),
    ):
        result = sdedit(*task, *words)
        assert result.returncode == 0, result.stderr
        assert note in result.stderr.decode()
        assert not changed(Image.open(tmp_path / "out.png"))[OUTSIDE].any()
    compared = sdedit("compare", "out.png", "photo.png", "--mask", "mask.png")
    assert compared.returncode == 0, compared.stderr
    Image.new("L", SIZE, 3).save(tmp_path / "mask.png")
    fails_in_one_sentence(
        sdedit("edit", "photo.png", "--strokes", "strokes.png", "--mask", "mask.png", *words, "--quiet"), "black"
    )


def test_a_mask_inverted_is_black_where_it_was_nearly_white(
    sdedit: Command, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    NOISE.save(tmp_path / "photo.png")
    Image.new("RGB", SIZE, "red").save(tmp_path / "strokes.png")
    Image.fromarray(254 - np.minimum(np.asarray(share(0)), 254)).save(tmp_path / "mask.png")
    words = ["--strokes", "strokes.png", "--mask", "mask.png", "--invert-mask", "--model", tiny_checkpoint]
    assert sdedit("edit", "photo.png", *words, "--steps", 2).returncode == 0
    assert not changed(Image.open(tmp_path / "photo-edited.png"))[OUTSIDE].any()


def test_colours_that_srgb_does_not_have_are_no_strokes(tiny_model: ScoreModel) -> None:
    """The strokes were exported in sRGB, the photograph has a wider profile."""
    wide = NOISE.copy()
    wide.info["icc_profile"] = exchanged()
    data = io.BytesIO()
    wide.save(data, "PNG", icc_profile=exchanged())
    photo = Image.open(data)
    from sdedit.io.images import as_rgb

    with pytest.raises(SdeditError, match="do not differ"):
        edit(tiny_model, photo, as_rgb(photo), sampling=sampled(1))
    strokes = as_rgb(photo)
    strokes.paste("red", BOX)
    made = edit(tiny_model, photo, strokes, sampling=sampled(1), crop=CropOptions(grow=0))
    assert not changed(made)[OUTSIDE].any()
