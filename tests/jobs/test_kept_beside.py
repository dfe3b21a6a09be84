"""What an edit keeps of a file beside its pixels, and what it says it cannot keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

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
            assert f"out{after} cannot hold the text (Title) of photo.png" in result.stderr.decode()
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


def iptc(image: Image.Image) -> dict[int, bytes]:
    return image.info.get("photoshop", {})


def test_captions_of_a_jpeg_are_kept_in_a_jpeg(sdedit: Command, words: list[object], tmp_path: Path) -> None:
    caption = b"\x1c\x02\x78\x00\x05a day"
    resources = b"".join(
        b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)
        for number, data in ((0x0404, caption), (0x040C, b"a thumbnail"))
    )
    segment = b"Photoshop 3.0\0" + resources
    PHOTO.save(tmp_path / "photo.jpg", extra=b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment)
    assert iptc(Image.open(tmp_path / "photo.jpg"))[0x0404] == caption
    kept = sdedit("edit", "photo.jpg", *words, "-o", "out.jpg")
    assert kept.returncode == 0, kept.stderr
    assert b"IPTC" not in kept.stderr
    assert iptc(Image.open(tmp_path / "out.jpg")) == {0x0404: caption}
    for after in ("out.png", "out.webp"):
        said = sdedit("edit", "photo.jpg", *words, "-o", after).stderr.decode()
        assert f"{after} cannot hold the IPTC data of photo.jpg" in said


def test_what_a_format_cannot_hold_is_said(sdedit: Command, words: list[object], tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "a description" * 6000
    PHOTO.save(tmp_path / "photo.webp", icc_profile=profile, exif=exif, xmp=XMP * 2000)
    for after, lost in (
        ("out.bmp", "the EXIF data and the colour profile and the XMP"), ("out.jpg", "the EXIF data and the XMP"),
    ):  # fmt: skip
        result = sdedit("edit", "photo.webp", *words, "-o", after)
        assert result.returncode == 0, result.stderr
        assert f"{after} cannot hold {lost} of photo.webp" in result.stderr.decode()
        assert Image.open(tmp_path / after).size == SIZE
    assert "cannot hold" not in sdedit("edit", "photo.webp", *words, "-o", "out.png").stderr.decode()
    assert Image.open(tmp_path / "out.png").getexif()[0x010E] == exif[0x010E]
