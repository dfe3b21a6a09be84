"""Evaluating from files: KID and L2 over t0 for guides and photographs, or one edit against what it had to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sdedit.diffusion.samplers import NO_CHOICE, SamplingChoice
from sdedit.errors import SdeditError
from sdedit.io.outputs import plan_outputs
from sdedit.io.writing import write_table
from sdedit.jobs.console import Console
from sdedit.jobs.omitted import raise_for_omitted, tell_omitted
from sdedit.jobs.options import ModelOptions
from sdedit.jobs.settings import sampling_for, tell_notes


@dataclass(frozen=True)
class EvaluateJob:
    """What `sdedit evaluate` is asked to do; its options by the same names."""

    guides: Path
    photos: Path
    t0: tuple[float, ...]
    output: str = "evaluation.csv"
    plot: bool = False
    features: str = "inception"
    limit: int | None = None
    seed: int = 0
    sampling: SamplingChoice = NO_CHOICE
    model: ModelOptions = field(default_factory=ModelOptions)
    overwrite: bool = False


def run_evaluate_job(job: EvaluateJob, console: Console) -> Iterator[Path]:
    """Paint all guides at each t0 and measure them.

    Guides and photographs are brought to the model's native size: the largest square in their middle, shrunk. The first
    row, t0 = 0, is the guides as they are.

    Returns:
        The files written, as they are.

    Raises:
        SdeditError: if anything given cannot be used, or there are too few images.
        SomeFailedError: at the end, if some images could not be read.
    """
    from sdedit.evaluation.plot import check_plotting

    if job.plot:
        check_plotting()
    table_file = plan_outputs(job.output, Path("evaluation.csv"), [], [".csv"], overwrite=job.overwrite)[0]
    if table_file is None:
        raise SdeditError("an evaluation is not written to standard output; name a .csv file")
    plot_file = table_file.with_suffix(".png")
    if job.plot:
        plan_outputs(str(plot_file), plot_file, [], [".png"], overwrite=job.overwrite)

    from sdedit.evaluation.curve import BATCH, realism_curve
    from sdedit.evaluation.features import load_extractor
    from sdedit.evaluation.kid import check_enough
    from sdedit.io.photograph_files import Omitted
    from sdedit.io.photographs import load_squares

    model = job.model.load(console.bars)
    tell_notes(model, console)
    try:
        sampling = sampling_for(job.sampling, model, max(job.t0))
    except ValueError as error:
        raise SdeditError(str(error)) from error
    squares, omitted = [], Omitted()
    for place, words, limit in ((job.guides, "guides", job.limit), (job.photos, "photographs", None)):
        images, bad = load_squares(place, model.native_size, limit)
        omitted.add(bad)
        check_enough(len(images), f"{words} ({place})")
        squares.append(images)
    guides, photographs = squares
    extractor = load_extractor(job.features, model.device)
    console.log(
        f"{model.name}: {len(guides)} guides and {len(photographs)} photographs at {model.native_size} px, "
        f"{sampling}, seeds from {job.seed}, KID on {extractor.name} features"
    )
    if len(guides) < 100:
        console.log(f"with {len(guides)} guides KID is rough: mind its standard error")
    batches = -(-len(guides) // BATCH)
    total = batches * sampling.steps * len(job.t0)
    rows = []
    with console.bar(total, "batch") as bar:
        reference = extractor(photographs)
        for point in realism_curve(
            model, guides, reference, extractor, (0, *job.t0), sampling, job.seed, lambda step: bar.update()
        ):
            console.log(
                f"t0 {point.t0:.4g}: KID {point.kid:.4f} +- {point.kid_error:.4f}, "
                f"told apart {100 * point.told_apart:.0f} %, L2 {point.l2:.2f}"
            )
            facts = {
                "features": extractor.name,
                "guides": len(guides),
                "photographs": len(photographs),
                "model": model.name,
                **asdict(sampling),
                "seed": job.seed,
            }
            rows.append({**asdict(point), **facts})
    write_table(table_file, rows)
    yield table_file
    if job.plot:
        _plot(plot_file, job, rows, extractor.name)
        yield plot_file
    tell_omitted(omitted, console)
    raise_for_omitted(omitted, len(guides) + len(photographs), "the table")


def _plot(file: Path, job: EvaluateJob, rows: list[dict[str, Any]], features: str) -> None:
    from sdedit.evaluation.plot import plot_over_t0

    painted = rows[1:]
    kid_label, l2_label = f"KID ({features})", "L2 to the guide"
    curves = {kid_label: [row["kid"] for row in painted], l2_label: [row["l2"] for row in painted]}
    plot_over_t0(file, job.t0, curves, {kid_label: [row["kid_error"] for row in painted]})
