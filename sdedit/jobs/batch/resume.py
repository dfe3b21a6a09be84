"""What is done already, and what must not be replaced: judged by the recipe in the image that is there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.files import exists, is_empty, is_folder
from sdedit.io.recipe import is_whole, read_recipe
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.readers import Layers
from sdedit.jobs.settings import Resolved
from sdedit.jobs.tasks import PaintedFile, Task


class Resume:
    """Decides image by image whether it is done, is to be made, or must not be overwritten.

    An image is done if its recipe is what would be made now, in every field that decides more than rounding, and its
    guide and layers are the same files as then: not changed since, or changed back. One that was made by another
    recipe, or not by sdedit, is kept: replacing it has to be asked for.
    """

    def __init__(self, options: PaintOptions, settings: Resolved, model: ScoreModel, layers: Layers | None) -> None:
        self._options = options
        self._settings = settings
        self._model = model
        self._layers = layers

    def __call__(self, task: Task) -> PaintedFile | None:
        """None if the image is to be made, else its result."""
        try:
            output = task.output
            if output is not None and output.is_symlink() and exists(output) and output.samefile(task.path):
                return PaintedFile.failure(task, f"{output} is a link to the guide itself; remove it")
            result, recipe = self._judge(task)
            if result is not None or recipe is None or output is None:
                return result
            done = is_whole(output) and self._same_files(task, output, recipe)
        except (SdeditError, OSError) as error:
            return PaintedFile.failure(task, f"cannot write {task.output}: {error}")
        return PaintedFile(task.path, str(output), "skipped", recipe) if done else None

    def kept(self, task: Task) -> PaintedFile | None:
        """The result of an image whose file must stay as it is; None if it may be written, done or not."""
        return self._judge(task)[0]

    def _judge(self, task: Task) -> tuple[PaintedFile | None, dict[str, Any] | None]:
        """The result of an image that must stay; else the recipe of the one that is there, if there is one."""
        output = task.output
        if output is None or self._options.overwrite or not exists(output):
            return None, None
        if is_folder(output):
            return PaintedFile.failure(task, f"cannot write {output}: it is a folder"), None
        try:
            recipe = read_recipe(output)
        except SdeditError:
            recipe = None
        if self._options.skip_existing:
            return PaintedFile(task.path, str(output), "skipped", recipe), recipe
        if recipe is None:
            if is_empty(output):
                return None, None
            error = f"{output} is there and carries no recipe of sdedit; add --overwrite to replace it"
            return PaintedFile.failure(task, error), None
        different = self._differences(recipe, task)
        if not different:
            return None, recipe
        reason = f"it was made with {_told(different, 0)}, not {_told(different, 1)}"
        return PaintedFile(task.path, str(output), "skipped", recipe, reason=reason), recipe

    def _differences(self, recipe: dict[str, Any], task: Task) -> dict[str, tuple[Any, Any]]:
        """In what a recipe differs from what would be made now. Where no seed was asked for, any will do."""
        different = self._settings.differences(recipe, self._model, Path(task.path).name)
        quality, wanted = recipe.get("quality"), self._settings.jpeg_quality
        if quality is not None and quality != wanted:  # a file of an older version does not say it
            different["quality"] = (quality, wanted)
        # Of a whole folder the seed that was asked for says more than the one of each image.
        for name, now in (("folder_seed", task.folder_seed), ("seed", task.seed)):
            there = recipe.get(name)
            if self._options.seed is not None and recipe.get("seed") != task.seed and there != now:
                return {**different, "seed": (there, now)}
        return different

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


def _told(different: dict[str, tuple[Any, Any]], side: int) -> str:
    """The first of the fields that differ, and its value there (0) or now (1)."""
    name, values = next(iter(different.items()))
    value = values[side]
    if isinstance(value, tuple):
        value = "x".join(map(str, value))
    words = str(value)[:12] if name == "checksum" else f"{value:.4g}" if isinstance(value, float) else str(value)
    return words if side else f"{name} {words}"


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
