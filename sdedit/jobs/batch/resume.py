"""What is done already: judged by the recipe in the image that is there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.recipe import is_whole_png, read_recipe
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.settings import Resolved
from sdedit.jobs.tasks import PaintedFile, Task


class Resume:
    """Decides image by image whether it is done, is to be painted, or must not be overwritten.

    An image is done if its recipe is what would be painted now, in every field that decides more than rounding, and
    its guide is the same file as then: not changed since, or changed back.
    """

    def __init__(self, options: PaintOptions, settings: Resolved, model: ScoreModel) -> None:
        self._options = options
        self._settings = settings
        self._model = model

    def __call__(self, task: Task) -> PaintedFile | None:
        """What is settled about an image, or None if it is to be painted."""
        output = task.output
        if output is None or self._options.overwrite or not output.exists():
            return None
        if output.is_dir():
            return PaintedFile.failure(task, f"cannot write {output}: it is a folder")
        try:
            recipe = read_recipe(output)
        except SdeditError:
            recipe = None
        if self._options.skip_existing:
            return PaintedFile(task.path, str(output), "skipped", recipe)
        if recipe is None:
            if output.stat().st_size == 0:
                return None
            return PaintedFile.failure(
                task, f"{output} is there and was not painted by sdedit; add --overwrite to replace it"
            )
        done = self.agrees(recipe, task) and is_whole_png(output) and _same_guide(Path(task.path), output, recipe)
        return PaintedFile(task.path, str(output), "skipped", recipe) if done else None

    def agrees(self, recipe: dict[str, Any], task: Task) -> bool:
        """Whether a recipe is what would be painted now. Where no seed was asked for, any will do."""
        seed_fits = self._options.seed is None or recipe.get("seed") == task.seed
        return seed_fits and self._settings.agrees_with(recipe, self._model, Path(task.path).name)


def _same_guide(guide: Path, image: Path, recipe: dict[str, Any]) -> bool:
    try:
        if guide.stat().st_mtime <= image.stat().st_mtime:
            return True
        return hashlib.sha256(guide.read_bytes()).hexdigest() == recipe.get("guide_checksum")
    except OSError:  # the reader says why
        return False
