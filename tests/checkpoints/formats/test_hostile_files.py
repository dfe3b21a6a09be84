"""Files that would run code, take memory or reach elsewhere: none loads, none runs, each gets one sentence."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from sdedit import SdeditError, load_model
from tests.helpers.folders import REPOSITORY
from tests.helpers.hostile_classes import Built
from tests.helpers.published_files import (
    INDEX_SMALL,
    OPTIONS_SMALL,
    Persistent,
    in_score_sde_names,
    random_unet,
    sigma_table,
    training_checkpoint,
    write_edm,
)
from tests.helpers.references import SongUNet, Tensors

Maker = Callable[[Path, Path], None]
HOSTILE: dict[str, Maker] = {}


def hostile(maker: Maker) -> Maker:
    """Register a function that writes a hostile file: it gets the file's path and the marker's."""
    HOSTILE[maker.__name__] = maker
    return maker


class Reduced:
    """Unpickles by running a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def built(marker: Path) -> bytes:
    return (
        b"\x80\x02c" + f"{Built.__module__}\nBuilt\n".encode() + b")\x81" + pickle.dumps(str(marker), 2)[2:-1] + b"b."
    )


def state() -> dict[str, torch.Tensor]:
    return in_score_sde_names(random_unet(OPTIONS_SMALL).state_dict(), INDEX_SMALL)


def plain_checkpoint() -> dict[str, Any]:
    weights = state()
    return training_checkpoint(weights, weights, sigma_table(380, 2000))


@hostile
def reduce_in_a_plain_pickle(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps({"ema": Reduced(marker)}))


