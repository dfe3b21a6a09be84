"""Schedulers of diffusers: what scheduler_config.json says of the training, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sdedit.checkpoints.formats.diffusers.folder import scheduler_files
from sdedit.diffusion.preconditioning import Prediction, VPPreconditioning
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel
from sdedit.diffusion.vp_schedule import Betas, VPSchedule
from sdedit.errors import SdeditError

_VE_SCHEDULER = "ScoreSdeVeScheduler"
# Whose betas and predictions are those of DDPM, written in the same words with the same defaults.
_VP_SCHEDULERS = (
    *("DDPMScheduler", "DDIMScheduler", "GaussianDDPMScheduler", "DDPMParallelScheduler", "DDIMParallelScheduler"),
    *("PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"),
    *("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "DEISMultistepScheduler"),
    *("UniPCMultistepScheduler",),
)
_PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
_BETAS: dict[str, Betas] = {"linear": "linear", "squaredcos_cap_v2": "cosine"}


class Training(NamedTuple):
    """What a scheduler's file says of the training."""

    schedule: VPSchedule
    prediction: Prediction


def ve_schedule(folder: Path) -> VESchedule | None:
    """The variance-exploding schedule that the scheduler's file of a network in a folder describes, if there is one.

    Raises:
        SdeditError: if it is another scheduler, or its noise levels cannot be.
    """
    for file, options in scheduler_files(folder):
        kind = options.get("_class_name")
        if kind not in (None, _VE_SCHEDULER):
            raise SdeditError(f"{file} is of a {str(kind)[:60]}, where the published NCSN++ have a {_VE_SCHEDULER}")
        if "sigma_max" in options:
            try:
                return VESchedule(float(options.get("sigma_min", 0.01)), float(options["sigma_max"]))
            except (TypeError, ValueError, OverflowError) as error:
                raise SdeditError(f"{file} has impossible noise levels: {error}") from error
    return None


def vp_training(folder: Path) -> Training | None:
    """What the scheduler's file of a variance-preserving network in a folder says; None if there is no file.

    Raises:
        SdeditError: if it is another training than sdedit knows.
    """
    file, options = next(scheduler_files(folder), (folder, None))
    if options is None:
        return None
    betas, prediction = options.get("beta_schedule", "linear"), options.get("prediction_type", "epsilon")
    kind = options.get("_class_name")
    if kind is not None and kind not in _VP_SCHEDULERS:
        raise SdeditError(
            f"{file} is of a {str(kind)[:60]}; sdedit reads {', '.join(_VP_SCHEDULERS[:2])} and their like"
        )
    if options.get("predict_epsilon") is False:  # of before diffusers 0.10
        prediction = "sample"
    if options.get("trained_betas") is not None or options.get("rescale_betas_zero_snr", False):
        raise SdeditError(f"{file} has betas of its own, which sdedit does not read")
    if "sigma_max" in options or not isinstance(betas, str) or betas not in _BETAS:
        raise SdeditError(f"{file} has another noise schedule ({str(betas)[:40]}) than sdedit knows for such a network")
    if not isinstance(prediction, str) or prediction not in _PREDICTIONS:
        raise SdeditError(f"{file} has prediction_type {str(prediction)[:40]}, which sdedit does not know")
    timesteps = options.get("num_train_timesteps", options.get("timesteps", 1000))
    try:
        schedule = VPSchedule(_BETAS[betas], timesteps, options.get("beta_start", 1e-4), options.get("beta_end", 0.02))
    except ValueError as error:
        raise SdeditError(f"{file} has an impossible noise schedule: {error}") from error
    return Training(schedule, _PREDICTIONS[prediction])


def options_of(model: ScoreModel) -> dict[str, Any]:
    """The scheduler_config.json of a model whose network diffusers has."""
    if isinstance(model.preconditioning, VPPreconditioning):
        return _vp_options(model.preconditioning)
    return {
        "_class_name": _VE_SCHEDULER,
        "num_train_timesteps": 2000,
        "sigma_min": model.schedule.sigma_min,
        "sigma_max": model.schedule.sigma_max,
        "sampling_eps": 1e-5,
        "snr": 0.15,
        "correct_steps": 1,
    }


def _vp_options(preconditioning: VPPreconditioning) -> dict[str, Any]:
    schedule = preconditioning.schedule
    return {
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": schedule.timesteps,
        "beta_schedule": next(theirs for theirs, ours in _BETAS.items() if ours == schedule.betas),
        "beta_start": schedule.beta_start,
        "beta_end": schedule.beta_end,
        "prediction_type": next(name for name, ours in _PREDICTIONS.items() if ours == preconditioning.prediction),
        "variance_type": "fixed_small",
        "clip_sample": True,
    }
