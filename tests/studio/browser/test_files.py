"""Files that go in and come out: images that replay, photographs that are edited, masks, what is dropped or pasted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from sdedit.checkpoints.formats.native import save_checkpoint
from tests.helpers.browser import Studio
from tests.helpers.commands import Command
from tests.helpers.images import blocks_picture
from tests.helpers.profiles import exchanged

Save = tuple[str, bytes]


def saved(page: Studio, card: str) -> Save:
    """What the dialog gives for one of its cards."""
    page.page.keyboard.press("s")
    return page.download(lambda: page.page.get_by_role("dialog").get_by_role("button", name=card).click())


def begin_with(page: Studio, content: bytes, choice: str, name: str = "photo.png", event: str = "drop") -> None:
    page.drop(content, name, event)
    page.page.get_by_role("dialog").get_by_role("button", name=choice).click()
    page.wait_until("studio.painting.actions.at(-1).base")
    page.wait_until("studio.view.width === studio.painting.state.width")


def photograph(**options: Any) -> tuple[bytes, Image.Image]:
    """A photograph of 96 x 64 px as it is seen, turned in its file, with a profile and transparency."""
    image = blocks_picture(64, 96).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    exif = Image.Exif()
    exif[0x112] = 6  # turned by a quarter
    exif[0x010F] = "A camera"
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif, icc_profile=exchanged(), **options)
    return file.getvalue(), Image.open(file)


def test_an_image_and_its_guide_are_those_of_the_command_and_replay(
    studio_page: Studio, sdedit: Command, tiny_checkpoint: Path, tmp_path: Path, studio: httpx.Client
) -> None:
    page = studio_page
    page.stroke((100, 100), (300, 200))
    page.set(seed=7)
    page.ask("studio.painting.do({ kind: 't0', value: 0.4 })")
    page.painted()
    image_name, image = saved(page, "Image PNG")
    guide_name, guide = saved(page, "Guide PNG")
    (tmp_path / guide_name).write_bytes(guide)
    (tmp_path / image_name).write_bytes(image)
    painted = sdedit("paint", guide_name, "--t0", 0.4, "--seed", 7, "--model", tiny_checkpoint, "-o", "painted.png")
    assert painted.returncode == 0, painted.stderr
    assert (tmp_path / "painted.png").read_bytes() == image
    replayed = sdedit("replay", image_name, "-o", "again.png")
    assert replayed.returncode == 0, replayed.stderr
    assert (tmp_path / "again.png").read_bytes() == image
    answer = studio.post("/api/paint", params={"t0": 0.4, "seed": 7, "name": guide_name}, content=guide)
    assert answer.content == image


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_an_image_becomes_a_guide_to_paint_over(studio_page: Studio, event: str) -> None:
    page = studio_page
    content, _ = photograph()
    begin_with(page, content, "A guide to paint over", event=event)
    assert page.ask("const { width, height, base } = studio.painting.state; return [width, height, base.role]") == [
        96, 64, "guide",
    ]  # fmt: skip
    before = page.pixels()
    assert len(np.unique(before.reshape(-1, 3), axis=0)) > 10
    page.set(colour="#c83214", size=10)
    page.stroke((20, 20), (60, 20))
    page.set(tool="eraser")
    page.stroke((40, 10), (40, 30))
    assert np.array_equal(page.pixels()[20, 38:43], before[20, 38:43])  # the photograph is back
    assert tuple(page.pixels()[20, 25]) == (0xC8, 0x32, 0x14)
    page.painted()
    assert page.ask("return studio.shown.result.task") == "paint"
    page.kept()
    pixels = page.pixels()
    page.open()
    assert np.array_equal(page.pixels(), pixels)


def test_an_image_becomes_strokes(studio_page: Studio) -> None:
    page = studio_page
    content = io.BytesIO()
    Image.effect_noise((96, 64), 60).convert("RGB").save(content, "PNG")
    begin_with(page, content.getvalue(), "Strokes It is simplified")
    pixels = page.pixels()
    assert pixels.shape[:2] == (512, 768)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) < 60


def test_what_is_no_image_is_said(studio_page: Studio) -> None:
    page = studio_page
    page.drop(b"not an image", "photo.png")
    page.page.get_by_role("dialog").get_by_role("button", name="A photograph to edit").click()
    page.page.locator("#notices .notice").wait_for()
    assert "is not a PNG" in page.page.locator("#notices").inner_text()
    assert page.ask("return studio.painting.cursor") == 1


@pytest.mark.parametrize("with_mask", [False, True])
def test_an_edit_is_that_of_the_command_and_keeps_the_rest_of_the_photograph(
    studio_page: Studio, sdedit: Command, tiny_checkpoint: Path, tmp_path: Path, with_mask: bool
) -> None:
    page = studio_page
    content, original = photograph()
    begin_with(page, content, "A photograph to edit", name="holiday.png")
    assert page.ask("return studio.painting.state.t0") == 0.45
    page.page.get_by_text("what you paint becomes part of it").wait_for()
    page.set(colour="#c83214", size=12)
    page.stroke((30, 20), (60, 20))
    if with_mask:
        page.page.keyboard.press("m")
        page.set(size=18)
        page.stroke((30, 20), (62, 20))
    page.painted()
    image_name, image = saved(page, "Image PNG")
    sources = []
    page.page.on("download", lambda download: sources.append(download))
    page.page.keyboard.press("s")
    page.page.get_by_role("button", name="Photograph, strokes and mask").click()
    for _ in range(500):
        if len(sources) == 2 + with_mask:
            break
        page.page.wait_for_timeout(10)
    (tmp_path / image_name).write_bytes(image)
    for source in sources:
        source.save_as(tmp_path / source.suggested_filename)
    seed = str(page.ask("return studio.shown.result.seed"))
    names = {source.suggested_filename.partition("-")[0]: source.suggested_filename for source in sources}
    words = ["--mask", names["mask"]] if with_mask else []
    edited = sdedit(
        *("edit", names["picture"], "--strokes", names["strokes"], *words, "--seed", seed, "--t0", "0.45"),
        *("--model", tiny_checkpoint, "-o", "edited.png"),
    )
    assert edited.returncode == 0, edited.stderr
    assert (tmp_path / "edited.png").read_bytes() == image
    assert sdedit("replay", image_name, "-o", "again.png").returncode == 0
    assert (tmp_path / "again.png").read_bytes() == image
    result = Image.open(io.BytesIO(image))
    before = np.asarray(ImageOps.exif_transpose(original))
    assert (result.size, result.mode) == ((96, 64), "RGBA")
    assert result.info["icc_profile"] == original.info["icc_profile"]
    assert result.getexif()[0x010F] == "A camera"
    after = np.asarray(result)
    outside = slice(45, None)  # far below the stroke, as it is seen
    assert np.array_equal(after[outside], before[outside])
    assert not np.array_equal(after[10:30, 30:60], before[10:30, 30:60])


def test_a_mask_is_shown_where_it_is_painted_to_the_pixel_and_stays(studio_page: Studio) -> None:
    page = studio_page
    page.still()
    page.sheet(128, 128, "#808080")
    page.page.keyboard.press("m")
    page.set(size=20)
    page.stroke((64, 64), (84, 64))
    for tool in ("e", "g", "b", "m"):
        page.page.keyboard.press(tool)
    page.ask("studio.view.magnify(4 / studio.view.scale)")
    page.page.mouse.move(5, 5)
    page.page.wait_for_timeout(100)
    mask = page.mask()
    shot = Image.open(io.BytesIO(page.page.screenshot()))
    shown = np.asarray(shot.convert("RGB")).astype(int)
    colour = np.array([232, 30, 132])
    x, y = page.place(0, 0)
    for row in (52, 53, 54, 64, 73, 74):
        for column in range(46, 100):
            share = 0.55 * mask[row, column] / 255
            there = shown[int(y + 4 * row + 2), int(x + 4 * column + 2)]
            assert np.abs(there - (128 + (colour - 128) * share)).max() <= 3, (row, column)
    page.kept()
    page.open()
    assert np.array_equal(page.mask(), mask)


def test_a_published_model_may_be_chosen_beside_another(browser: Any, tmp_path: Path) -> None:
    """The page names the model that it wants; each has its own noise levels."""
    from tests.helpers.models import make_tiny_model
    from tests.helpers.studio import running_studio

    models = []
    for seed, name in enumerate(("first", "second")):
        model = make_tiny_model(seed)
        model.card["name"] = name
        save_checkpoint(model, tmp_path / f"{name}.safetensors")
        models.append(model)
    with running_studio(models) as running:
        context = browser.new_context()
        page = Studio(context.new_page(), running.url)
        page.painted()
        assert page.ask("return studio.shown.result.recipe.model") == "first"
        page.page.locator("#model").select_option("second")
        page.painted()
        assert page.ask("return studio.shown.result.recipe.model") == "second"
        context.close()
