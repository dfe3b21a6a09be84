"""A file in parts small enough to carry, and the parts put together again.

    python benchmarks/short_run/parts.py split model.safetensors FOLDER
    python benchmarks/short_run/parts.py join FOLDER model.safetensors

Each part begins with a line of JSON that names the whole by its SHA-256, so that parts of two states of a model are
never joined, whatever their files are called.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

LARGEST = 15 << 20  # bytes of a part, its first line included
_HEADER = 1 << 10  # bytes that line may take


def split(file: Path, folder: Path) -> list[Path]:
    """Write `file` as parts into a folder, in place of the parts that lie there.

    All parts are written beside the folder first and renamed into it at the end, so that whoever takes the folder at
    any moment finds one whole set.

    Returns:
        The parts, in order.
    """
    whole = file.read_bytes()
    checksum = hashlib.sha256(whole).hexdigest()
    step = LARGEST - _HEADER
    count = max(1, -(-len(whole) // step))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.resolve().parent) as beside:
        fresh = []
        for index in range(count):
            header = {"file": file.name, "sha256": checksum, "part": index + 1, "of": count}
            part = Path(beside) / f"{file.name}.part-{index + 1}-of-{count}"
            part.write_bytes(json.dumps(header).encode() + b"\n" + whole[index * step : (index + 1) * step])
            fresh.append(part)
        stale = set(folder.glob(f"{file.name}.part-*")) - {folder / part.name for part in fresh}
        placed = [part.rename(folder / part.name) for part in fresh]
    for part in stale:
        part.unlink()
    return placed


def join(folder: Path, file: Path) -> str:
    """Put the parts in a folder together as `file`.

    Returns:
        The SHA-256 of the whole, which has been checked.

    Raises:
        ValueError: if there are no parts, one is missing, or they belong to more than one whole.
    """
    parts: dict[int, bytes] = {}
    wholes = set()
    for path in sorted(folder.glob("*.part-*")):
        line, _, content = path.read_bytes().partition(b"\n")
        header = json.loads(line)
        wholes.add((header["sha256"], header["of"]))
        parts[header["part"]] = content
    if not wholes:
        raise ValueError(f"there are no parts in {folder}")
    if len(wholes) > 1:
        raise ValueError(f"the parts in {folder} belong to {len(wholes)} files; keep those of one")
    checksum, count = wholes.pop()
    missing = set(range(1, count + 1)) - set(parts)
    if missing:
        raise ValueError(f"part {min(missing)} of {count} is missing in {folder}")
    whole = b"".join(parts[index] for index in range(1, count + 1))
    if hashlib.sha256(whole).hexdigest() != checksum:
        raise ValueError(f"the parts in {folder} are damaged; copy them again")
    beside = file.with_name(file.name + ".joining")
    beside.write_bytes(whole)
    beside.rename(file)
    return checksum


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, first, second in (("split", "file", "folder"), ("join", "folder", "file")):
        command = commands.add_parser(name)
        command.add_argument(first, type=Path)
        command.add_argument(second, type=Path)
    options = parser.parse_args()
    try:
        if options.command == "split":
            print(*split(options.file, options.folder), sep="\n")
        else:
            print(join(options.folder, options.file))
    except (OSError, ValueError) as error:
        sys.exit(f"parts: {error}")


if __name__ == "__main__":
    main()
