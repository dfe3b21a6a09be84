"""What a run measures and shows of itself, in its folder: log.csv, preview sheets, and the model."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.photographs import spread
from sdedit.io.writing import write_atomically
from sdedit.pipelines.auto_t0 import CALIBRATION, LEAST_PHOTOGRAPHS, calibrate
from sdedit.training.config import TrainConfig
from sdedit.training.counters import Counters
from sdedit.training.validation import preview_sheet, validation_errors
from sdedit.training.writer import Writer

_PREVIEW_ROWS = 8


class Reports:
    """The reports of one run.

    Attributes:
        best: which of the averages has had the smallest validation error when last measured; at first the first.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        photographs: Tensor,
        model: Callable[[int], ScoreModel],
        progress: Counters,
        writer: Writer,
        log: Callable[[str], object],
    ) -> None:
        """photographs: (N, 3, H, W) to measure on; model: makes that of an average; progress: that of the run."""
        self.best = 0
        self._folder = folder
        self._config = config
        self._photographs = photographs
        self._model = model
        self._progress = progress
        self._writer = writer
        self._log = log

    def validate(self) -> None:
        """Append the errors of each average on the photographs to log.csv."""
        lengths = self._config.optimiser.ema
        errors = [validation_errors(self._model(average), self._photographs) for average in range(len(lengths))]
        means = [sum(levels.values()) / len(levels) for levels in errors]
        self.best = means.index(min(means))
        file = self._folder / "log.csv"
        new = not file.exists()
        with file.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if new:
                writer.writerow(["minutes", "pictures", "ema", "mean", *(f"sigma {level:g}" for level in errors[0])])
            minutes = f"{self._progress.seconds / 60:.4f}"
            for length, mean, levels in zip(lengths, means, errors, strict=True):
                numbers = (f"{value:.4f}" for value in (mean, *levels.values()))
                writer.writerow([minutes, self._progress.pictures, f"{length:g}", *numbers])

    def preview(self) -> None:
        """Write a sheet of photograph | strokes | painted."""
        report = self._config.report
        shown = torch.stack(spread(list(self._photographs), _PREVIEW_ROWS))
        sheet = preview_sheet(self._model(self.best), shown, report.preview_t0, report.preview_steps)
        path = self._folder / f"preview-{self._progress.pictures:08d}.png"
        self._writer.submit(lambda: write_atomically(path, lambda file: sheet.save(file, format="PNG")))

    def finish(self) -> None:
        """Measure and show for the last time, and write the model of the best average, calibrated if there are enough
        photographs to do it with.
        """
        self.validate()
        self.preview()
        lengths = self._config.optimiser.ema
        if len(lengths) > 1:
            self._log(f"the average over {lengths[self.best]:g} of the run has the smallest error, and is the model")
        model = self._model(self.best)
        if len(self._photographs) >= LEAST_PHOTOGRAPHS:
            calibration = calibrate(model, self._photographs)
            model = replace(model, card={**model.card, CALIBRATION: asdict(calibration)})
        self._writer.submit(lambda: self.write_model(model))

    def write_model(self, model: ScoreModel) -> None:
        """Write model.safetensors."""
        save_checkpoint(model, self._folder / "model.safetensors", torch.float16)
