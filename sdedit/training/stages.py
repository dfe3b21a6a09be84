"""Which kind of step a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.photographs import Pixels
from sdedit.training.adversarial_step import AdversarialStep
from sdedit.training.batches import BatchKind
from sdedit.training.config import TrainConfig
from sdedit.training.finishing_step import BRANCH, FinishingStep
from sdedit.training.optimiser import Optimiser
from sdedit.training.processes import Processes
from sdedit.training.sampled_states import SampledStates
from sdedit.training.step import TrainingStep
from sdedit.training.teachers import Contrast, Guidance


def make_step(
    config: TrainConfig,
    network: nn.Module,
    kinds: Sequence[BatchKind],
    optimiser: Optimiser,
    generator: torch.Generator,
    processes: Processes,
    teacher: Guidance | Contrast | None,
    start: ScoreModel | None,
    photographs: Sequence[Pixels],
) -> TrainingStep:
    """What a batch comes to by a recipe: denoising score matching, that with an adversary, or a finisher's.

    Errors of a detail network that learns alone are weighted as befits the octave that it adds.
    """
    preconditioning = config.preconditioning
    weighing = preconditioning
    if config.optimiser.trains == "detail":
        weighing = replace(preconditioning, sigma_data=preconditioning.sigma_detail)
    common = (network, preconditioning, kinds, optimiser, generator, processes)
    if config.adversary.weight == 0:
        return TrainingStep(*common, teacher, weighing.loss_weight)
    if config.optimiser.trains == "finisher":
        assert start is not None
        # Each process has its own states, which take the longest to make.
        own = torch.Generator(generator.device).manual_seed(1 + processes.index)
        branch = BRANCH * config.schedule.sigma_finish
        states = SampledStates(start, photographs[processes.index :: processes.count], branch, own)
        return FinishingStep(*common, adversary=config.adversary, states=states, own=own)
    kept = start if config.adversary.below < config.schedule.sigma_max else None
    return AdversarialStep(*common, None, weighing.loss_weight, adversary=config.adversary, start=kept)
