"""Which guides a job paints, in which order, and into which files. Only names are looked at: no file is opened.

- A folder is walked with its tree kept: FOLDER/a/b.jpg becomes OUT/a/b.png. Hidden files and folders, links to folders
  and the folder OUT itself are left out. Of several inputs each folder keeps its own name, as with `cp -r A B OUT`.
- A file named by itself goes to OUT under its name, as with `cp`.
- A relative path in a list keeps its folders; an absolute one, or one with "..", its name only.

The path that is kept, with "/" on every system, is the guide's *relative path*: its seed derives from it.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from sdedit.errors import SdeditError
from sdedit.io.outputs import numbered
from sdedit.io.walk import kept_path, walk_images
from sdedit.jobs.tasks import Task


class GuideFile(NamedTuple):
    """One guide of a job: its file, its relative path, and that of its image."""

    path: str
    relative: str
    target: str


@dataclass(frozen=True)
class Listing:
    """The guides of a job in their order, each of them `variants` times."""

    guides: Sequence[GuideFile]
    output: Path
    variants: int
    unreadable: Sequence[tuple[str, str]] = ()  # folders, and why
    left_out: Sequence[str] = ()  # images of kinds that are not read, and links to folders

    def __len__(self) -> int:
        return len(self.guides) * self.variants

    def tasks(self, start: int, stop: int, folder_seed: int) -> list[Task]:
        """The images of a range of numbers, variants of a guide side by side."""
        tasks = []
        for number in range(start, min(stop, len(self))):
            source, variant = self.guides[number // self.variants], number % self.variants
            target = Path(self.output, source.target)
            if self.variants > 1:
                target = numbered(target, variant)
            seed = seed_of(folder_seed, source.relative, variant)
            tasks.append(Task(source.path, target, seed, folder_seed, source.relative))
        return tasks

    def digest(self) -> str:
        """The same for every process that has the same list."""
        names = "\n".join([str(self.output), str(self.variants), *(source.target for source in self.guides)])
        return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def seed_of(folder_seed: int, relative: str, variant: int) -> int:
    """The seed of an image in a folder: the first 48 bits of SHA-256 of "folder_seed/variant/relative path".

    Paths are compared as Unicode in composed form (NFC), so that a folder copied from a Mac keeps its seeds.
    """
    words = f"{folder_seed}/{variant}/{unicodedata.normalize('NFC', relative)}"
    return int.from_bytes(hashlib.sha256(words.encode("utf-8", "surrogateescape")).digest()[:6], "big")


def list_guides(
    inputs: Sequence[str | Path],
    lines: Iterable[str],
    output: Path,
    variants: int = 1,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    suffix: str = ".png",
) -> Listing:
    """The guides of a job.

    Args:
        inputs: folders and files; a file need not exist, and is then reported when its turn comes.
        lines: more of them, from a list.
        output: folder the images are written to.
        variants: images for each guide.
        include: patterns of names that are guides in folders; empty for the suffixes of images.
        exclude: patterns of names that are not. A pattern with "/" is matched with the relative path, another one with
            each part of it.
        suffix: what the names of the images end in.

    Raises:
        SdeditError: if there are no guides, or two guides would become one file, or an image would replace a guide.
    """
    found: dict[str, str] = {}  # file: relative path; a file named twice is painted once
    unreadable: list[tuple[str, str]] = []
    left_out: list[str] = []
    for given, is_line in [*((str(one), False) for one in inputs), *((line, True) for line in lines)]:
        if os.path.isdir(given):  # noqa: PTH112
            alone = len(inputs) == 1 and not is_line
            prefix = kept_path(given) if is_line else Path(given).resolve().name
            if os.path.realpath(given) == os.path.realpath(output):
                raise SdeditError(f"{output} is the folder of the guides itself; name another with --output")
            inside = walk_images(given, include, exclude, str(output))
            unreadable += inside.unreadable
            left_out += inside.left_out
            for relative, path in inside.files:
                found.setdefault(path, relative if alone else posixpath.normpath(f"{prefix}/{relative}"))
        else:
            found.setdefault(os.path.normpath(given), kept_path(given) if is_line else PurePath(given).name)
    if not found and not unreadable:
        named = str(inputs[0]) if inputs else "the list"
        raise SdeditError(f"there are no images in {named}; name a folder with images, or their files")
    sources = name_targets(found, suffix)
    _refuse_guides_as_images(sources, output, variants)
    return Listing(sources, output, variants, unreadable, left_out)


def name_targets(found: dict[str, str], suffix: str = ".png") -> list[GuideFile]:
    """Name the images: a/b.jpg becomes a/b.png; where b.gif or B.png wants that name as well, a/b.jpg.png.

    A guide that is called b.png already keeps its name, so that it does not depend on its neighbours.
    """
    short = {path: posixpath.splitext(relative)[0] + suffix for path, relative in found.items()}
    wanted = Counter(target.casefold() for target in short.values())
    sources: dict[str, GuideFile] = {}
    for path, relative in found.items():
        target = short[path]
        if wanted[target.casefold()] > 1 and relative != target:
            target = relative + suffix
        source = GuideFile(path, relative, target)
        other = sources.setdefault(target, source)
        if other is not source:
            raise SdeditError(
                f"{other.path} and {path} would both be painted as {target}; rename one of them, or paint the folder "
                "they are in"
            )
    return list(sources.values())


def _refuse_guides_as_images(sources: list[GuideFile], output: Path, variants: int) -> None:
    """No image may replace a guide."""
    real: dict[str, str] = {}  # of folders: there are few of them

    def place(path: str) -> tuple[str, str]:
        folder, name = os.path.split(path)
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        return real[folder], name

    guides = {place(source.path) for source in sources}
    folders = {folder for folder, _ in guides}
    for source in sources:
        target = Path(output, source.target)
        if place(str(target))[0] not in folders:
            continue
        for file in [numbered(target, variant) for variant in range(variants)] if variants > 1 else [target]:
            if place(str(file)) in guides:
                raise SdeditError(f"{file} is a guide itself; name another folder with --output")
