"""What could not be taken of folders of photographs, told as painting tells of its guides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdedit.errors import SomeFailedError
from sdedit.jobs.console import Console, counted
from sdedit.jobs.tasks import listed

if TYPE_CHECKING:
    from sdedit.io.photograph_files import Omitted


def tell_omitted(omitted: Omitted, console: Console) -> None:
    """List what could not be read, and say what is of another kind."""
    for sentence in omitted.told:
        console.log(sentence)
    if omitted.failed:
        console.warn(f"{counted(len(omitted.failed), 'image')} left out, which cannot be used:")
    for line in listed(omitted.failed, len(omitted.failed)):
        console.warn(f"  {line}")


def raise_for_omitted(omitted: Omitted, taken: int, made: str) -> None:
    """Raise if some images are not in what was made of the others.

    Args:
        omitted: what is not.
        taken: how many images are.
        made: what was made, as in "the table".

    Raises:
        SomeFailedError: if so.
    """
    if failed := len(omitted.failed):
        what = "it is" if failed == 1 else "they are"
        raise SomeFailedError(f"{made} is without {failed} of {failed + taken} images; {what} listed above")
