"""The picture of the fits. Matplotlib is imported here and only when a picture is asked for."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from covector import jacfwd

from .data import Floats, Problem
from .fitting import Fit, covariance_factor


class PlotError(Exception):
    """The picture cannot be made; the message says what to do."""


def check_plot(target: Path) -> None:
    """Find out before the work starts whether the picture can be written at the end."""
    if find_spec("matplotlib") is None:
        raise PlotError(
            "--plot needs matplotlib, which is not installed. Install it with `pip install matplotlib` "
            "(or `pip install 'covector[demo]'`), or run the demo without --plot."
        )
    if not target.parent.is_dir():
        raise PlotError(f"--plot {target}: the folder {target.parent} does not exist. Create it first.")
    if target.is_dir():
        raise PlotError(f"--plot {target}: this is a folder. Give a file name such as {target / 'fits.png'}.")
    canvas = import_module("matplotlib.backend_bases").FigureCanvasBase
    known = sorted(canvas.get_supported_filetypes())
    if target.suffix[1:].lower() not in known:
        problem = f"the ending {target.suffix!r} names no picture format" if target.suffix else "it has no ending"
        raise PlotError(f"--plot {target}: {problem}. Use one of: {', '.join('.' + ending for ending in known)}.")


def prediction_band(problem: Problem, fit: Fit, x: Floats) -> tuple[Floats, Floats]:
    """The fitted curve at `x` and the half-width of its pointwise 95 % confidence band.

    The variance of the curve is the quadratic form of the parameters' covariance in the derivatives of the
    curve by the parameters (first-order propagation of errors), here exact derivatives.
    """
    b = fit.parameters
    factor = covariance_factor(problem, b, jacfwd(problem.residuals)(b))
    spread = np.linalg.norm(jacfwd(problem.model)(b, x) @ factor, axis=1)
    return problem.model(b, x), stdtrit(len(problem.x) - len(b), 0.975) * spread


def save_plot(fits: Sequence[tuple[Problem, Fit]], target: Path) -> None:
    """Draw every fit with its confidence band and residuals, and write the picture to `target`."""
    # A Figure of its own, without pyplot: no display is needed and no global state of matplotlib is touched.
    figure = import_module("matplotlib.figure").Figure(figsize=(11, 8.5), layout="constrained")
    figure.suptitle("NIST StRD fits with exact derivatives from covector")
    columns = 2
    rows = -(-len(fits) // columns)
    for panel, (problem, fit) in zip(figure.subfigures(rows, columns, squeeze=False).flat, fits):
        _draw(panel, problem, fit)
    try:
        figure.savefig(target, dpi=150)
    except OSError as reason:
        raise PlotError(f"--plot {target}: the picture cannot be written there ({reason.strerror}).") from reason


def _draw(panel: Any, problem: Problem, fit: Fit) -> None:
    curve, below = panel.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    x = np.linspace(problem.x.min(), problem.x.max(), 300)
    y, half_width = prediction_band(problem, fit, x)
    curve.fill_between(x, y - half_width, y + half_width, color="#9ecae1", alpha=0.6, lw=0, label="95 % band")
    curve.plot(x, y, color="#08519c", lw=1.5, label="fit")
    curve.plot(problem.x, problem.y, "o", color="#d94801", ms=4, label="observations")
    curve.set_title(f"{problem.name}\ny = {problem.formula}", fontsize=8)
    curve.set_ylabel(problem.y_label)
    curve.legend(fontsize=8, frameon=False)
    below.axhline(0, color="0.6", lw=0.8)
    below.vlines(problem.x, 0, -problem.residuals(fit.parameters), color="#d94801", lw=1)
    below.plot(problem.x, -problem.residuals(fit.parameters), "o", color="#d94801", ms=3)
    below.set_ylabel("residual")
    below.set_xlabel(problem.x_label)
