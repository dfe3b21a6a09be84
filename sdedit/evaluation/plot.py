"""Plots of the trade-off between realism and faithfulness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sdedit.errors import SdeditError
from sdedit.io.writing import write_atomically


def check_plotting() -> None:
    """Fail now rather than after hours of painting.

    Raises:
        SdeditError: if matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SdeditError("plots need matplotlib; install it with: pip install 'sdedit[plot]'") from error


def plot_over_t0(
    path: Path, t0s: Sequence[float], curves: Mapping[str, Sequence[float]], errors: Mapping[str, Sequence[float]]
) -> None:
    """Curves over t0, the first with its axis on the left and the second, if there is one, on the right.

    Args:
        path: a .png, .svg or .pdf file.
        t0s: the times, rising.
        curves: values by their label.
        errors: half the length of a curve's error bars, for those that have them.

    Raises:
        SdeditError: if the file cannot be written.
    """
    # Without pyplot, whose figures and backend belong to the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    axes.set_xlabel("t0")
    axes.grid(alpha=0.3)
    for index, (label, values) in enumerate(curves.items()):
        side = axes if index == 0 else axes.twinx()
        colour = f"C{index}"
        side.errorbar(t0s, values, yerr=errors.get(label), color=colour, marker="o", capsize=3)
        side.set_ylabel(label, color=colour)
        side.tick_params(axis="y", labelcolor=colour)
    write_atomically(path, partial(figure.savefig, format=path.suffix[1:].lower(), dpi=120))
