"""What is done already: judged by the recipe in the picture that is there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.recipe import is_whole, read_recipe
from sdedit.jobs.edit import Layers
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.settings import Resolved
from sdedit.jobs.tasks import PaintedFile, Task


class Resume:
    """Decides image by image whether it is done, is to be made, or must not be overwritten.

    An image is done if its recipe is what would be made now, in every field that decides more than rounding, and its
    guide and layers are the same files as then: not changed since, or changed back.
    """

    def __init__(self, options: PaintOptions, settings: Resolved, model: ScoreModel, layers: Layers | None) -> None:
        self._options = options
        self._settings = settings
        self._model = model
        self._layers = layers

    def __call__(self, task: Task) -> PaintedFile | None:
        """None if the image is to be made, else its result."""
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
                task, f"{output} is there and carries no recipe of sdedit; add --overwrite to replace it"
            )
        done = self.agrees(recipe, task) and is_whole(output) and self._same_files(task, output, recipe)
        return PaintedFile(task.path, str(output), "skipped", recipe) if done else None

    def agrees(self, recipe: dict[str, Any], task: Task) -> bool:
        """Whether a recipe is what would be painted now. Where no seed was asked for, any will do."""
        seed_fits = self._options.seed is None or recipe.get("seed") == task.seed
        return seed_fits and self._settings.agrees_with(recipe, self._model, Path(task.path).name)

    def _same_files(self, task: Task, output: Path, recipe: dict[str, Any]) -> bool:
        """Whether guide and layers are what the image was made of."""
        guide = Path(task.path)
        try:
            old = guide.stat().st_mtime <= output.stat().st_mtime
            if not old and _checksum(guide) != recipe.get("guide_checksum"):
                return False
            if self._layers is None:
                return True
            # Of layers others may have been named, so that their age says nothing.
            found = [_checksum(Path(file)) for file in self._layers.files(task)]
        except (OSError, SdeditError):  # the reader says why
            return False
        return found == [sum_ for sum_ in (recipe.get("layer_checksum"), recipe.get("mask_checksum")) if sum_]


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
