"""Evaluating from files: guides and photographs in, a table and a plot of KID and L2 over t0 out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.model_choice import DEFAULT_MODEL, ModelChoice
from sdedit.places import find_outputs
from sdedit.quality import DEFAULT, Sampling
from sdedit.sweeping import write_table


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
    sampling: Sampling = DEFAULT
    model: ModelChoice = DEFAULT_MODEL
    overwrite: bool = False


def run_evaluate_job(job: EvaluateJob, say: Callable[[str], object], show_progress: bool) -> list[Path]:
    """Paint all guides at each t0 and measure them.

    Guides and photographs are brought to the model's native size: the largest square in their middle, shrunk. The first
    row, t0 = 0, is the guides as they are.

    Returns:
        The files written.

    Raises:
        SdeditError: if anything given cannot be used, or there are too few pictures.
    """
    from sdedit.evaluation.plot import check_plotting, plot_over_t0

    if job.plot:
        check_plotting()
    table_file = find_outputs(job.output, Path("evaluation.csv"), [], [".csv"], overwrite=job.overwrite)[0]
    if table_file is None:
        raise SdeditError("an evaluation is not written to standard output; name a .csv file")
    plot_file = table_file.with_suffix(".png")
    if job.plot:
        find_outputs(str(plot_file), plot_file, [], [".png"], overwrite=job.overwrite)

    from tqdm import tqdm

    from sdedit.evaluation.curve import BATCH, realism_curve
    from sdedit.evaluation.features import load_extractor
    from sdedit.evaluation.realism import check_enough
    from sdedit.training.data import load_squares

    model = job.model.load(show_progress)
    squares = []
    for place, words, limit in ((job.guides, "guides", job.limit), (job.photos, "photographs", None)):
        pictures, bad = load_squares(place, model.native_size, limit)
        for name in bad:
            say(f"left out {name}: it is not a whole picture")
        check_enough(len(pictures), f"{words} ({place})")
        squares.append(pictures)
    guides, photographs = squares
    extractor = load_extractor(job.features, model.device)
    say(
        f"{model.name}: {len(guides)} guides and {len(photographs)} photographs at {model.native_size} px, "
        f"{job.sampling}, seeds from {job.seed}, KID on {extractor.name} features"
    )
    if len(guides) < 100:
        say(f"with {len(guides)} guides KID is rough: mind its standard error")
    batches = -(-len(guides) // BATCH)
    total = batches * job.sampling.steps * len(job.t0)
    rows = []
    with tqdm(total=total, unit="batch", leave=False, disable=None if show_progress else True) as bar:
        reference = extractor(photographs)
        for point in realism_curve(
            model, guides, reference, extractor, (0, *job.t0), job.sampling, job.seed, lambda evaluation: bar.update()
        ):
            say(f"t0 {point.t0:.4g}: KID {point.kid:.4f} +- {point.kid_error:.4f}, L2 {point.l2:.2f}")
            facts = {
                "features": extractor.name,
                "guides": len(guides),
                "photographs": len(photographs),
                "model": model.name,
                **asdict(job.sampling),
                "seed": job.seed,
            }
            rows.append({**asdict(point), **facts})
    write_table(table_file, rows)
    if not job.plot:
        return [table_file]
    painted = rows[1:]
    kid_label, l2_label = f"KID ({extractor.name})", "L2 to the guide"
    curves = {kid_label: [row["kid"] for row in painted], l2_label: [row["l2"] for row in painted]}
    plot_over_t0(plot_file, job.t0, curves, {kid_label: [row["kid_error"] for row in painted]})
    return [table_file, plot_file]
