"""Which model a job uses, and how and where it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sdedit.models import BUILT_IN

if TYPE_CHECKING:
    from sdedit.model import ScoreModel


@dataclass(frozen=True)
class ModelChoice:
    """The arguments of `sdedit.load_model`, kept until the model is needed: loading takes seconds."""

    source: str = BUILT_IN
    device: str = "auto"
    precision: str = "auto"
    compiled: bool = False
    raw_weights: bool = False
    sigma_max: float | None = None
    offline: bool = False

    def load(self, show_progress: bool) -> ScoreModel:
        """The model, for a process that is a command's own: it keeps the memory that it frees.

        Raises:
            SdeditError: if there is no such model or device.
        """
        from sdedit.checkpoints import load_model
        from sdedit.runtime import keep_freed_memory

        options = asdict(self)
        keep_freed_memory()
        return load_model(options.pop("source"), **options, show_progress=show_progress)


DEFAULT_MODEL = ModelChoice()
