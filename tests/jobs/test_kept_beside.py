"""What an edit keeps of a file beside its pixels, and what it says it cannot keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.helpers.commands import Command

SIZE = (40, 32)
PHOTO = Image.fromarray(np.random.default_rng(1).integers(0, 255, (32, 40, 3), np.uint8))
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>by somebody</x:xmpmeta>"


@pytest.fixture
def words(tiny_checkpoint: Path, tmp_path: Path) -> list[object]:
    layer = Image.new("RGBA", SIZE)
    layer.paste((200, 30, 20, 255), (10, 8, 26, 24))
    layer.save(tmp_path / "strokes.png")
    return ["--strokes", "strokes.png", "--model", tiny_checkpoint, "--steps", 1, "--seed", 1]


def save_photo(file: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a view")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options: dict[str, object] = {"dpi": (300, 300)}
    if file.suffix == ".png":
        options["pnginfo"] = text
    elif file.suffix == ".tif":
        options["tiffinfo"] = {700: XMP}
    else:
        options |= {"xmp": XMP, "comment": b"a view"}
    PHOTO.save(file, **options)


@pytest.mark.parametrize("after", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("before", [".png", ".jpg", ".webp", ".tif"])
def test_resolution_xmp_and_text_are_kept(
    sdedit: Command, words: list[object], tmp_path: Path, before: str, after: str
) -> None:
    save_photo(tmp_path / f"photo{before}")
    result = sdedit("edit", f"photo{before}", *words, "-o", f"out{after}")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / f"out{after}") as edited:
        edited.load()
        xmp = edited.info.get("xmp")
        assert XMP in (xmp.encode() if isinstance(xmp, str) else xmp)
        if ".webp" not in (before, after):
            assert edited.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        if (before, after) == (".png", ".png"):
            assert edited.text["Title"] == "a view"  # type: ignore[attr-defined]
        elif before == ".png":
            assert f"out{after} cannot hold the text in photo.png (Title)" in result.stderr.decode()
        if before == after == ".jpg":
            assert edited.info["comment"] == b"a view"


@pytest.mark.parametrize(("name", "count"), [("a.tif", 3), ("a.webp", 2), ("a.gif", 2), ("a.png", 2)])
def test_further_pages_and_frames_are_said_to_be_left_out(
    sdedit: Command, words: list[object], tmp_path: Path, name: str, count: int
) -> None:
    more = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")][: count - 1]
    PHOTO.save(tmp_path / name, save_all=True, append_images=more)
    result = sdedit("edit", name, *words, "-o", "out.png")
    assert result.returncode == 0, result.stderr
    said = result.stderr.decode()
    assert said.count(f"{name} has {count} pages or frames; the first is edited") == 1
    save_photo(tmp_path / "one.tif")
    assert "pages" not in sdedit("edit", "one.tif", *words, "-o", "one.png").stderr.decode()
