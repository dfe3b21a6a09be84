"""Where sampling stands shortly before its last step: what a finisher is given, in training as in use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sdedit.diffusion.reverse_sde import Step, gaussian_noise, sample
from sdedit.diffusion.samplers import er_sde
from sdedit.diffusion.schedule import VESchedule
from sdedit.diffusion.score_model import ScoreModel
from sdedit.io.photographs import Pixels, centre_squares

_TIMES = (0.45, 0.55)  # the t0 that sampling begins at, at random between these
_LEVELS = 5  # noise levels from there to the branch
_BATCH = 8


class SampledStates:
    """States of `er-sde` at one noise level, the branch, from which the step to a lower one is drawn afresh each time.

    So a few states give many inputs: of the noise at half the level three quarters are new.
    """

    def __init__(self, model: ScoreModel, pairs: Sequence[Pixels], sigma: float, generator: torch.Generator) -> None:
        """Sample them.

        Args:
            model: the denoiser.
            pairs: (H, W, 6) uint8 each, a photograph and its guide; the square in their middle is painted, at the
                model's native size.
            sigma: the branch, below the noise of the lowest t0.
            generator: of t0 and of the noise.
        """
        self.sigma = sigma
        photographs, guides = (
            centre_squares([np.ascontiguousarray(pair[..., part]) for pair in pairs], model.native_size)
            for part in (slice(3), slice(3, 6))
        )
        states = [_sample(model, batch, sigma, generator) for batch in guides.split(_BATCH)]
        self._before = [level for state, level in states for _ in range(len(state))]
        # x, D, the D of the level before, the photograph and the guide: (N, 5, 3, size, size).
        pictures = torch.stack([photographs, guides], dim=1).to(model.device).half()
        self._states = torch.cat([torch.cat([state for state, _ in states]), pictures], dim=1)

    def draw(self, sigma: Tensor, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Windows of states, half of them mirrored, one step on.

        Args:
            sigma: (B,), the levels they are to have, below the branch.
            side: height and width of a window, in pixels.
            generator: of everything that is random; on the device of the states.

        Returns:
            The states, and the photographs and the guides that belong to them, (B, 3, side, side) float32 each.
        """
        device, size = self._states.device, self._states.shape[-1]
        picks = torch.randint(len(self._states), sigma.shape, generator=generator, device=device).tolist()
        # Even places, so that pixels stay with those that a detail network halves with them.
        tops, lefts = (
            2 * torch.randint((size - side) // 2 + 1, (2, len(sigma)), generator=generator, device=device)
        ).tolist()
        windows = torch.stack(
            [
                self._states[pick, ..., top : top + side, left : left + side]
                for pick, top, left in zip(picks, tops, lefts, strict=True)
            ]
        ).float()
        mirrored = torch.rand(len(sigma), generator=generator, device=device) < 0.5
        windows = torch.where(mirrored[:, None, None, None, None], windows.flip(-1), windows)
        x, d, d_before, photographs, guides = windows.unbind(dim=1)
        steps = [er_sde(self._before[p], self.sigma, s) for p, s in zip(picks, sigma.tolist(), strict=True)]
        a, b, c = torch.tensor(steps, device=device)[..., None, None, None].unbind(dim=1)
        x = d + a * (x - d) + c * (d - d_before) + b * gaussian_noise(x, generator)
        return x, photographs, guides


@torch.inference_mode()
def _sample(model: ScoreModel, guides: Tensor, branch: float, generator: torch.Generator) -> tuple[Tensor, float]:
    """Their states (B, 3, 3, size, size), and the level before the branch."""
    low, high = _TIMES
    t0 = low + (high - low) * float(torch.rand((), generator=generator, device=model.device))
    ending = VESchedule(model.schedule.sigma_min, model.schedule.sigma_max, branch)
    levels = ending.sigmas(t0, _LEVELS, "karras")
    guides = guides.to(model.device)
    x = guides + float(levels[0]) * gaussian_noise(guides, generator)
    steps: list[Step] = []
    sample(model.denoise, x, levels, generator, "er-sde", steps.append)
    before, last = steps[-2:]
    return torch.stack([last.x, last.denoised, before.denoised], dim=1).half(), before.sigma
