"""Pictures of 16 bits per channel keep every bit outside the mask, or it is said that they do not."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sdedit as package
from sdedit.io.deep import read_deep_colours, write_deep_png
from sdedit.io.images import open_image
from sdedit.io.png import SIGNATURE, chunk, chunks
from sdedit.io.source_image import open_source
from sdedit.io.tiff import write_deep_tiff
from tests.helpers.commands import Command
from tests.helpers.models import sampled

SIZE = (40, 32)
MASK = Image.new("L", SIZE)
MASK.paste(255, (10, 8, 26, 24))
KEPT = np.asarray(MASK) == 0


def levels(channels: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 65536, (32, 40, channels), dtype=np.uint16)


def save(file: Path, values: np.ndarray) -> None:
    if values.shape[2] == 1:
        Image.fromarray(values[..., 0]).save(file)
        return
    planes = [Image.fromarray((plane >> 8).astype(np.uint8)) for plane in values.transpose(2, 0, 1)]
    shallow = Image.merge({2: "LA", 3: "RGB", 4: "RGBA"}[len(planes)], planes)
    with file.open("wb") as opened:
        if file.suffix == ".png":
            write_deep_png(shallow, values, opened)
        else:
            write_deep_tiff(shallow.mode, values, opened)


def load(file: Path) -> np.ndarray:
    image = Image.open(file)
    if image.mode == "I;16":
        return np.asarray(image).astype(np.uint16)[..., None]
    deep = read_deep_colours(io.BytesIO(file.read_bytes()))
    assert deep is not None
    return deep


@pytest.fixture
def words(tiny_checkpoint: Path, tmp_path: Path) -> list[object]:
    Image.new("RGB", SIZE, "red").save(tmp_path / "strokes.png")
    MASK.save(tmp_path / "mask.png")
    return ["--strokes", "strokes.png", "--mask", "mask.png", "--model", tiny_checkpoint, "--steps", 2, "--seed", 1]


@pytest.mark.parametrize(
    ("channels", "before", "after"),
    [
        (1, ".png", ".png"),
        (1, ".tif", ".tif"),
        (1, ".tif", ".png"),
        (2, ".png", ".png"),
        (3, ".png", ".png"),
        (3, ".tif", ".tif"),
        (3, ".tif", ".png"),
        (3, ".png", ".tif"),
        (4, ".png", ".png"),
        (4, ".tif", ".tif"),
    ],
)
def test_every_bit_is_kept_outside_the_mask(
    sdedit: Command, words: list[object], tmp_path: Path, channels: int, before: str, after: str
) -> None:
    values = levels(channels)
    save(tmp_path / f"photo{before}", values)
    assert np.array_equal(load(tmp_path / f"photo{before}"), values)
    result = sdedit("edit", f"photo{before}", *words, "-o", f"out{after}")
    assert result.returncode == 0, result.stderr
    edited = load(tmp_path / f"out{after}")
    assert np.array_equal(edited[KEPT], values[KEPT])
    assert (edited[~KEPT][:, : 3 - 2 * (channels < 3)] != values[~KEPT][:, : 3 - 2 * (channels < 3)]).any(
        axis=1
    ).mean() > 0.8
    if channels in (2, 4):
        assert np.array_equal(edited[..., -1], values[..., -1])
    if after == ".png":
        assert sdedit("info", "out.png").returncode == 0
        assert sdedit("replay", "out.png", "-o", "again.png").returncode == 0
        assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(("channels", "after"), [(2, ".tif"), (1, ".jpg"), (1, ".webp"), (3, ".bmp")])
def test_formats_of_8_bits_are_named(
    sdedit: Command, words: list[object], tmp_path: Path, channels: int, after: str
) -> None:
    save(tmp_path / "photo.png", levels(channels))
    result = sdedit("edit", "photo.png", *words, "-o", f"out{after}")
    assert result.returncode == 0, result.stderr
    assert f"photo.png has 16 bits per channel and out{after} gets 8" in result.stderr.decode()


def test_python_keeps_16_bits_of_grey(tiny_checkpoint: Path) -> None:
    values = levels(1)[..., 0]
    model = package.load_model(tiny_checkpoint)
    edited = package.edit(model, Image.fromarray(values), Image.new("RGB", SIZE, "red"), MASK, sampling=sampled(2))
    assert edited.mode == "I;16"
    assert np.array_equal(np.asarray(edited)[KEPT], values[KEPT])


def with_chunk(png: bytes, name: bytes, content: bytes, damaged: bool = False) -> io.BytesIO:
    """A PNG with one more chunk after its header."""
    more = chunk(name, content)
    more = more[:-1] + bytes([more[-1] ^ 1]) if damaged else more
    return io.BytesIO(
        SIGNATURE + b"".join(whole + (more if kind == b"IHDR" else b"") for kind, _, whole in chunks(png))
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_one_clear_colour_becomes_an_alpha_channel_of_16_bits(tmp_path: Path, channels: int) -> None:
    values = levels(channels)
    save(tmp_path / "photo.png", values)
    clear = values[3, 5].astype(">u2").tobytes()
    source = open_source(with_chunk((tmp_path / "photo.png").read_bytes(), b"tRNS", clear), "photo.png")
    assert source.deep is not None
    assert source.image.mode == ("LA" if channels == 1 else "RGBA")
    assert np.array_equal(source.deep[..., :channels], values)
    assert source.deep[3, 5, -1] == 0
    assert (source.deep[..., -1] == 65535).mean() > 0.99


def test_a_damaged_chunk_beside_the_pixels_costs_no_bits(tmp_path: Path) -> None:
    values = levels(3)
    save(tmp_path / "photo.png", values)
    damaged = with_chunk((tmp_path / "photo.png").read_bytes(), b"tEXt", b"Title\0a view", damaged=True)
    source = open_source(damaged, "photo.png")
    assert np.array_equal(source.deep, values)
    assert source.notes == ()


def tiff_in_planes(values: np.ndarray, order: str) -> bytes:
    """A TIFF with (H, W, 3) uint16 one channel after the other, unpacked."""
    height, width, _ = values.shape
    pixels = values.transpose(2, 0, 1).astype(f"{order}u2").tobytes()
    entries = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 3, None), 259: (3, 1, 1), 262: (3, 1, 2),
               273: (4, 3, None), 277: (3, 1, 3), 278: (4, 1, height), 279: (4, 3, None), 284: (3, 1, 2)}  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    size, lists = len(pixels) // 3, b""
    body = struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8) + struct.pack(f"{order}H", len(entries))
    for tag, (kind, count, value) in entries.items():
        if value is None:
            many = {258: [16] * 3, 273: [start + 30 + n * size for n in range(3)], 279: [size] * 3}[tag]
            value, lists = start + len(lists), lists + struct.pack(f"{order}3{'H' if kind == 3 else 'I'}", *many)
        packed = struct.pack(f"{order}H2x" if kind == 3 and count == 1 else f"{order}I", value)
        body += struct.pack(f"{order}HHI", tag, kind, count) + packed
    return body + bytes(4) + lists + pixels


@pytest.mark.parametrize("order", "<>")
def test_planes_of_16_bits_are_not_taken_for_8(
    sdedit: Command, words: list[object], tmp_path: Path, order: str
) -> None:
    values = levels(3)
    data = tiff_in_planes(values, order)
    assert np.array_equal(np.asarray(open_image(io.BytesIO(data), "a.tif")), values >> 8)
    (tmp_path / "photo.tif").write_bytes(data)
    result = sdedit("edit", "photo.tif", *words, "-o", "out.tif")
    assert result.returncode == 0, result.stderr
    assert np.array_equal(load(tmp_path / "out.tif")[KEPT], values[KEPT])


def test_a_hole_of_16_bits_is_filled_and_the_rest_kept(sdedit: Command, words: list[object], tmp_path: Path) -> None:
    values = levels(4)
    values[..., 3] = np.where(KEPT, 65535 - 65535 // 60, 0)  # nearly opaque counts as opaque
    save(tmp_path / "photo.png", values)
    result = sdedit("edit", "photo.png", *words, "--mask", "alpha", "-o", "out.png")
    assert result.returncode == 0, result.stderr
    edited = load(tmp_path / "out.png")
    assert edited.shape[2] == 3
    assert np.array_equal(edited[KEPT], values[KEPT][:, :3])