@hostile
def reduce_in_protocol_0(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x02" + f"cposix\nsystem\n(Vtouch {marker}\ntR.".encode())


@hostile
def build_in_a_plain_pickle(path: Path, marker: Path) -> None:
    path.write_bytes(built(marker))


@hostile
def instance_by_the_old_operation(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x02" + f"(Vtouch {marker}\niposix\nsystem\n.".encode())


@hostile
def object_by_the_old_operation(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x02" + f"(cposix\nsystem\nVtouch {marker}\no.".encode())


@hostile
def keyword_instance(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x04" + f"cpathlib\nPath\n(V{marker}\nt}}\x92.".encode())


@hostile
def persistent_id(path: Path, marker: Path) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", Reduced(marker), "0", "cpu", 4) if value == "x" else None

    file = io.BytesIO()
    Pickler(file, 2).dump({"ema": "x"})
    path.write_bytes(file.getvalue())


@hostile
def reduce_in_a_torch_zip(path: Path, marker: Path) -> None:
    torch.save(plain_checkpoint() | {"extra": Reduced(marker)}, path)


@hostile
def reduce_in_a_legacy_torch_file(path: Path, marker: Path) -> None:
    torch.save(plain_checkpoint() | {"extra": Reduced(marker)}, path, _use_new_zipfile_serialization=False)


@hostile
def reduce_after_the_legacy_magic(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps(Reduced(marker), 2))


@hostile
def reduce_in_a_bin(path: Path, marker: Path) -> None:
    path.mkdir()
    random_unet(OPTIONS_SMALL).save_config(path)
    torch.save({"conv_in.weight": Reduced(marker)}, path / "diffusion_pytorch_model.bin")


@hostile
def plain_pickle_as_a_bin(path: Path, marker: Path) -> None:
    path.mkdir()
    random_unet(OPTIONS_SMALL).save_config(path)
    (path / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Reduced(marker)))


@hostile
def source_in_an_edm_pickle(path: Path, marker: Path) -> None:
    Persistent.source = f"open({str(marker)!r}, 'w')"
    write_edm(path, {"enc.32x32_conv.weight": torch.zeros(8, 3, 3, 3)})


@hostile
def reduce_in_the_bytes_of_an_edm_tensor(path: Path, marker: Path) -> None:
    inner = pickle.dumps(Reduced(marker), 2)

    class Storage:
        def __reduce__(self) -> Any:
            return torch.storage._load_from_bytes, (inner,)

    path.write_bytes(pickle.dumps({"ema": Storage()}))


@hostile
def entries_outside_a_zip(path: Path, marker: Path) -> None:
    torch.save(plain_checkpoint(), path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"../{marker.name}", "x")


@hostile
def index_outside_its_folder(path: Path, marker: Path) -> None:
    path.mkdir()
    random_unet(OPTIONS_SMALL).save_config(path)
    torch.save({"x": Reduced(marker)}, path.parent / "secret.bin")
    index = {"weight_map": {"conv_in.weight": "../secret.bin"}}
    (path / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


@hostile
def truncated_zip(path: Path, marker: Path) -> None:
    torch.save(plain_checkpoint(), path)
    path.write_bytes(path.read_bytes()[:-3000])


@hostile
def truncated_legacy_file(path: Path, marker: Path) -> None:
    torch.save(plain_checkpoint(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-3000])


@hostile
def truncated_edm_pickle(path: Path, marker: Path) -> None:
    write_edm(path, {"enc.32x32_conv.weight": torch.zeros(64, 64, 3, 3)})
    path.write_bytes(path.read_bytes()[:100_000])


@hostile
def truncated_safetensors(path: Path, marker: Path) -> None:
    safetensors.torch.save_file(state(), path)
    path.write_bytes(path.read_bytes()[:-3000])


@hostile
def giant_safetensors_header(path: Path, marker: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{" + b" " * 1000)


@hostile
def giant_count_in_a_legacy_file(path: Path, marker: Path) -> None:
    torch.save({"model": {"all_modules.0.W": torch.zeros(7)}}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert data.count(b"K\x07N") == 1
    path.write_bytes(data.replace(b"K\x07N", b"\x8a\x06" + (1 << 44).to_bytes(6, "little") + b"N"))


@hostile
def giant_view_of_few_numbers(path: Path, marker: Path) -> None:
    # Zero strides: a terabyte of shape over one number. In a zip torch rebuilds such tensors.
    torch.save({name: torch.zeros(1).expand(1 << 20, 1 << 20) for name in state()}, path)


@hostile
def giant_view_in_a_legacy_file(path: Path, marker: Path) -> None:
    giant = {name: torch.zeros(1).expand(1 << 20, 1 << 20) for name in state()}
    torch.save(giant, path, _use_new_zipfile_serialization=False)


@hostile
def giant_bytearray(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x05\x96" + struct.pack("<Q", 1 << 36) + b"." * 100)


@hostile
def giant_bytes(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 36) + b"." * 100)


@hostile
def giant_frame_of_many_objects(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x04\x95" + struct.pack("<Q", 1 << 26) + b"]" * (1 << 26) + b".")


@hostile
def many_objects(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x04" + b"]" * (1 << 24) + b".")


@hostile
def giant_memo(path: Path, marker: Path) -> None:
    path.write_bytes(b"\x80\x04]r" + struct.pack("<I", (1 << 32) - 1) + b"." * 100)


@hostile
def modules_that_fan_out(path: Path, marker: Path) -> None:
    # Each holds the one below twice: thirty of them, a thousand million to walk.
    node = Persistent("Leaf")
    for _ in range(30):
        outer = Persistent("Node")
        outer._modules |= {"a": node, "b": node}
        node = outer
    write_edm(path, {"enc.32x32_conv.weight": torch.zeros(8, 3, 3, 3)}, _modules={"a": node})


@hostile
def zip_bomb(path: Path, marker: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as entry:
            for _ in range(256):
                entry.write(bytes(1 << 20))
        archive.writestr("archive/version", "3")


@hostile
def zip_of_overlapping_entries(path: Path, marker: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/data/0", bytes(1 << 16))
        for number in range(1, 50):
            entry = zipfile.ZipInfo(f"archive/data/{number}")
            first = archive.getinfo("archive/data/0")
            entry.header_offset, entry.CRC = first.header_offset, first.CRC
            entry.file_size = entry.compress_size = first.file_size
            archive.filelist.append(entry)
            archive._didModify = True


@hostile
def file_of_zeros(path: Path, marker: Path) -> None:
    path.write_bytes(bytes(1000))


@hostile
def config_of_a_gigabyte(path: Path, marker: Path) -> None:
    path.mkdir()
    with (path / "config.json").open("wb") as file:
        file.truncate(1 << 30)


@hostile
def deep_json(path: Path, marker: Path) -> None:
    path.mkdir()
    (path / "config.json").write_text("[" * 100_000)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, marker = tmp_path / "model.pth", tmp_path / "marker"
    monkeypatch.setattr(Persistent, "source", Persistent.source)
    HOSTILE[name](path, marker)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SdeditError) as caught:
        load_model(path, precision="fp32", sigma_max=380.0)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert len(sentence) < 600
    assert not marker.exists()
    assert not list(tmp_path.glob("**/marker"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000, "kilobytes"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title>", "web page"),
        (b"\n<html>404 Not Found</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 262300000\n", "git-lfs"),
        (b"\x83\xa5model\x82\xa6params\xc0\xa4step\x01\xa9optimizer\x80", "JAX"),
        (b"\xde\x00\x20\xa5model\x82\xa6params\xc0\xa4step\x01\xa9optimizer\x80", "JAX"),
        (b"\x1f\x8b\x08\x00" + bytes(30), "gzip"),
        (bytes(257) + b"ustar" + bytes(300), "tar archive"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "no checkpoint"),
    ],
)
def test_files_named_as_what_they_are(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "checkpoint_8.pth"
    path.write_bytes(content)
    with pytest.raises(SdeditError, match=words):
        load_model(path)


def test_other_networks_are_named(tmp_path: Path) -> None:
    torch.save({"down.0.block.0.norm1.weight": torch.zeros(3)}, tmp_path / "vp.ckpt")
    with pytest.raises(SdeditError, match="VP"):
        load_model(tmp_path / "vp.ckpt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SdeditError, match=r"no config\.json"):
        load_model(tmp_path / "empty")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.txt", "x" * 100)
    with pytest.raises(SdeditError, match="zip archive"):
        load_model(tmp_path / "photos.zip")


@pytest.mark.parametrize("zipped", [True, False])
def test_flipped_bits(tmp_path: Path, zipped: bool) -> None:
    """A flipped bit is refused, or changes at most what a number is: never a crash, never another shape."""
    path = tmp_path / "model.pth"
    torch.save({"model": dict(list(plain_checkpoint()["model"].items())), "step": 1}, path,
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    data = bytearray(path.read_bytes())
    generator = torch.Generator().manual_seed(0)
    # Mostly in the structure at the start (legacy) or at both ends (zip).
    ends = [int(x) for x in torch.randint(0, 20_000, (16,), generator=generator)]
    for place in [*ends, *(-1 - place for place in ends[:8])]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            model = load_model(path, precision="fp32", sigma_max=380.0)
        except SdeditError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert model.network.config.channels == (32, 128, 128)


def test_source_of_a_sound_edm_pickle_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "marker"
    monkeypatch.setattr(Persistent, "source", f"open({str(marker)!r}, 'w')")
    weights = Tensors(seed=0)
    SongUNet(weights, 32, (1, 1), blocks=1)(torch.zeros(1, 3, 32, 32), torch.zeros(1))
    write_edm(tmp_path / "network.pkl", dict(weights))
    assert marker.name.encode() in (tmp_path / "network.pkl").read_bytes()
    assert load_model(tmp_path / "network.pkl").native_size == 32
    assert not marker.exists()


def test_class_conditional_models_are_refused(tmp_path: Path) -> None:
    write_edm(tmp_path / "network.pkl", {"map_label.weight": torch.zeros(4, 4)})
    with pytest.raises(SdeditError, match="class-conditional"):
        load_model(tmp_path / "network.pkl")


def test_the_hostile_pickles_would_run_elsewhere(tmp_path: Path) -> None:
    """The files are as dangerous as they claim: a plain unpickler does create the marker."""
    path, marker = tmp_path / "a.pkl", tmp_path / "marker"
    for maker in (reduce_in_a_plain_pickle, reduce_in_protocol_0, build_in_a_plain_pickle):
        maker(path, marker)
        code = f"import pickle; pickle.load(open({str(path)!r}, 'rb'))"
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, cwd=REPOSITORY)
        assert marker.exists(), maker.__name__
        marker.unlink()


def test_ordinary_containers_are_rebuilt(tmp_path: Path) -> None:
    from sdedit.checkpoints.formats.pickles import read_legacy_torch, read_pickle

    shared = torch.arange(12.0).reshape(3, 4)
    content = {
        "view": shared.T,
        "part": shared[1:, ::2],
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(shared),
        "half": shared.half(),
        "index": torch.tensor([1, 2, 3]),
        "brain": shared.bfloat16(),
        "flags": torch.tensor([True, False]),
        "ordered": collections.OrderedDict(a=1, b=[2.5, None, ("x", True)]),
    }
    torch.save(content, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(content))
    for found in (read_legacy_torch(tmp_path / "legacy.pt"), read_pickle(tmp_path / "plain.pkl")):
        assert found.keys() == content.keys()
        for name, value in content.items():
            same = torch.equal(value, found[name]) if isinstance(value, torch.Tensor) else value == found[name]
            assert same, name
