"""Which files a job writes for its guides: one image, its variants, or a folder of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.io.files import IMAGE_SUFFIXES
from sdedit.io.outputs import beside, plan_outputs
from sdedit.jobs.options import PaintOptions

_ENDINGS = {"paint": "painted", "edit": "edited", "composite": "composite"}  # of the names of files, by task
_SUFFIXES = IMAGE_SUFFIXES - {".gif", ".avif"}  # AVIF is read only: not every Pillow writes it


def is_one_guide(guides: Sequence[str], list_file: str | None, options: PaintOptions) -> bool:
    """Whether a single guide is asked for, not a folder, a list or several.

    Raises:
        SdeditError: if it is, and a share of it is asked for.
    """
    one = list_file is None and len(guides) == 1 and not os.path.isdir(guides[0])  # noqa: PTH112
    if one and options.shard:
        raise SdeditError(f"{guides[0]} is one guide; --shard is for folders")
    return one


def output_folder(guides: Sequence[str], output: str | None, options: PaintOptions) -> Path:
    """The folder that several guides are painted into.

    Raises:
        SdeditError: if none is named, or something is asked for that only one guide can have.
    """
    if options.animation is not None:
        raise SdeditError("--animate shows a single guide; leave it out for several")
    if output is None or output == "-" or "-" in guides:
        named = "several guides" if len(guides) != 1 else f"the folder {guides[0]}"
        raise SdeditError(f"{named} cannot go through a pipe or beside the guides; name a folder with --output")
    return Path(output)


def output_files(guide: str, output: str | None, options: PaintOptions, may_skip: bool = True) -> list[Path | None]:
    """The files to write for one guide, None standing for standard output; `may_skip` if existing ones can be left.

    Raises:
        SdeditError: if any of them cannot or must not be written.
    """
    layers = options.layers
    ending = _ENDINGS[options.task]
    default = beside(guide, ending)
    return plan_outputs(
        output,
        default,
        [guide] if layers is None else [guide, *layers.files],
        _SUFFIXES,
        options.variants,
        options.overwrite,
        options.skip_existing if may_skip else None,
        name_in_folder=f"{default.stem.removesuffix(f'-{ending}')}.png" if layers is None else None,
    )
