"""What is done already: judged by the recipe in the picture that is there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.recipe import is_whole_png, read_recipe
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.settings import Settings
from sdedit.jobs.tasks import Item, PaintedFile


class Judge:
    """Decides picture by picture whether it is done, is to be painted, or is not ours to replace.

    A picture is done if its recipe is what would be painted now, in every field that decides more than rounding, and
    its guide is the same file as then: not changed since, or changed back.
    """

    def __init__(self, options: PaintOptions, settings: Settings, model: ScoreModel) -> None:
        self._options = options
        self._settings = settings
        self._model = model

    def __call__(self, item: Item) -> PaintedFile | None:
        """What is settled about a picture, or None if it is to be painted."""
        output = item.output
        if output is None or self._options.overwrite or not output.exists():
            return None
        if output.is_dir():
            return PaintedFile.failure(item, f"cannot write {output}: it is a folder")
        try:
            recipe = read_recipe(output)
        except SdeditError:
            recipe = None
        if self._options.skip_existing:
            return PaintedFile(item.path, str(output), "skipped", recipe)
        if recipe is None:
            if output.stat().st_size == 0:
                return None
            return PaintedFile.failure(
                item, f"{output} is there and was not painted by sdedit; add --overwrite to replace it"
            )
        done = self.agrees(recipe, item) and is_whole_png(output) and _same_guide(Path(item.path), output, recipe)
        return PaintedFile(item.path, str(output), "skipped", recipe) if done else None

    def agrees(self, recipe: dict[str, Any], item: Item) -> bool:
        """Whether a recipe is what would be painted now. Where no seed was asked for, any will do."""
        seed_fits = self._options.seed is None or recipe.get("seed") == item.seed
        return seed_fits and self._settings.agrees_with(recipe, self._model, Path(item.path).name)


def _same_guide(guide: Path, picture: Path, recipe: dict[str, Any]) -> bool:
    try:
        if guide.stat().st_mtime <= picture.stat().st_mtime:
            return True
        return hashlib.sha256(guide.read_bytes()).hexdigest() == recipe.get("guide_checksum")
    except OSError:  # the reader says why
        return False
