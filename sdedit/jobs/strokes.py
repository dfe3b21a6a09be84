"""Simulating strokes from files: a photograph, a folder of them or an archive."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.files import PIPE, exists, is_folder, make_folder, open_input, write_atomically, write_output
from sdedit.io.images import fit_guide, open_image, working_size
from sdedit.io.outputs import plan_outputs
from sdedit.io.photographs import is_zip, photograph_files
from sdedit.jobs.batch.listing import kept_path, list_guides, name_targets, told_left_out
from sdedit.jobs.console import Console
from sdedit.jobs.tasks import PaintedFile, Tally
from sdedit.pipelines.strokes import simulate_strokes

Opened = Callable[[], tuple[BinaryIO, str]]  # a picture's content and its name


def strokes_folder(photo: str, output: str | None) -> Path | None:
    """The folder that strokes of many photographs are written in; None if `photo` is one picture.

    Raises:
        SdeditError: if it cannot be told what `photo` is.
    """
    source = Path(photo)
    if photo == PIPE or not (is_folder(source) or _is_archive(source)):
        return None
    return Path(output or source.with_name(f"{source.stem}-strokes"))


def simulate_one(
    photo: str, output: str | None, size: int | None, overwrite: bool
) -> Generator[PaintedFile, None, None]:
    """Simulate strokes from a picture.

    Args:
        photo: its file; "-" is standard input.
        output: the file or folder to write; "-" is standard output, None a name beside `photo`.
        size: the shorter side that a photograph is shrunk or enlarged to first, in pixels; None leaves it.
        overwrite: whether a file that exists may be replaced.

    Raises:
        SdeditError: if anything given cannot be used.
    """
    name = Path("photo.png" if photo == PIPE else photo)
    if output is None and photo == PIPE:
        output = PIPE
    default = name.with_name(f"{name.stem}-strokes.png")
    file = plan_outputs(output, default, [photo], [".png"], overwrite=overwrite)[0]
    strokes = _simulate(*open_input(photo), size)
    write_output(file, partial(strokes.save, format="PNG"))
    yield PaintedFile(photo, str(file or PIPE), "painted")


def simulate_all(
    photos: Path, folder: Path, size: int | None, overwrite: bool, console: Console
) -> Generator[PaintedFile, None, None]:
    """Simulate strokes from each picture in a folder or tar archive, by the same names and in the same tree.

    Pictures that are there already are left as they are. A photograph that cannot be read gives a result with an error,
    and the others go on.

    Args:
        photos: the folder or archive.
        folder: to write in; it is made if need be.
        size: as in `simulate_one`.
        overwrite: simulate those that are there again.
        console: says what is done and what failed.

    Raises:
        SdeditError: if there are no pictures, or the folder cannot be written.
        SomeFailedError: at the end, if some photographs could not be read.
    """
    entries = _in_folder(photos, folder, console) if is_folder(photos) else _in_archive(photos)
    tally = Tally("simulated")
    for name, target, opened in entries:
        result = _simulate_into(name, folder / target, opened, size, overwrite)
        tally.add(result)
        yield result
    if not sum(tally.counts.values()):
        raise SdeditError(f"there are no pictures in {photos}")
    console.log(tally.summary())
    for line in tally.failures():
        console.warn(f"  {line}")
    tally.raise_for_failures(None)


def _simulate_into(name: str, file: Path, opened: Opened, size: int | None, overwrite: bool) -> PaintedFile:
    try:
        if exists(file) and not overwrite:
            return PaintedFile(name, str(file), "skipped")
        strokes = _simulate(*opened(), size)
        make_folder(file.parent)
    except SdeditError as error:
        return PaintedFile(name, str(file), "failed", error=str(error))
    write_atomically(file, partial(strokes.save, format="PNG"))
    return PaintedFile(name, str(file), "painted")


def _in_folder(photos: Path, folder: Path, console: Console) -> Iterator[tuple[str, str, Opened]]:
    listing = list_guides([photos], [], folder)
    if listing.left_out:
        console.log(told_left_out(listing.left_out))
    for source in listing.guides:
        yield source.path, source.target, partial(open_input, source.path)


def _in_archive(photos: Path) -> Iterator[tuple[str, str, Opened]]:
    names = {name: kept_path(name) for name, _ in photograph_files(photos)}
    shared = posixpath.commonpath([posixpath.dirname(kept) for kept in names.values()] or [""])
    names = {name: posixpath.relpath(kept, shared or ".") for name, kept in names.items()}
    targets = {source.path: source.target for source in name_targets(names)}
    for name, data in photograph_files(photos):
        yield name, targets[name], lambda data=data, name=name: (data, name)  # type: ignore[misc]


def _simulate(data: BinaryIO, name: str, size: int | None) -> Image.Image:
    photo = open_image(data, name)
    if size is not None:
        try:
            photo = fit_guide(photo, working_size(photo.size, size))
        except ValueError as error:
            raise SdeditError(f"{name}: {error}") from error
    return simulate_strokes(photo)


def _is_archive(path: Path) -> bool:
    """Whether a file is a tar archive; a zip archive is one too, which is then refused by name."""
    try:
        return tarfile.is_tarfile(path) or is_zip(path)
    except OSError:
        return False
