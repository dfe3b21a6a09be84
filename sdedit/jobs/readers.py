"""Reads the guides of a job, each with the layers that belong to it: one file for all, or those of a folder by name."""

from __future__ import annotations

import io
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sdedit.errors import SdeditError
from sdedit.io.files import PIPE, exists, is_file, is_folder, open_input
from sdedit.io.images import Size
from sdedit.io.walk import is_wanted
from sdedit.jobs.guides import Guide, read_guide
from sdedit.jobs.options import ALPHA, LayerOptions

if TYPE_CHECKING:
    from sdedit.jobs.edit import LayeredImage
    from sdedit.jobs.tasks import Task


class Layers:
    """Finds and reads what is laid over each image of a job: one file for all, or a folder of them by name."""

    def __init__(self, options: LayerOptions) -> None:
        """Raises SdeditError if a file or folder of layers is not there."""
        for place in (options.layer, options.mask):
            if place not in (None, PIPE, ALPHA) and not exists(Path(place)):  # type: ignore[arg-type]
                raise SdeditError(f"there is no file or folder {place}")
        self.options = options
        self._names: dict[str, dict[str, list[str]]] = {}

    def files(self, task: Task) -> list[str]:
        """The files of strokes or patch, and of the mask if there is one, that belong to a task's image.

        Raises:
            SdeditError: if there is none of its name, or more than one.
        """
        layer, mask = self.options.layer, self.options.mask
        mask = None if self.options.mask_is_alpha else mask
        return [self._beside(place, task) for place in (layer, mask) if place is not None]

    def open(self, task: Task) -> LayeredImage:
        """A task's image with its layers.

        Raises:
            SdeditError: if a file is missing or no whole image, or the output's format cannot hold the image.
        """
        from sdedit.jobs.edit import Content, open_layered  # with scipy, which painting need not load

        paths = [task.path, *self.files(task)]
        if paths.count(PIPE) > 1:
            raise SdeditError("standard input can be one of the images only")
        contents = []
        for path in paths:
            stream, name = open_input(path)
            contents.append(Content(path, name, io.BytesIO(stream.read())))
        image, layer, *mask = contents
        return open_layered(image, layer, mask[0] if mask else None, self.options, task.output)

    def _beside(self, place: str, task: Task) -> str:
        if place == PIPE or not is_folder(Path(place)):
            return place
        relative = PurePath(task.relative or Path(task.path).name)
        exact = Path(place, relative)
        if is_file(exact):
            return str(exact)
        folder = exact.parent
        if str(folder) not in self._names:
            by_stem: dict[str, list[str]] = {}
            for file in sorted(folder.iterdir()) if is_folder(folder) else []:
                if is_wanted(file.name) and is_file(file):
                    by_stem.setdefault(file.stem, []).append(str(file))
            self._names[str(folder)] = by_stem
        found = self._names[str(folder)].get(relative.stem, [])
        if len(found) != 1:
            many = f"more than one, {' and '.join(found)}" if found else "none"
            raise SdeditError(
                f"{task.path} wants one image called {relative.with_suffix('')} in {place}; there is {many}"
            )
        return found[0]


class Reader:
    """Reads the guides of a job, with their layers where there are any."""

    def __init__(self, background: str, layers: LayerOptions | None) -> None:
        self.background = background
        self.layers = None if layers is None else Layers(layers)

    def open(self, task: Task) -> Guide | LayeredImage:
        """The files of a task's guide, read before a model is needed; `at` gives the guide at a size.

        Raises:
            SdeditError: if a file is no whole image.
        """
        return read_guide(task.path, self.background) if self.layers is None else self.layers.open(task)

    def read(self, task: Task, size: Size) -> Guide:
        """The guide at the size it is painted at.

        Raises:
            SdeditError: if a file is no whole image, or cannot be painted at that size.
        """
        if self.layers is None:
            return read_guide(task.path, self.background, size)
        return self.layers.open(task).at(size)
