"""Names for ways to sample: each exists, and what is said beside a name takes its place."""

from __future__ import annotations

import pytest

from sdedit.diffusion.samplers import DEFAULT, GRIDS, QUALITIES, SAMPLERS, SAMPLINGS, Sampling, choose_sampling


def test_every_sampler_has_a_setting_that_runs() -> None:
    assert list(SAMPLINGS) == list(SAMPLERS)
    for name, sampling in [*SAMPLINGS.items(), *((q.sampler, q) for q in QUALITIES.values())]:
        assert sampling.sampler == name
        assert sampling.grid in GRIDS


def test_what_is_said_takes_its_place() -> None:
    assert choose_sampling() == DEFAULT
    assert choose_sampling("fast") == choose_sampling("fast", "auto") == QUALITIES["fast"]
    assert choose_sampling("fast", steps=7) == Sampling("er-sde", 7, "karras")
    assert choose_sampling(sampler="ancestral", grid="karras") == Sampling("ancestral", 100, "karras")


@pytest.mark.parametrize(
    ("options", "words"),
    [(("superb",), "fast, balanced"), ((None, "magic"), "er-sde"), (("fast", "heun"), "one of them")],
)
def test_what_cannot_be(options: tuple[str | None, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        choose_sampling(*options)
