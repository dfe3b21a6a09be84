"""SDEdit with variance-exploding score models: rough colour strokes in, realistic pictures out.

Meng et al. 2021 (arXiv 2108.01073). The parts, each usable on its own, the lower never importing the upper:

    sdedit.cli             the command line
    sdedit.jobs            painting files: one, a folder, a fleet's share
    sdedit.evaluation      how realistic and how faithful results are
    sdedit.painting        paint: a picture or tensor in, a painted one out
    sdedit.retouching      edit, composite: a picture with strokes or a pasted part in, one picture out
    sdedit.altering        strokes and patches, and the mask that follows from them
    sdedit.blending        the region round the mask to the model and back
    sdedit.sweetspot       a t0 for a guide
    sdedit.guide           picture files to guides and back
    sdedit.coarse_to_fine  sizes beyond the model's native one
    sdedit.editing         the algorithms: perturb, then run the reverse SDE, inside a mask or everywhere
    sdedit.samplers        steps of the reverse SDE
    sdedit.model           the score model: denoiser and score
    sdedit.preconditioning network to denoiser
    sdedit.network         NCSN++
    sdedit.schedule        sigma(t)
    sdedit.checkpoints     models from files
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdedit.checkpoints import load_model
    from sdedit.errors import SdeditError
    from sdedit.jobs.folder import paint_files
    from sdedit.jobs.results import PaintedFile
    from sdedit.model import ScoreModel
    from sdedit.painting import paint
    from sdedit.retouching import composite, edit
    from sdedit.schedule import VESchedule

__version__ = "0.1.0"
__all__ = [
    "PaintedFile",
    "ScoreModel",
    "SdeditError",
    "VESchedule",
    "__version__",
    "composite",
    "edit",
    "load_model",
    "paint",
    "paint_files",
]

_HOMES = {
    "PaintedFile": "sdedit.jobs.results",
    "ScoreModel": "sdedit.model",
    "SdeditError": "sdedit.errors",
    "VESchedule": "sdedit.schedule",
    "composite": "sdedit.retouching",
    "edit": "sdedit.retouching",
    "load_model": "sdedit.checkpoints",
    "paint": "sdedit.painting",
    "paint_files": "sdedit.jobs.folder",
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `sdedit --help` does not wait for torch.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sdedit' has no attribute {name!r}")
