"""Which files a job writes, and the refusal of those that it must not."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.io.files import PIPE, exists, is_folder
from sdedit.io.writing import make_folder

_ANIMATIONS = (".gif", ".webp", ".png", ".apng")


_SEPARATORS = ("/", os.sep)  # at the end of a name they say that it is a folder's


def plan_outputs(
    output: str | None,
    default: Path,
    inputs: Collection[str],
    suffixes: Collection[str],
    count: int = 1,
    overwrite: bool = False,
    skip_existing: bool | None = None,
    name_in_folder: str | None = None,
) -> list[Path | None]:
    """The files to write, None standing for standard output.

    Args:
        output: a file, a folder (which is made where the name ends in "/"), "-", or None for `default`.
        default: the file to write where no other is named.
        inputs: files that must not be written over.
        suffixes: what a file's name may end in.
        count: how many files; more than one are numbered from 1.
        overwrite: whether files that exist may be replaced.
        skip_existing: whether they will be left alone; None if that cannot be asked for.
        name_in_folder: of the file in a folder; None for the name of `default`.

    Raises:
        SdeditError: if any of them cannot or must not be written.
    """
    if output == PIPE:
        if sys.stdout is not None and sys.stdout.isatty():
            raise SdeditError(
                "an image is not shown on a terminal; send it on with > or |, or name a file with --output"
            )
        return [None]
    first = default if output is None else Path(output)
    if output is not None and output.endswith(_SEPARATORS):
        make_folder(first)
    if is_folder(first):
        first = first / (name_in_folder or default.name)
    if first.suffix.lower() not in suffixes:
        raise SdeditError(f"cannot write {first}: its name must end in one of {', '.join(sorted(suffixes))}")
    if not is_folder(first.parent):
        raise SdeditError(f"cannot write {first}: there is no folder {first.parent}")
    if not os.access(first.parent, os.W_OK):
        raise SdeditError(f"cannot write {first}: the folder {first.parent} is read-only")
    files = [first] if count == 1 else [numbered(first, variant) for variant in range(count)]
    sources = [Path(name) for name in inputs if name != PIPE and exists(Path(name))]
    for file in files:
        if is_folder(file):
            raise SdeditError(f"cannot write {file}: it is a folder")
        if exists(file) and any(file.samefile(source) for source in sources):
            words = "the guide itself" if len(inputs) == 1 else "one of the images to read"
            raise SdeditError(f"{file} is {words}; name another output")
        if exists(file) and not overwrite and not skip_existing:
            leave = "" if skip_existing is None else " --skip-existing to leave it,"
            raise SdeditError(f"{file} exists; add --overwrite to replace it,{leave} or name another output")
    return list(files)


def beside(name: str, ending: str, suffix: str = ".png") -> Path:
    """The file beside one that is named, or beside nothing for standard input: a/b.jpg gives a/b-painted.png.

    Raises:
        SdeditError: if the name is that of no file.
    """
    file = Path("guide.png" if name == PIPE else name)
    if not file.name:
        raise SdeditError(f"{name!r} names no file")
    return file.with_name(f"{file.stem}-{ending}{suffix}")


def numbered(file: Path, variant: int) -> Path:
    """The file of a variant: file-1.png is variant 0."""
    return file.with_name(f"{file.stem}-{variant + 1}{file.suffix}")


def plan_animation(
    animation: str | None, outputs: Collection[Path | None], inputs: Collection[str], overwrite: bool = False
) -> Path | None:
    """The file of an animation, if one is asked for, which is none of the outputs either.

    Raises:
        SdeditError: if it cannot or must not be written.
    """
    if animation is None:
        return None
    file = plan_outputs(animation, Path("animation.gif"), inputs, _ANIMATIONS, overwrite=overwrite)[0]
    if file is None or file in outputs:
        raise SdeditError("an animation is a file of its own; name another, such as painting.gif")
    return file
