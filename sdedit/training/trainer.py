"""The training loop: denoising score matching (Vincent 2011) with the weighting of EDM (Karras et al. 2022)."""

from __future__ import annotations

import copy
import csv
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from sdedit.checkpoints.formats.native import save_checkpoint
from sdedit.diffusion.device import compile_network, training_autocast
from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.score_model import ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.files import exists, reason, write_atomically
from sdedit.io.photographs import Picture, centre_squares, spread
from sdedit.pipelines.auto_t0 import CALIBRATION, LEAST_PHOTOGRAPHS, calibrate
from sdedit.training.batches import random_batch, stratified_normal
from sdedit.training.config import TrainConfig
from sdedit.training.optimiser import Optimiser, update_average
from sdedit.training.state import Counters, load_state, save_state
from sdedit.training.teachers import Contrast, Guidance
from sdedit.training.validation import preview_sheet, validation_errors

_PREVIEW_ROWS = 8
_LOSS_MEMORY = 0.99  # decay of the running mean that is shown


class Trainer:
    """One training run in one folder: state.pt, model.safetensors, log.csv and preview-*.png.

    Args:
        config: the recipe.
        train: photographs to learn from, (H, W, 3) uint8 each; for `Contrast` pairs with paintings, (H, W, 6).
        validation: photographs that are only measured on.
        folder: where the run is kept; made if it is missing.
        device: where the network runs.
        resume: go on from the folder's state.pt.
        compiled: compile the network for each of the two picture sizes before the first batch of that size.
        start: a model whose weights a new run begins with, instead of random ones.
        teacher: gives what the network learns instead of the photographs themselves.

    Raises:
        SdeditError: if the folder already holds a run and `resume` is off, holds none and it is on, or cannot be made;
            if `start` has another network than the recipe.
    """

    def __init__(
        self,
        config: TrainConfig,
        train: list[Picture],
        validation: list[Picture],
        folder: Path,
        device: torch.device,
        resume: bool = False,
        compiled: bool = False,
        start: ScoreModel | None = None,
        teacher: Guidance | Contrast | None = None,
    ) -> None:
        if start is not None and start.network.config != config.network:
            raise SdeditError(f"{start.name} is not a model of the recipe's [network]; start from one that is")
        self.config = config
        self.train = train
        self.validation = centre_squares(spread(validation, config.report.validation_pictures), config.data.size)
        self.folder = folder
        self.device = device
        self.teacher = teacher
        self.origin: dict[str, Any] = {}  # what the card says of where the run began
        if start is not None:
            self.origin["start"] = {"name": start.name, "sha256": start.checksum, **start.card.get("training", {})}
        if teacher is not None:
            facts = {**teacher.facts(), "below": min(teacher.below, config.schedule.sigma_max)}  # JSON has no infinity
            self.origin[teacher.kind] = facts
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SdeditError(f"cannot make the folder {folder}: {reason(error)}") from error

        self.generator = torch.Generator().manual_seed(0)
        torch.manual_seed(0)  # initial weights
        self.network = NCSNpp(config.network).to(device).to(memory_format=torch.channels_last)
        if start is not None:
            self.network.load_state_dict(start.network.state_dict())
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimiser = Optimiser(self.network, config.optimiser)
        if compiled:
            compile_network(self.network)
        self.progress = Counters()
        self.state_file = folder / "state.pt"
        if resume:
            if not exists(self.state_file):
                raise SdeditError(f"there is no training run to resume in {folder}; start it without --resume")
            self.progress = load_state(self.state_file, self.network, self.average, self.optimiser, self.generator)
        elif exists(self.state_file):
            raise SdeditError(f"{folder} already holds a training run; add --resume, or name another folder")

    @property
    def budget_used(self) -> float:
        """Share of the budget used, in [0, 1]."""
        budget = self.config.budget
        if budget.minutes:
            return min(1.0, self.progress.seconds / (60 * budget.minutes))
        return min(1.0, self.progress.pictures / budget.pictures)

    def run(self, show: Callable[[str], object]) -> int | None:
        """Train until the budget is used, or until SIGINT or SIGTERM asks for an end.

        The state is saved every few minutes and at the end, either way.

        Args:
            show: takes a line of progress after every batch.

        Returns:
            The signal that ended the run, or None if the budget is used.
        """
        report = self.config.report
        due = {
            self.save: report.checkpoint_minutes,
            self.validate: report.validate_minutes,
            self.preview: report.preview_minutes,
        }
        last = dict.fromkeys(due, time.monotonic())
        loss_mean, loss_share = 0.0, 0.0
        with _stop_requests() as stop:
            while self.budget_used < 1 and not stop:
                started = time.monotonic()
                loss, count = self._batch()
                seconds = time.monotonic() - started
                self.progress.batches += 1
                self.progress.pictures += count
                self.progress.seconds += seconds
                loss_mean = _LOSS_MEMORY * loss_mean + (1 - _LOSS_MEMORY) * loss
                loss_share = _LOSS_MEMORY * loss_share + (1 - _LOSS_MEMORY)
                show(self._line(loss_mean / loss_share, count / seconds))
                for task, minutes in due.items():
                    if time.monotonic() - last[task] >= 60 * minutes:
                        task()
                        last[task] = time.monotonic()
            self.save()
        if self.budget_used < 1:
            return stop[0]
        self.validate()
        self.preview()
        self.calibrate()
        return None

    def _batch(self) -> tuple[float, int]:
        """Train on one batch; returns its loss and number of pictures."""
        config = self.config
        full_size = self.progress.batches % config.data.full_size_every == 0
        side = config.data.size if full_size else config.data.crop
        sets = self.train[0].shape[2] // 3  # photographs, or as many and their paintings
        count = max(1, round(config.optimiser.batch / sets * (config.data.crop / side) ** 2))
        mean = config.noise.full_size_mean if full_size else config.noise.crop_mean

        y = torch.cat(random_batch(self.train, count, side, self.generator).chunk(sets, dim=1))
        sigma = torch.exp(mean + config.noise.std * stratified_normal(count, self.generator)).repeat(sets)
        noise = torch.randn(count, *y.shape[1:], generator=self.generator).repeat(sets, 1, 1, 1)
        x = y + sigma[:, None, None, None] * noise
        x, y, sigma = x.to(self.device), y.to(self.device), sigma.to(self.device)

        target = y if self.teacher is None else self.teacher.target(x, y, sigma)
        with training_autocast(self.device):
            d = config.preconditioning.denoise(self.network, x, sigma)
        loss = self._loss(d, target, sigma)
        loss.backward()
        self.optimiser.step(self.progress.batches, self.budget_used)
        update_average(self.average, self.network, config.optimiser.ema, self.progress.batches)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise SdeditError("the loss is no longer finite; lower the learning rates and start again")
        return value, len(y)

    def _loss(self, d: Tensor, target: Tensor, sigma: Tensor) -> Tensor:
        squared = (d - target).square().mean(dim=(1, 2, 3))
        return (self.config.preconditioning.loss_weight(sigma) * squared).mean()

    def model(self) -> ScoreModel:
        """The model as it is now: the averaged weights, with the recipe's description."""
        config = self.config
        training = {**vars(self.progress), "photographs": len(self.train), **self.origin}
        card = {**config.card, "training": training}
        return ScoreModel(self.average, config.preconditioning, config.schedule, config.data.size, card)

    def save(self) -> None:
        save_state(self.state_file, self.network, self.average, self.optimiser, self.generator, self.progress)
        save_checkpoint(self.model(), self.folder / "model.safetensors", torch.float16)

    def validate(self) -> None:
        """Append the errors on the validation photographs to log.csv."""
        errors = validation_errors(self.model(), self.validation)
        file = self.folder / "log.csv"
        new = not exists(file)
        with file.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if new:
                writer.writerow(["minutes", "pictures", "mean", *(f"sigma {level:g}" for level in errors)])
            mean = sum(errors.values()) / len(errors)
            row = [self.progress.seconds / 60, mean, *errors.values()]
            minutes, *rest = (f"{value:.4f}" for value in row)
            writer.writerow([minutes, self.progress.pictures, *rest])

    def calibrate(self) -> None:
        """Keep the validation photographs' denoising errors in the model's file, if there are enough of them."""
        if len(self.validation) < LEAST_PHOTOGRAPHS:
            return
        model = self.model()
        calibration = calibrate(model, self.validation)
        model = replace(model, card={**model.card, CALIBRATION: calibration.to_dict()})
        save_checkpoint(model, self.folder / "model.safetensors", torch.float16)

    def preview(self) -> None:
        """Write a sheet of photograph | strokes | painted."""
        report = self.config.report
        shown = torch.stack(spread(list(self.validation), _PREVIEW_ROWS))
        sheet = preview_sheet(self.model(), shown, report.preview_t0, report.preview_steps)
        path = self.folder / f"preview-{self.progress.pictures:08d}.png"
        write_atomically(path, lambda file: sheet.save(file, format="PNG"))

    def _line(self, loss: float, speed: float) -> str:
        used, seconds = self.budget_used, self.progress.seconds
        left = seconds * (1 - used) / used / 60 if used else 0.0
        return (
            f"{100 * used:5.1f} %  {self.progress.pictures} pictures  loss {loss:.4f}  "
            f"{speed:.0f} pictures/s  {left:.0f} min left"
        )


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM append to, so that a batch is never cut in the middle."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
