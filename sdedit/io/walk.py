"""Walking a folder of images: which files are taken, and what is said of the others. Only names are looked at.

Hidden files and folders are left out without a word, such as the "._" twins that a Mac leaves on other disks.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePath

from sdedit.io.files import IMAGE_SUFFIXES, reason

_OTHER_IMAGES = {
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".xcf", ".kra", ".ora", ".svg", ".exr", ".hdr", ".tga"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw"),
} - IMAGE_SUFFIXES
_MOST_NAMED = 3


@dataclass
class Found:
    """What a walk comes upon.

    Attributes:
        files: path of each image within the folder, with "/" on every system, and its file; by the former.
        unreadable: folders that cannot be read, and why.
        left_out: images of kinds that are not read, and links to folders.
    """

    files: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def walk_images(folder: str, include: Sequence[str] = (), exclude: Sequence[str] = (), beside: str = "") -> Found:
    """The images in a folder and below it. Links to folders are not followed.

    Args:
        folder: to walk.
        include: patterns of names to take; empty for the suffixes of images.
        exclude: patterns of names to leave out.
        beside: a folder below it that is left out, such as the one that is written to.
    """
    own = os.path.realpath(beside) if beside else ""
    found = Found()
    waiting = [(folder, "")]
    while waiting:
        place, prefix = waiting.pop()
        try:
            entries = list(os.scandir(place))  # tells files from folders without a look at each
        except OSError as error:
            found.unreadable.append((place, reason(error)))
            continue
        for entry in entries:
            name, relative = entry.name, prefix + entry.name
            if name.startswith(".") or (exclude and matches(relative, exclude)):
                continue
            if entry.is_dir(follow_symlinks=False):
                if not own or os.path.realpath(entry.path) != own:
                    waiting.append((entry.path, relative + "/"))
                continue
            wanted = matches(relative, include) if include else _suffix(name) in IMAGE_SUFFIXES
            leads_to_folder, can_be_opened = _look(entry)
            if not include and (_suffix(name) in _OTHER_IMAGES or leads_to_folder):
                found.left_out.append(entry.path)
            elif wanted and can_be_opened:
                found.files.append((relative, os.path.normpath(entry.path)))
    found.files.sort()
    return found


def is_wanted(relative: str) -> bool:
    """Whether a file is an image by its path within a folder or archive, and not hidden."""
    return _suffix(relative) in IMAGE_SUFFIXES and not _is_hidden(relative)


def is_left_out(relative: str) -> bool:
    """Whether a file is an image of a kind that is not read, by its path, and not hidden."""
    return _suffix(relative) in _OTHER_IMAGES and not _is_hidden(relative)


def told_left_out(left_out: Sequence[str]) -> str:
    """A sentence on what a folder or archive has that is not taken."""
    more = len(left_out) - _MOST_NAMED
    named = ", ".join(left_out[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"left out: {named}; convert images of other formats first, and name linked folders by themselves"


def told_unreadable(folder: str, why: str) -> str:
    """A sentence on a folder that cannot be read."""
    return f"the folder {folder} cannot be read: {why}"


def kept_path(line: str) -> str:
    """What is kept of a path in a list or an archive: its folders too, if it is relative and does not lead upwards."""
    path = PurePath(os.path.normpath(line))
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()


def matches(relative: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns fits a relative path or, where it has no "/", a part of it."""
    parts = relative.split("/")
    return any(
        fnmatchcase(relative, pattern) if "/" in pattern else any(fnmatchcase(part, pattern) for part in parts)
        for pattern in patterns
    )


def _look(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    """Whether something that is no folder is a link to one; and whether it may be opened, whatever comes of it.

    A pipe or a device would be waited for without end; a link that leads nowhere says so when it is opened.
    """
    if not entry.is_symlink():
        return False, entry.is_file()
    try:
        return entry.is_dir(), entry.is_file() or not os.path.exists(entry.path)  # noqa: PTH110
    except OSError:
        return False, True


def _suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def _is_hidden(relative: str) -> bool:
    return any(part.startswith(".") and part != "." for part in PurePath(relative).parts)
