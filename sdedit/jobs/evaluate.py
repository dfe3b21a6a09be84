"""Evaluating from files: KID and L2 over t0 for guides and photographs, or one edit against what it had to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sdedit.diffusion.samplers import NO_CHOICE, Sampling, SamplingChoice
from sdedit.errors import SdeditError
from sdedit.io.files import open_input, write_table
from sdedit.io.outputs import plan_outputs
from sdedit.jobs.options import DEFAULT_MODEL, ModelOptions
from sdedit.jobs.settings import sampling_for


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
    sampling: Sampling | SamplingChoice = NO_CHOICE
    model: ModelOptions = DEFAULT_MODEL
    overwrite: bool = False


def run_evaluate_job(job: EvaluateJob, say: Callable[[str], object], show_progress: bool) -> list[Path]:
    """Paint all guides at each t0 and measure them.

    Guides and photographs are brought to the model's native size: the largest square in their middle, shrunk. The first
    row, t0 = 0, is the guides as they are.

    Returns:
        The files written.

    Raises:
        SdeditError: if anything given cannot be used, or there are too few images.
    """
    from sdedit.evaluation.plot import check_plotting, plot_over_t0

    if job.plot:
        check_plotting()
    table_file = plan_outputs(job.output, Path("evaluation.csv"), [], [".csv"], overwrite=job.overwrite)[0]
    if table_file is None:
        raise SdeditError("an evaluation is not written to standard output; name a .csv file")
    plot_file = table_file.with_suffix(".png")
    if job.plot:
        plan_outputs(str(plot_file), plot_file, [], [".png"], overwrite=job.overwrite)

    from tqdm import tqdm

    from sdedit.evaluation.curve import BATCH, realism_curve
    from sdedit.evaluation.features import load_extractor
    from sdedit.evaluation.kid import check_enough
    from sdedit.io.photographs import load_squares

    model = job.model.load(show_progress)
    try:
        sampling = sampling_for(job.sampling, model, max(job.t0))
    except ValueError as error:
        raise SdeditError(str(error)) from error
    squares = []
    for place, words, limit in ((job.guides, "guides", job.limit), (job.photos, "photographs", None)):
        images, bad = load_squares(place, model.native_size, limit)
        for name in bad:
            say(f"left out {name}: it is not a whole picture")
        check_enough(len(images), f"{words} ({place})")
        squares.append(images)
    guides, photographs = squares
    extractor = load_extractor(job.features, model.device)
    say(
        f"{model.name}: {len(guides)} guides and {len(photographs)} photographs at {model.native_size} px, "
        f"{sampling}, seeds from {job.seed}, KID on {extractor.name} features"
    )
    if len(guides) < 100:
        say(f"with {len(guides)} guides KID is rough: mind its standard error")
    batches = -(-len(guides) // BATCH)
    total = batches * sampling.steps * len(job.t0)
    rows = []
    with tqdm(total=total, unit="batch", leave=False, disable=None if show_progress else True) as bar:
        reference = extractor(photographs)
        for point in realism_curve(
            model, guides, reference, extractor, (0, *job.t0), sampling, job.seed, lambda step: bar.update()
        ):
            say(f"t0 {point.t0:.4g}: KID {point.kid:.4f} +- {point.kid_error:.4f}, L2 {point.l2:.2f}")
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
    if not job.plot:
        return [table_file]
    painted = rows[1:]
    kid_label, l2_label = f"KID ({extractor.name})", "L2 to the guide"
    curves = {kid_label: [row["kid"] for row in painted], l2_label: [row["l2"] for row in painted]}
    plot_over_t0(plot_file, job.t0, curves, {kid_label: [row["kid_error"] for row in painted]})
    return [table_file, plot_file]


def measure_edit(edited: Path, source: Path, mask: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """Compare an edited image with its source where the mask is black.

    Args:
        edited: an image file.
        source: the image before, of the same size.
        mask: of the same size, white where the image was allowed to change.
        say: hears why LPIPS was not measured, if it was not.

    Returns:
        Facts by name: the number of pixels that had to be kept and of those that changed, their L2 and RMSE with values
        in [0, 1], and LPIPS with the rest blackened.

    Raises:
        SdeditError: if a file cannot be used, or their sizes differ.
    """
    import torch

    from sdedit.evaluation.distances import masked_lpips
    from sdedit.io.images import open_image
    from sdedit.io.tensors import to_tensor
    from sdedit.pipelines.mask import mask_values

    before, after = (open_image(*open_input(str(file))) for file in (source, edited))
    free = open_image(*open_input(str(mask)), background="black")
    for image, file in ((after, edited), (free, mask)):
        if image.size != before.size:
            raise SdeditError(
                f"{file} has {image.width}x{image.height} px and {source} has {before.width}x{before.height} px"
            )
    kept = torch.from_numpy(mask_values(free)) == 0
    if not kept.any():
        raise SdeditError(f"{mask} is white everywhere: there is nothing outside it to measure")
    difference = (to_tensor(after) - to_tensor(before))[:, kept]
    facts: dict[str, Any] = {
        "kept pixels": int(kept.sum()),
        "of them changed": int((difference != 0).any(dim=0).sum()),
        "l2": float(f"{float(difference.norm()):.6g}"),
        "rmse": float(f"{float(difference.square().mean().sqrt()):.6g}"),
    }
    try:
        value = masked_lpips(to_tensor(after)[None], to_tensor(before)[None], (~kept)[None, None].float())
        facts["lpips"] = float(f"{float(value):.6g}")
    except SdeditError as error:
        say(f"LPIPS was not measured: {error}")
    return facts
