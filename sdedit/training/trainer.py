"""A training run in its folder: batches until the budget is used, and files about them now and then."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sdedit.diffusion.device import find_dtype
from sdedit.diffusion.ncsnpp import NCSNpp
from sdedit.diffusion.score_model import Finisher, ScoreModel
from sdedit.errors import SdeditError
from sdedit.io.files import reason
from sdedit.io.photographs import Pixels, centre_squares, spread
from sdedit.io.writing import remove_abandoned_parts
from sdedit.training.batches import kind_of_batch
from sdedit.training.config import TrainConfig
from sdedit.training.counters import Counters
from sdedit.training.kinds import make_kinds
from sdedit.training.optimiser import Optimiser
from sdedit.training.parameters import FlatParameters
from sdedit.training.processes import Processes
from sdedit.training.reports import Reports
from sdedit.training.signals import stop_requests
from sdedit.training.stages import make_step
from sdedit.training.state import STATE, check_folder, load_state, state_writer
from sdedit.training.teachers import Contrast, Guidance
from sdedit.training.writer import Writer

_MOST_BATCHES, _SECONDS = 50, 1.0  # between two looks at the losses and the clock, which let the device run dry
_LOSS_MEMORY = 0.99  # decay per batch of the running mean that is shown


class Trainer:
    """One training run in one folder: state.pt, model.safetensors, log.csv and preview-*.png.

    Args:
        config: the recipe.
        data: photographs to learn from, by the name of their set, (H, W, 3) uint8 each; for `Contrast` pairs with
            paintings, (H, W, 6), and for a finisher with guides.
        validation: photographs that are only measured on.
        folder: where the run is kept; made if it is missing.
        device: where the network runs.
        resume: go on from the folder's state.pt.
        start: a model whose weights a new run begins with, instead of random ones; the one that a finisher is for.
        teacher: gives what the network learns instead of the photographs themselves.
        processes: this process among those of the run; only the first one measures and writes.
        log: takes lines about what cannot be done as it should.

    Raises:
        SdeditError: if the folder already holds a run and `resume` is off, holds none and it is on, or cannot be made;
            if `start` has another network than the recipe; as `make_kinds`.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Mapping[str, Sequence[Pixels]],
        validation: Sequence[Pixels],
        folder: Path,
        device: torch.device,
        resume: bool = False,
        start: ScoreModel | None = None,
        teacher: Guidance | Contrast | None = None,
        processes: Processes | None = None,
        log: Callable[[str], object] = lambda line: None,
    ) -> None:
        if start is not None and not start.network.config.begins(config.network):
            raise SdeditError(f"{start.name} is not a model of the recipe's [network]; start from one that is")
        self._finished = start if config.optimiser.trains == "finisher" else None
        self.config = config
        self.device = device
        self.processes = processes or Processes()
        self._log = log
        self._photographs = sum(map(len, data.values()))
        self.origin: dict[str, Any] = {}  # what the card says of where the run began
        if start is not None:
            self.origin["start"] = {"name": start.name, "sha256": start.checksum, **start.card.get("training", {})}
        most = config.schedule.sigma_max  # JSON has no infinity
        if teacher is not None:
            facts = {**teacher.facts(), "below": min(teacher.below, most)}
            self.origin[teacher.kind] = facts
        if config.adversary.weight:
            self.origin["adversary"] = {**vars(config.adversary), "below": min(config.adversary.below, most)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SdeditError(f"cannot make the folder {folder}: {reason(error)}") from error

        torch.manual_seed(0)  # initial weights
        network = NCSNpp(config.network).to(device)
        if start is not None:
            begun = start.finisher.network if self._finished and start.finisher else start.network
            network.load_state_dict(begun.state_dict(), strict=begun.config == config.network)
        self._template = copy.deepcopy(network).requires_grad_(False).eval()
        for parameter in self._template.parameters():
            parameter.data = parameter.new_empty(0)  # it is given those of an average
        if config.optimiser.trains == "detail":
            network.requires_grad_(False)
            assert network.detail is not None
            network.detail.requires_grad_(True)
        dtype = find_dtype(device, "auto")
        parameters = FlatParameters(network, dtype)
        self.optimiser = Optimiser(parameters, config.optimiser, dtype)
        kinds = make_kinds(config.batches, data, device, self.processes)
        common = (network, kinds, self.optimiser, _generator(device), self.processes)
        self.step = make_step(config, *common, teacher, start, [image for images in data.values() for image in images])
        self.progress = Counters()
        self.writer = Writer()
        shown = centre_squares(spread(validation, config.report.validation_pictures), config.data.size)
        self.reports = Reports(folder, config, shown, self.model, self.progress, self.writer, log)
        self.state_file = folder / STATE
        check_folder(folder, resume)
        if resume:
            load_state(self.state_file, self.optimiser, self.step, self.progress)
            if self.processes.is_first:
                remove_abandoned_parts(folder)

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
            show: takes a line of progress now and then.

        Returns:
            The signal that ended the run, or None if the budget is used.
        """
        with stop_requests() as stop, self.writer:
            self.step.prepare(self._log)
            received = self._train(stop, show)
            if self.processes.is_first:
                self.save()
                if received is None:
                    self.reports.finish()
        self.processes.leave()
        return received

    def _train(self, stop: list[int], show: Callable[[str], object]) -> int | None:
        report = self.config.report
        due = {
            self.save: report.checkpoint_minutes,
            self.reports.validate: report.validate_minutes,
            self.reports.preview: report.preview_minutes,
        }
        last = dict.fromkeys(due, time.monotonic())
        loss_mean, loss_share, seconds_per_batch = 0.0, 0.0, _SECONDS
        while True:
            # All processes go by the first one's clock, and by a signal to any of them.
            batches = max(1, min(_MOST_BATCHES, int(_SECONDS / seconds_per_batch)))
            clock = (self.progress.seconds, batches) if self.processes.is_first else (0.0, 0)
            self.progress.seconds, agreed, received = self.processes.agree([*clock, stop[0] if stop else 0])
            if self.budget_used >= 1 or received:
                return int(received) if self.budget_used < 1 else None
            started, before = time.monotonic(), self.progress.pictures
            loss, done = self._block(int(agreed))
            seconds = time.monotonic() - started
            self.progress.seconds += seconds
            seconds_per_batch = seconds / done
            memory = _LOSS_MEMORY**done
            loss_mean = memory * loss_mean + (1 - memory) * loss
            loss_share = memory * loss_share + (1 - memory)
            show(self._line(loss_mean / loss_share, (self.progress.pictures - before) / seconds))
            for task, minutes in due.items():
                if self.processes.is_first and time.monotonic() - last[task] >= 60 * minutes:
                    task()
                    last[task] = time.monotonic()

    def _block(self, most: int) -> tuple[float, int]:
        """Train on so many batches, or as many as the budget has left; returns their mean loss and number."""
        shares = [batch.share for batch in self.config.batches]
        done = 0
        while done < most and self.budget_used < 1:
            kind = kind_of_batch(self.progress.batches, shares)
            self.step(kind, self.progress.batches, self.budget_used)
            self.progress.batches += 1
            self.progress.pictures += self.step.kinds[kind].images
            done += 1
        loss = self.step.take_losses() / done
        if not math.isfinite(loss):
            raise SdeditError("the loss is no longer finite; lower the learning rates and start again")
        return loss, done

    def model(self, average: int, device: torch.device | str | None = None) -> ScoreModel:
        """The model of one of the averages as it is now; it does not change as training goes on."""
        config, length = self.config, self.config.optimiser.ema[average]
        flat = self.optimiser.averages[average].to(device or self.device, copy=True)
        network = copy.deepcopy(self._template).to(flat.device)
        self.optimiser.parameters.attach(network, flat)
        training = {**vars(self.progress), "photographs": self._photographs, "ema": length, **self.origin}
        card = {**config.card, "training": training}
        if self._finished is not None:
            return replace(
                self._finished,
                schedule=config.schedule,
                card=card,
                checksum="",
                finisher=Finisher(network, config.preconditioning),
            )
        return ScoreModel(network, config.preconditioning, config.schedule, config.data.size, card)

    def save(self) -> None:
        """Have the state and the model written as they are now."""
        write_state = state_writer(self.state_file, self.optimiser, self.step, self.progress)
        model = self.model(self.reports.best, "cpu")

        def write() -> None:
            write_state()
            self.reports.write_model(model)

        self.writer.submit(write)

    def _line(self, loss: float, speed: float) -> str:
        used, seconds = self.budget_used, self.progress.seconds
        left = seconds * (1 - used) / used / 60 if used else 0.0
        return (
            f"{100 * used:5.1f} %  {self.progress.pictures} images  loss {loss:.4f}  "
            f"{speed:.0f} images/s  {left:.0f} min left"
        )


def _generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        # The default one, which CUDA graphs replay.
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index].manual_seed(0)
    return torch.Generator(device).manual_seed(0)
