"""What jobs are asked for. Needs no torch and no Pillow, so that the command line can show it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit.checkpoints.models import BUILT_IN
from sdedit.errors import SdeditError
from sdedit.io.files import IMAGE_SUFFIXES
from sdedit.io.outputs import plan_outputs

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel

MOST_VARIANTS = 10_000
MOST_PASSES = 12
MOST_SEED = 2**63 - MOST_VARIANTS - 1
_OUTPUT_SUFFIXES = IMAGE_SUFFIXES - {".gif"}


@dataclass(frozen=True)
class ModelOptions:
    """The arguments of `sdedit.load_model`, kept until the model is needed: loading takes seconds."""

    source: str = BUILT_IN
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    raw_weights: bool = False
    sigma_max: float | None = None
    offline: bool = False

    def load(self, show_progress: bool, **known: Any) -> ScoreModel:
        """The model, for a process that is a command's own: it keeps the memory that it frees.

        Args:
            show_progress: draw a bar on standard error while downloading.
            known: fields of `Assumptions`, what the user knows better than the guesses about the file.

        Raises:
            SdeditError: if there is no such model or device.
        """
        from sdedit.checkpoints.formats.assumptions import Assumptions
        from sdedit.checkpoints.load import load_model
        from sdedit.diffusion.device import tune_allocator

        options = asdict(self)
        tune_allocator()
        return load_model(
            options.pop("source"), **options, show_progress=show_progress, assumptions=Assumptions(**known)
        )


DEFAULT_MODEL = ModelOptions()


@dataclass(frozen=True)
class PaintOptions:
    """The options of `sdedit paint`, by the same names; None leaves the choice to the model or the device.

    Attributes:
        t0: start time; (low, high) lets the model choose between the two, for a single guide.
        animate: the animation to write of a single guide, a frame every `animate_every` evaluations of "x" or "D".
        model: what `sdedit.load_model` takes, or a model it returned; `device` to `offline` are for the former.
        like: "sdedit" for the sampling of the official code, of a variance-preserving model.
        passes: at so many sizes, coarse to fine; None is 1 at the native size and one more for each doubling.
        batch: most guides that go through the network at once; None is 8 for a folder and 1 for a single guide.
        include, exclude: patterns of the names of guides in folders (see `sdedit.jobs.batch.listing`).
        skip_existing: leave every image alone that is there, whatever its recipe.
        overwrite: paint every image again, whatever its recipe.
        tune_allocator: let this process keep freed memory, as the command does: faster on a CPU, and process-wide.
        shard: (i, n), paint only the i-th of n shares of a folder; i counts from 0, and n means the same as 0.
    """

    t0: float | tuple[float, float] | None = None
    sigma: float | None = None
    model: str | Path | ScoreModel = BUILT_IN
    quality: str | None = None
    steps: int | None = None
    sampler: str | None = None
    grid: str | None = None
    like: str | None = None
    repeats: int = 1
    variants: int = 1
    seed: int | None = None
    size: int | tuple[int, int] | None = None
    passes: int | None = None
    background: str = "white"
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    raw_weights: bool = False
    sigma_max: float | None = None
    offline: bool = False
    batch: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overwrite: bool = False
    skip_existing: bool = False
    shard: tuple[int, int] | None = None
    tune_allocator: bool = False
    animate: str | None = None
    animate_every: int | None = None
    animate_state: str = "x"

    def check(self) -> None:
        """Refuse what can be refused without a model.

        Raises:
            SdeditError: if options contradict each other or are out of range.
        """
        if self.t0 is not None and self.sigma is not None:
            raise SdeditError("t0 and sigma say the same thing; give one of them")
        if self.overwrite and self.skip_existing:
            raise SdeditError("overwrite and skip-existing contradict each other; give one of them")
        for name, value, most in (
            ("steps", 1 if self.steps is None else self.steps, None),
            ("repeats", self.repeats, None),
            ("variants", self.variants, MOST_VARIANTS),
            ("passes", 1 if self.passes is None else self.passes, MOST_PASSES),
            ("batch", self.batch or 1, None),
        ):
            if value < 1 or (most is not None and value > most):
                raise SdeditError(f"{name} must be at least 1{f' and at most {most}' if most else ''}, not {value}")
        if self.seed is not None and not 0 <= self.seed <= MOST_SEED:
            raise SdeditError(f"seed must lie in [0, {MOST_SEED}], not {self.seed}")
        if self.shard is not None and not 0 <= self.shard[0] <= self.shard[1] > 0:
            raise SdeditError(f"a shard is i/n with i from 0 to n, not {self.shard[0]}/{self.shard[1]}")


def draw_seed() -> int:
    return secrets.randbelow(2**32)


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
    if options.animate is not None:
        raise SdeditError("--animate shows a single guide; leave it out for several")
    if output is None or output == "-" or "-" in guides:
        named = "several guides" if len(guides) != 1 else f"the folder {guides[0]}"
        raise SdeditError(f"{named} cannot go through a pipe or beside the guides; name a folder with --output")
    return Path(output)


def output_files(guide: str, output: str | None, options: PaintOptions) -> list[Path | None]:
    """The files to write, None standing for standard output.

    Raises:
        SdeditError: if any of them cannot or must not be written.
    """
    source = Path("guide.png" if guide == "-" else guide)
    return plan_outputs(
        output,
        source.with_name(f"{source.stem}-painted.png"),
        [guide],
        _OUTPUT_SUFFIXES,
        options.variants,
        options.overwrite,
        options.skip_existing,
        name_in_folder=f"{source.stem}.png",
    )
