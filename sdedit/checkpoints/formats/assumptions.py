"""What files of weights leave open about their network, and what is assumed unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sdedit.diffusion.preconditioning import Prediction, VPPreconditioning
from sdedit.diffusion.vp_schedule import Betas, VPSchedule
from sdedit.errors import SdeditError

# The families differ from the published NCSN++ in these options, besides widths, depths and heads.
DDPM: Mapping[str, Any] = {
    "embedding": "positional",
    "resampling": "conv",
    "skip_rescale": False,
    "decoder_attention": "every",
    "norm_groups": 32,
}
ADM: Mapping[str, Any] = {
    "embedding": "timestep",
    "resampling": "mean",
    "skip_rescale": False,
    "resample_shortcut": False,
    "decoder_attention": "every",
    "norm_groups": 32,
    "norm_eps": 1e-5,
}
IMPROVED_DDPM: Mapping[str, Any] = {**ADM, "resampling": "conv-centred", "resample_shortcut": True}


@dataclass(frozen=True)
class Assumptions:
    """What the user knows better than a reader's guess; None leaves it to the reader.

    Attributes:
        schedule: how beta depends on time, of a variance-preserving model.
        timesteps: T, the number of its noise levels.
        prediction: what the network was trained to tell.
        heads: the number of attention heads at every level.
        head_channels: or the channels of each head.
        attention_order: of the rows of a layer that makes q, k and v of several heads at once: those of one head after
            those of another ("legacy"), or first q of all heads ("new").
        size: height and width of the training images, in pixels.
    """

    schedule: Betas | None = None
    timesteps: int | None = None
    prediction: Prediction | None = None
    heads: int | None = None
    head_channels: int | None = None
    attention_order: Literal["legacy", "new"] | None = None
    size: int | None = None

    def given(self) -> set[str]:
        """The names of what was given."""
        return {name for name, value in vars(self).items() if value is not None}

    def take_only(self, path: Path, *names: str) -> None:
        """Refuse assumptions about what the file says itself or its network does not have.

        Raises:
            SdeditError: if something else than `names` was given.
        """
        if idle := sorted(self.given() - {*names}):
            words = ", ".join(name.replace("_", "-") for name in idle)
            raise SdeditError(f"{path} leaves nothing open where {words} could be assumed; leave that out")

    def training(
        self, usual: str, betas: Betas = "linear", timesteps: int = 1000
    ) -> tuple[VPPreconditioning, list[str]]:
        """How a network was trained that a file of weights holds, and a note on what was assumed for it.

        Args:
            usual: the schedule that is usual for such files, in words.
            betas, timesteps: the same.

        Raises:
            SdeditError: as `vp_schedule`.
        """
        schedule, scale = self.vp_schedule(betas, timesteps)
        taken = {"its noise schedule": usual} if self.schedule is None and self.timesteps is None else {}
        taken |= {"what it predicts": "the noise"} if self.prediction is None else {}
        return VPPreconditioning(schedule, self.prediction or "eps", scale), told(taken)

    def vp_schedule(self, betas: Betas = "linear", timesteps: int = 1000) -> tuple[VPSchedule, float]:
        """The schedule that is usual for a file, or what was given in its place, and the label's scale.

        The linear betas of T levels are 1000 / T times DDPM's, and networks are conditioned on i 1000 / T: so Nichol
        and Dhariwal (2021, arXiv 2102.09672) trained at other T, and at T = 1000 it is DDPM.

        Raises:
            SdeditError: if there is no such schedule.
        """
        betas, timesteps = self.schedule or betas, self.timesteps or timesteps
        try:
            scale = 1000 / timesteps
            return VPSchedule(betas, timesteps, 1e-4 * scale, 0.02 * scale), 1.0 if betas == "continuous" else scale
        except (ValueError, ZeroDivisionError) as error:
            raise SdeditError(f"there is no such noise schedule: {error}") from error


NOTHING = Assumptions()


def told(taken: Mapping[str, str]) -> list[str]:
    """A note on what was taken for what a file does not say, both in words; none if there is nothing."""
    if not taken:
        return []
    verb = "are" if len(taken) > 1 else "is"
    what, values = " and ".join(taken), " and ".join(taken.values())
    return [f"the file does not say {what}; {values} {verb} assumed, as of the published ones"]
