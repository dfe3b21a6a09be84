"""From bytes and options to work for the network; what is wrong with them is found before it waits."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sdedit.errors import SdeditError
from sdedit.jobs.console import SILENT
from sdedit.jobs.options import DEFAULT_T0, PaintOptions, draw_seed
from sdedit.jobs.tasks import Task
from sdedit.studio.limits import Limits, RefusedError
from sdedit.studio.models import NamedModel
from sdedit.studio.painter import NO_MEMORY, Order, Painter
from sdedit.studio.previews import Pace, Progress

if TYPE_CHECKING:
    from PIL import Image

    from sdedit.io.recipe import Recipe
    from sdedit.jobs.batch.engine import Engine
    from sdedit.jobs.edit import LayeredImage
    from sdedit.jobs.guides import Guide

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Parsers:
    """How query parameters become options: by the rules of the commands of these names.

    Each raises `SdeditError` for a parameter that its command has not, or a value that it refuses.
    """

    paint: Callable[[Pairs], PaintOptions]
    edit: Callable[[Pairs], PaintOptions]
    strokes: Callable[[Pairs], int | None]


def check_limits(options: PaintOptions, limits: Limits) -> None:
    """Refuse options that the command takes and a studio does not.

    Raises:
        SdeditError: if one is too large, or they contradict each other.
    """
    options.check()
    size = options.size or 0
    for name, value, most in (
        ("size", size if isinstance(size, int) else min(size), limits.size),
        ("steps", options.sampling.steps or 0, limits.steps),
        ("variants", options.variants, limits.variants),
        ("repeats", options.repeats, limits.repeats),
    ):
        if value > most:
            raise RefusedError(f"{name} is at most {most} in this studio, not {value}")


class PaintingWork:
    """Paints the images of one order, in the network's thread.

    Args:
        painter: at work.
        pace: how long images have taken.
        named: the model.
        options: of the images.
        opened: the guide, or the picture that is edited with its layers.
        limits: of the studio.
        facts: what the event "started" says besides.

    Raises:
        SdeditError: if the model cannot do what is asked.
    """

    def __init__(
        self,
        painter: Painter,
        pace: Pace,
        named: NamedModel,
        options: PaintOptions,
        opened: Guide | LayeredImage,
        limits: Limits,
        **facts: Any,
    ) -> None:
        from sdedit.jobs.settings import resolve

        self._painter, self._pace, self._model = painter, pace, named.model
        self._options = replace(
            options, model=named.options, seed=draw_seed() if options.seed is None else options.seed
        )
        # A t0 that the model chooses changes nothing else that could be refused.
        settings = resolve(replace(self._options, t0=_fixed(self._options)), named.model)
        self._guide = opened.at(settings.size)
        width, height = self._guide.image.size
        if width * height > 2 * limits.size**2:
            raise RefusedError(f"{width} x {height} px is more than this studio paints; choose a smaller size")
        self._facts = facts
        if self._guide.layers is not None:
            self._facts = {"region": self._guide.layers.region, **facts}

    def __call__(self, order: Order) -> None:
        """Paint; raises `StoppedError` if the order is not to go on."""
        from sdedit.jobs.batch.batches import Batch
        from sdedit.jobs.batch.engine import Engine
        from sdedit.jobs.readers import Reader
        from sdedit.jobs.settings import resolve

        options, guide = self._options, self._guide
        if isinstance(options.t0, tuple):
            options = self._options = replace(options, t0=self._suggested(order, *options.t0))
        engine = Engine(self._model, resolve(options, self._model), Reader(options.background, None))
        settings, first = engine.settings, options.seed
        evaluations = engine.evaluations(guide.image.size)
        assert first is not None
        order.tell_once(
            "started",
            width=guide.image.width,
            height=guide.image.height,
            t0=settings.t0,
            sigma=settings.sigma,
            seed=first,
            steps=evaluations,
            variants=options.variants,
            model=self._model.name,
            guide=guide.path,
            **self._facts,
        )
        kind = (self._model.name, guide.image.size, evaluations)
        for variant in range(options.variants):
            task = Task(guide.path, None, first + variant)
            progress = Progress(
                order, self._painter, self._pace.of(kind), evaluations, variant, options.variants - variant - 1
            )
            batch = Batch([(task, guide)], {task})
            for _, _, image, recipe, _ in engine.paint_batch(batch, SILENT, progress.on_step):
                if image is None:
                    raise RefusedError(NO_MEMORY, 503)
                self._pace.note(kind, progress.seconds)
                self._painter.images += 1
                order.tell(
                    "painted",
                    variant=variant,
                    seed=task.seed,
                    seconds=round(progress.seconds, 3),
                    recipe=recipe.to_dict(),
                    image=partial(_png, engine, guide, image, recipe),
                )

    def _suggested(self, order: Order, low: float, high: float) -> float:
        return suggest(self._painter, order, self._model, self._guide, low, high)


class SuggestingWork:
    """Has the model choose a t0 for a guide, in the network's thread."""

    def __init__(self, painter: Painter, named: NamedModel, options: PaintOptions, opened: Guide) -> None:
        """Raises RefusedError if the model cannot choose."""
        from sdedit.pipelines.auto_t0 import HIGH, LOW, calibration_of

        try:
            calibration_of(named.model)
        except SdeditError as error:
            raise RefusedError(str(error), 409) from error
        self._painter, self._model = painter, named.model
        self._guide = opened.at(options.size or named.model.native_size)
        self._bounds = options.t0 if isinstance(options.t0, tuple) else (LOW, HIGH)

    def __call__(self, order: Order) -> None:
        order.shown = True  # there is nothing to show
        order.tell("suggested", t0=round(suggest(self._painter, order, self._model, self._guide, *self._bounds), 4))


def suggest(painter: Painter, order: Order, model: Any, guide: Guide, low: float, high: float) -> float:
    """The t0 for a guide, others getting their turns in between."""
    from sdedit.io.tensors import to_tensor
    from sdedit.pipelines.auto_t0 import suggest_t0

    return suggest_t0(model, to_tensor(guide.image), low, high, lambda: painter.give_way(order, 0.0))


def _fixed(options: PaintOptions) -> float | None:
    """t0, or one that any model can begin at where it will be chosen."""
    return DEFAULT_T0[options.task] if isinstance(options.t0, tuple) else options.t0


def _png(engine: Engine, guide: Guide, image: Image.Image, recipe: Recipe) -> bytes:
    """The file of an image that is done, made the way the command makes it; takes time."""
    file = io.BytesIO()
    engine.finish(guide, image, recipe, ".png")(file)
    return file.getvalue()
