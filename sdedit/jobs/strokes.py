"""Simulating strokes from files: a photograph, a folder of them or an archive."""

from __future__ import annotations

import tarfile
from functools import partial
from pathlib import Path

from PIL import Image

from sdedit.errors import SdeditError
from sdedit.io.files import exists, is_folder, open_input, reason, write_atomically, write_output
from sdedit.io.images import fit_guide, open_image, working_size
from sdedit.io.outputs import plan_outputs
from sdedit.pipelines.strokes import simulate_strokes


def simulate_files(photo: str, output: str | None, size: int | None, overwrite: bool) -> Path | None:
    """Simulate strokes from an image, or from each in a folder or tar archive.

    Args:
        photo: the image, folder or archive; "-" is an image on standard input.
        output: the image or folder to write; "-" is standard output, None a name beside `photo`.
        size: the shorter side that photographs are shrunk or enlarged to first, in pixels; None leaves them.
        overwrite: whether files that exist may be replaced.

    Returns:
        What was written; None for standard output.

    Raises:
        SdeditError: if anything given cannot be used.
    """
    source = Path(photo)
    if photo != "-" and (is_folder(source) or _is_archive(source)):
        return _simulate_all(source, Path(output or source.with_name(f"{source.stem}-strokes")), size, overwrite)
    name = Path("photo.png" if photo == "-" else photo)
    if output is None and photo == "-":
        output = "-"
    default = name.with_name(f"{name.stem}-strokes.png")
    file = plan_outputs(output, default, [photo], [".png"], overwrite=overwrite)[0]
    strokes = _simulate(open_image(*open_input(photo)), size)
    write_output(file, partial(strokes.save, format="PNG"))
    return file


def _simulate_all(source: Path, folder: Path, size: int | None, overwrite: bool) -> Path:
    from sdedit.io.photographs import photograph_files

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SdeditError(f"cannot make the folder {folder}: {reason(error)}") from error
    done: set[Path] = set()
    for name, data in photograph_files(source):
        file = folder / f"{Path(name).stem}.png"
        if file in done:
            raise SdeditError(f"two photographs in {source} are called {file.stem}; rename one of them")
        if exists(file) and not overwrite:
            raise SdeditError(f"{file} exists; add --overwrite to replace it, or name another output")
        strokes = _simulate(open_image(data, name), size)
        write_atomically(file, partial(strokes.save, format="PNG"))
        done.add(file)
    if not done:
        raise SdeditError(f"there are no pictures in {source}")
    return folder


def _simulate(photo: Image.Image, size: int | None) -> Image.Image:
    if size is not None:
        photo = fit_guide(photo, working_size(photo.size, size))
    return simulate_strokes(photo)


def _is_archive(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except OSError:
        return False
