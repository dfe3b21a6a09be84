"""What jobs are asked for. Needs no torch and no Pillow, so that the command line can show it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sdedit.checkpoints.models import BUILT_IN
from sdedit.diffusion.samplers import NO_CHOICE, SamplingChoice
from sdedit.errors import SdeditError

if TYPE_CHECKING:
    from sdedit.diffusion.score_model import ScoreModel

MOST_VARIANTS = 10_000
MOST_PASSES = 12
FORMATS = ("png", "jpg", "webp")  # that carry the recipe, by which a folder is resumed
ALPHA = "alpha"  # as a mask: the image's own transparency; a file of that name is ./alpha
MOST_SEED = 2**63 - MOST_VARIANTS - 1
DEFAULT_T0 = {"paint": 0.5, "edit": 0.45, "composite": 0.35}


@dataclass(frozen=True)
class ModelOptions:
    """The arguments of `sdedit.load_model`, kept until the model is needed: loading takes seconds.

    Attributes:
        tune_allocator: let this process keep freed memory, as a command's own may: faster on a CPU, and process-wide.
        loaded: a model to use instead of loading one.
    """

    source: str = BUILT_IN
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    raw_weights: bool = False
    sigma_max: float | None = None
    offline: bool = False
    tune_allocator: bool = False
    loaded: ScoreModel | None = None

    def load(self, show_progress: bool, **known: Any) -> ScoreModel:
        """The model.

        Args:
            show_progress: draw a bar on standard error while downloading.
            known: fields of `Assumptions`, what the user knows better than the guesses about the file.

        Raises:
            SdeditError: if there is no such model or device.
        """
        from sdedit.checkpoints.formats.assumptions import Assumptions
        from sdedit.checkpoints.load import load_model
        from sdedit.diffusion.device import tune_allocator

        if self.tune_allocator:
            tune_allocator()
        if self.loaded is not None:
            return self.loaded
        return load_model(
            self.source,
            self.device,
            self.precision,
            compile=self.compile,
            raw_weights=self.raw_weights,
            sigma_max=self.sigma_max,
            offline=self.offline,
            show_progress=show_progress,
            assumptions=Assumptions(**known),
        )


@dataclass(frozen=True)
class LayerOptions:
    """What is laid over the images of an edit or a composite.

    Attributes:
        task: "edit" or "composite".
        layer: file of the strokes or the patch, or a folder of them by the images' names; "-" for standard input.
        mask: file or folder of masks; ALPHA for the transparency of the image (of a composite's patch); None to find
            them.
        invert_mask: black may change and white is kept.
        context, grow, feather: as in `sdedit.pipelines.crop.CropOptions`.
        at, scale: of a patch.
    """

    task: str
    layer: str
    mask: str | None = None
    invert_mask: bool = False
    context: float = 0.5
    grow: float | None = None
    feather: float | None = None
    at: tuple[int, int] | None = None
    scale: float = 1.0

    @property
    def mask_is_alpha(self) -> bool:
        return self.mask == ALPHA

    @property
    def files(self) -> list[str]:
        """Layer and mask, as far as they are files."""
        return [self.layer, *([] if self.mask is None or self.mask_is_alpha else [self.mask])]


@dataclass(frozen=True)
class AnimationOptions:
    """The animation to write of a single guide: a frame every so many evaluations of "x" or "D"."""

    file: str
    every: int | None = None
    state: str = "x"


@dataclass(frozen=True)
class PaintOptions:
    """What is asked of a job that paints, edits or composites; None leaves the choice to the model or the device.

    Attributes:
        t0: start time; (low, high) lets the model choose between the two, for a single guide.
        sigma: the same as a noise level.
        model: which model, and where it runs.
        sampling: how the reverse SDE is solved.
        repeats: K of Algorithm 2.
        variants: images for each guide, with seeds one apart.
        seed: of the noise; None draws one.
        size: shorter side in pixels or (width, height); of an edit the shorter side of its region in the model.
        passes: at so many sizes, coarse to fine; None is 1 at the native size and one more for each doubling.
        background: colour under the transparent parts of a guide.
        batch: most guides that go through the network at once; None is 8 for a folder and 1 for a single guide.
        file_format: of the images of a folder, one of FORMATS; a single image has that of its name.
        jpeg_quality: of JPEG files and of WebP files with losses, from 1 to 100.
        layers: what is laid over each guide; None for painting the guides themselves.
        include, exclude: patterns of the names of guides in folders (see `sdedit.jobs.batch.listing`).
        skip_existing: leave every image alone that is there, whatever its recipe.
        overwrite: make every image again, whatever its recipe.
        no_recipe: leave it out of the images, by which the same job knows what is done.
        shard: (i, n), only the i-th of n shares of a folder; i counts from 0, and n means the same as 0.
        animation: of a single guide.
    """

    t0: float | tuple[float, float] | None = None
    sigma: float | None = None
    model: ModelOptions = field(default_factory=ModelOptions)
    sampling: SamplingChoice = NO_CHOICE
    repeats: int = 1
    variants: int = 1
    seed: int | None = None
    size: int | tuple[int, int] | None = None
    passes: int | None = None
    background: str = "white"
    batch: int | None = None
    file_format: str = FORMATS[0]
    jpeg_quality: int = 95
    layers: LayerOptions | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overwrite: bool = False
    skip_existing: bool = False
    no_recipe: bool = False
    shard: tuple[int, int] | None = None
    animation: AnimationOptions | None = None

    @property
    def task(self) -> str:
        return "paint" if self.layers is None else self.layers.task

    def check(self) -> None:
        """Refuse what can be refused without a model.

        Raises:
            SdeditError: if options contradict each other or are out of range.
        """
        if self.t0 is not None and self.sigma is not None:
            raise SdeditError("t0 and sigma say the same thing; give one of them")
        if self.overwrite and self.skip_existing:
            raise SdeditError("overwrite and skip-existing contradict each other; give one of them")
        if self.layers is not None and self.layers.invert_mask and self.layers.mask is None:
            raise SdeditError("invert-mask needs a mask")
        inverted = self.layers if self.layers is not None and self.layers.invert_mask else None
        if inverted is not None and inverted.task == "composite" and inverted.mask_is_alpha:
            raise SdeditError("invert-mask needs a mask of its own; a patch is pasted where it is opaque")
        for name, value, most in (
            ("repeats", self.repeats, None),
            ("variants", self.variants, MOST_VARIANTS),
            ("passes", 1 if self.passes is None else self.passes, MOST_PASSES),
            ("batch", 1 if self.batch is None else self.batch, None),
        ):
            if value < 1 or (most is not None and value > most):
                raise SdeditError(f"{name} must be at least 1{f' and at most {most}' if most else ''}, not {value}")
        if self.size is not None and min(self.size if isinstance(self.size, tuple) else (self.size,)) < 8:
            raise SdeditError(f"size must be at least 8 pixels a side, not {self.size}")
        try:
            self.sampling.check()
        except ValueError as error:
            raise SdeditError(str(error)) from error
        if self.file_format not in FORMATS:
            raise SdeditError(
                f"the format of a folder's images is one of {', '.join(FORMATS)}, not {self.file_format!r}"
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise SdeditError(f"the quality of JPEG files lies in [1, 100], not {self.jpeg_quality}")
        if self.seed is not None and not 0 <= self.seed <= MOST_SEED:
            raise SdeditError(f"seed must lie in [0, {MOST_SEED}], not {self.seed}")
        if self.shard is not None and not 0 <= self.shard[0] <= self.shard[1] > 0:
            raise SdeditError(f"a shard is i/n with i from 0 to n, not {self.shard[0]}/{self.shard[1]}")


def draw_seed() -> int:
    """A seed that nobody chose, from the system's randomness."""
    return int.from_bytes(os.urandom(4), "big")
