"""SDEdit with variance-exploding score models: rough colour strokes in, realistic images out.

Meng et al. 2021 (arXiv 2108.01073). One folder for each kind of data, the upper ones importing the lower only:

    sdedit.cli          words      the command line: arguments to options
    sdedit.studio       bytes      requests in, images out: a page to paint on, and its HTTP API
    sdedit.jobs         paths      files and folders in, files out
    sdedit.evaluation              how realistic and how faithful results are
    sdedit.training                models from photographs
    sdedit.pipelines    images     PIL in, PIL out: paint, edit, composite
    sdedit.checkpoints             models from files
    sdedit.diffusion    tensors    (B, 3, H, W) in and out: schedule, samplers, algorithms, score model, network
    sdedit.io                      image files and PIL images
    sdedit.errors
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdedit.checkpoints.load import load_model
    from sdedit.diffusion.samplers import SAMPLERS, Sampling
    from sdedit.diffusion.schedule import VESchedule
    from sdedit.diffusion.score_model import ScoreModel
    from sdedit.diffusion.vp_schedule import VPSchedule
    from sdedit.errors import SdeditError
    from sdedit.jobs.paint_files import paint_files
    from sdedit.jobs.replay import replay
    from sdedit.jobs.tasks import PaintedFile
    from sdedit.pipelines.auto_t0 import suggest_t0
    from sdedit.pipelines.crop import CropOptions
    from sdedit.pipelines.edit import composite, edit
    from sdedit.pipelines.paint import paint
    from sdedit.pipelines.strokes import simulate_strokes

    __version__: str

_HOMES = {
    "CropOptions": "sdedit.pipelines.crop",
    "PaintedFile": "sdedit.jobs.tasks",
    "SAMPLERS": "sdedit.diffusion.samplers",
    "Sampling": "sdedit.diffusion.samplers",
    "ScoreModel": "sdedit.diffusion.score_model",
    "SdeditError": "sdedit.errors",
    "VESchedule": "sdedit.diffusion.schedule",
    "VPSchedule": "sdedit.diffusion.vp_schedule",
    "composite": "sdedit.pipelines.edit",
    "edit": "sdedit.pipelines.edit",
    "load_model": "sdedit.checkpoints.load",
    "paint": "sdedit.pipelines.paint",
    "paint_files": "sdedit.jobs.paint_files",
    "replay": "sdedit.jobs.replay",
    "simulate_strokes": "sdedit.pipelines.strokes",
    "suggest_t0": "sdedit.pipelines.auto_t0",
}
__all__ = [
    "SAMPLERS",
    "CropOptions",
    "PaintedFile",
    "Sampling",
    "ScoreModel",
    "SdeditError",
    "VESchedule",
    "VPSchedule",
    "__version__",
    "composite",
    "edit",
    "load_model",
    "paint",
    "paint_files",
    "replay",
    "simulate_strokes",
    "suggest_t0",
]


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `sdedit --help` does not wait for torch.
    if name == "__version__":
        from importlib.metadata import version

        return version("sdedit")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sdedit' has no attribute {name!r}")
