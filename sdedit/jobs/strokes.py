"""Simulating strokes from files: a photograph, a folder of them or an archive."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.files import PIPE, exists, is_folder, open_input
from sdedit.io.images import fit_guide, open_image, working_size
from sdedit.io.outputs import beside, plan_outputs
from sdedit.io.photograph_files import Omitted, archived_paths, is_zip, photograph_files
from sdedit.io.recipe import is_whole, save_image
from sdedit.io.walk import told_left_out, told_unreadable
from sdedit.io.writing import ends_the_work, make_folder, write_output
from sdedit.jobs.batch.folder import prepare_folder
from sdedit.jobs.batch.listing import list_guides, name_targets
from sdedit.jobs.console import Console
from sdedit.jobs.tasks import PaintedFile, Tally
from sdedit.pipelines.strokes import simulate_strokes

_TOLD = "sdedit-strokes"  # the key of a text in the PNG
Opened = Callable[[], tuple[BinaryIO, str]]  # an image's content and its name


def strokes_folder(photo: str, output: str | None) -> Path | None:
    """The folder that strokes of many photographs are written in; None if `photo` is one image.

    Raises:
        SdeditError: if it cannot be told what `photo` is.
    """
    source = Path(photo)
    if photo in (PIPE, "") or not (is_folder(source) or _is_archive(source)):
        return None
    return Path(output or beside(photo if source.name else str(source.resolve()), "strokes", ""))


def simulate_one(
    photo: str, output: str | None, size: int | None, overwrite: bool
) -> Generator[PaintedFile, None, None]:
    """Simulate strokes from an image.

    Args:
        photo: its file; "-" is standard input.
        output: the file or folder to write; "-" is standard output, None a name beside `photo`.
        size: the shorter side that a photograph is shrunk or enlarged to first, in pixels; None leaves it.
        overwrite: whether a file that exists may be replaced.

    Raises:
        SdeditError: if anything given cannot be used.
    """
    if output is None and photo == PIPE:
        output = PIPE
    file = plan_outputs(output, beside(photo, "strokes"), [photo], [".png"], overwrite=overwrite)[0]
    content = simulate_from(*open_input(photo), size)
    write_output(file, lambda opened: opened.write(content))
    yield PaintedFile(photo, str(file or PIPE), "painted")


def simulate_all(
    photos: Path, folder: Path, size: int | None, overwrite: bool, console: Console
) -> Generator[PaintedFile, None, None]:
    """Simulate strokes from each image in a folder or tar archive, by the same names and in the same tree.

    What is done is left, and made again where the photograph has changed; what is there and was made with another size,
    or by something else, is kept. A photograph that cannot be read gives a result with an error, and the others go on.

    Args:
        photos: the folder or archive.
        folder: to write in; it is made if need be.
        size: as in `simulate_one`.
        overwrite: simulate all of them again, whatever is there.
        console: says what is done and what failed.

    Raises:
        SdeditError: if there are no images, or the folder cannot be written.
        SomeFailedError: at the end, if some photographs could not be read, or other images are kept.
    """
    omitted = Omitted()
    entries = _in_folder(photos, folder, omitted) if is_folder(photos) else _in_archive(photos, omitted)
    prepare_folder(folder)
    tally = Tally("simulated")
    for name, target, opened in entries:
        result = _simulate_into(name, folder / target, opened, size, overwrite)
        tally.add(result)
        yield result
    for sentence in omitted.told:
        console.log(sentence)
    for sentence in omitted.failed:
        result = PaintedFile(str(photos), str(folder), "failed", error=sentence)
        tally.add(result)
        yield result
    if not sum(tally.counts.values()):
        raise SdeditError(f"there are no images in {photos}")
    console.log(tally.summary())
    for line in tally.failures():
        console.warn(f"  {line}")
    tally.raise_for_failures(None)


def _simulate_into(name: str, file: Path, opened: Opened, size: int | None, overwrite: bool) -> PaintedFile:
    try:
        there = None if overwrite or not exists(file) else _told_in(file)
        if there is not None and there.get("size", 0) != size:
            sides = [str(side or "the photograph's own") for side in (there.get("size"), size)]
            why = (
                f"it was made with size {sides[0]}, not {sides[1]}" if "size" in there else "it is not of this command"
            )
            return PaintedFile(name, str(file), "skipped", reason=why)
        data = opened()
        if there == _told_of(data[0], size) and is_whole(file):
            return PaintedFile(name, str(file), "skipped")
        content = simulate_from(*data, size)
        make_folder(file.parent)
        write_output(file, lambda opened: opened.write(content))
    except SdeditError as error:
        if ends_the_work(error):
            raise
        return PaintedFile(name, str(file), "failed", error=str(error))
    return PaintedFile(name, str(file), "painted")


def _told_of(data: BinaryIO, size: int | None) -> dict[str, Any]:
    """What a file of strokes says that it was made of, by which the command knows it again."""
    told = {"photograph": hashlib.sha256(data.read()).hexdigest(), "size": size}
    data.seek(0)
    return told


def _told_in(file: Path) -> dict[str, Any]:
    """What a file says that it was made of; nothing if it is not of this command."""
    with suppress(Exception), Image.open(file, formats=("PNG",)) as image:
        return dict(json.loads(image.info[_TOLD]))
    return {}


def _in_folder(photos: Path, folder: Path, omitted: Omitted) -> Iterator[tuple[str, str, Opened]]:
    listing = list_guides([photos], [], folder)
    omitted.told += [told_left_out(listing.left_out)] if listing.left_out else []
    omitted.failed += [told_unreadable(*place) for place in listing.unreadable]
    return ((source.path, source.target, partial(open_input, source.path)) for source in listing.guides)


def _in_archive(photos: Path, omitted: Omitted) -> Iterator[tuple[str, str, Opened]]:
    targets = {source.path: source.target for source in name_targets(archived_paths(photos, omitted))}
    return (
        (name, targets[name], lambda content=content, name=name: (content, name))  # type: ignore[misc]
        for name, _, content in photograph_files(photos)
    )


def simulate_from(data: BinaryIO, name: str, size: int | None) -> bytes:
    """A PNG file of strokes from the content of an image file.

    Args:
        data: the file, open and seekable.
        name: what messages call it.
        size: as in `simulate_one`.

    Raises:
        SdeditError: if it is no whole image, or cannot have that size.
    """
    told = _told_of(data, size)
    photo = open_image(data, name)
    if size is not None:
        try:
            photo = fit_guide(photo, working_size(photo.size, size))
        except ValueError as error:
            raise SdeditError(f"{name}: {error}") from error
    file = io.BytesIO()
    save_image(simulate_strokes(photo), file, ".png", None, texts={_TOLD: json.dumps(told)})
    return file.getvalue()


def _is_archive(path: Path) -> bool:
    """Whether a file is a tar archive; a zip archive is one too, which is then refused by name."""
    try:
        return tarfile.is_tarfile(path) or is_zip(path)
    except OSError:
        return False
