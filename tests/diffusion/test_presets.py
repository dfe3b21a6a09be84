"""Names for ways to sample: each exists, and what is said beside a name takes its place."""

from __future__ import annotations

import pytest

from sdedit.diffusion.samplers import DEFAULT, DEFAULTS, GRIDS, PRESETS, SAMPLERS, Sampling, resolve_sampling


def test_every_sampler_has_a_setting_that_runs() -> None:
    assert DEFAULTS.keys() == SAMPLERS.keys()
    for name, sampling in [*DEFAULTS.items(), *((q.sampler, q) for q in PRESETS.values())]:
        assert sampling.sampler == name
        assert sampling.grid in GRIDS


def test_what_is_said_takes_its_place() -> None:
    assert resolve_sampling() == DEFAULT
    assert resolve_sampling("fast") == resolve_sampling("fast", "auto") == PRESETS["fast"]
    assert resolve_sampling("fast", steps=7) == Sampling("er-sde", 7, "karras")
    assert resolve_sampling(sampler="ancestral", grid="karras") == Sampling("ancestral", 100, "karras")


@pytest.mark.parametrize(
    ("options", "words"),
    [(("superb",), "fast, balanced"), ((None, "magic"), "er-sde"), (("fast", "heun"), "one of them")],
)
def test_what_cannot_be(options: tuple[str | None, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        resolve_sampling(*options)
