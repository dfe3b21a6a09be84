"""Sweep: one guide painted over a range of t0, to see where realism begins and faithfulness ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdedit.diffusion.samplers import NO_CHOICE, Sampling, SamplingChoice
from sdedit.errors import SdeditError
from sdedit.io.outputs import beside, plan_outputs
from sdedit.io.writing import write_atomically, write_table
from sdedit.jobs.console import Console, counted
from sdedit.jobs.options import ModelOptions, draw_seed
from sdedit.jobs.settings import sampling_for, tell_notes

if TYPE_CHECKING:
    from PIL import Image

    from sdedit.diffusion.score_model import ScoreModel


@dataclass(frozen=True)
class SweepRow:
    """One painting of a sweep: its noise, and how far it is from the guide."""

    t0: float
    sigma: float
    seed: int
    l2: float  # root of the sum of squares over pixels and channels, values in [0, 1]
    rmse: float  # root of their mean


@dataclass(frozen=True)
class SweepJob:
    """What `sdedit sweep` is asked to do; its options by the same names."""

    guide: str
    t0: tuple[float, ...]
    output: str | None = None
    plot: bool = False
    seeds: int = 1
    seed: int | None = None
    sampling: SamplingChoice = NO_CHOICE
    size: int | tuple[int, int] | None = None
    background: str = "white"
    model: ModelOptions = field(default_factory=ModelOptions)
    overwrite: bool = False


def run_sweep_job(job: SweepJob, console: Console) -> list[Path]:
    """Paint a guide at each t0 with each seed; write a contact sheet, a table beside it, and a plot if asked.

    Returns:
        The files written.

    Raises:
        SdeditError: if anything given cannot be used.
    """
    from sdedit.evaluation.plot import check_plotting, plot_over_t0
    from sdedit.jobs.guides import read_guide

    if job.plot:
        check_plotting()
    sheet_file = _single(job, job.output, beside(job.guide, "sweep"), ".png")
    table_file = _single(job, str(sheet_file.with_suffix(".csv")), sheet_file, ".csv")
    plot_file = sheet_file.with_name(f"{sheet_file.stem}-plot.png")
    if job.plot:
        _single(job, str(plot_file), sheet_file, ".png")
    guide = read_guide(job.guide, job.background)

    from sdedit.diffusion.coarse_to_fine import evaluations, pass_count, sampling_in_passes
    from sdedit.pipelines.paint import own_size

    model = job.model.load(console.bars)
    tell_notes(model, console)
    fitted = guide.at(job.size or own_size(model)).image
    try:
        passes = pass_count(model, min(fitted.size))
        sampling = sampling_in_passes(sampling_for(job.sampling, model, max(job.t0)), passes)
    except ValueError as error:
        raise SdeditError(str(error)) from error
    first = draw_seed() if job.seed is None else job.seed
    seeds = range(first, first + job.seeds)
    console.log(
        f"{model.name}: {fitted.width}x{fitted.height} px, {counted(len(job.t0), 'value')} of t0, "
        f"{sampling}, seed {first}" + (f" to {seeds[-1]}" if job.seeds > 1 else "")
    )
    total = evaluations(sampling, passes) * len(job.t0) * job.seeds
    with console.bar(total, "step") as bar:
        painted = sweep(model, fitted, job.t0, seeds, sampling, on_step=lambda step: bar.update())

    from sdedit.io.contact_sheet import contact_sheet

    tiles = [
        [(fitted, f"guide\nseed {seed}"), *((image, _label(row)) for row, image in painted if row.seed == seed)]
        for seed in seeds
    ]
    sheet = contact_sheet(tiles)
    write_atomically(sheet_file, partial(sheet.save, format="PNG"))
    rows = [row for row, _ in painted]
    write_table(table_file, [asdict(row) for row in rows])
    if job.plot:
        label = f"L2 to the guide ({fitted.width}x{fitted.height} px)"
        of_t0 = [[row.l2 for row in rows if row.t0 == t0] for t0 in job.t0]
        means = [sum(values) / len(values) for values in of_t0]
        spread = [(max(values) - min(values)) / 2 for values in of_t0]
        plot_over_t0(plot_file, job.t0, {label: means}, {label: spread})
    return [sheet_file, table_file, *([plot_file] if job.plot else [])]


def sweep(
    model: ScoreModel,
    guide: Image.Image,
    t0s: Sequence[float],
    seeds: Sequence[int],
    sampling: Sampling,
    on_step: Callable[[Any], object] | None = None,
) -> list[tuple[SweepRow, Image.Image]]:
    """Paint a guide, at the size it has, at each t0 with each seed; t0 by t0."""
    from sdedit.evaluation import l2, rmse
    from sdedit.io.tensors import to_image, to_tensor
    from sdedit.pipelines.paint import paint

    given = to_tensor(guide)
    results = []
    for t0 in t0s:
        for seed in seeds:
            painted = paint(model, given, t0, sampling=sampling, seed=seed, on_step=on_step).to("cpu")
            pair = painted[None], given[None]
            row = SweepRow(t0, model.schedule.sigma(t0), seed, float(l2(*pair)), float(rmse(*pair)))
            results.append((row, to_image(painted)))
    return results


def _label(row: SweepRow) -> str:
    return f"t0 {row.t0:.4g}  sigma {row.sigma:.3g}\nL2 {row.l2:.2f}"


def _single(job: SweepJob, output: str | None, default: Path, suffix: str) -> Path:
    if output == "-":
        raise SdeditError("a sweep is several files; name the sheet, a .png file")
    file = plan_outputs(output, default, [job.guide], [suffix], overwrite=job.overwrite)[0]
    assert file is not None
    return file
