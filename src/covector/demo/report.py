"""What the demo prints: plain ASCII, at most 100 columns."""

from collections.abc import Sequence
from textwrap import wrap

from .data import Archive, Floats, Problem
from .fitting import Fit
from .showcase import BATCH, BatchedJacobian, CurvatureProduct

WIDTH = 100


def heading(text: str) -> str:
    """A section title with a rule under it."""
    return f"\n{text}\n{'-' * len(text)}"


def paragraph(text: str) -> str:
    """Text broken to the width of the page."""
    return "\n".join(wrap(" ".join(text.split()), WIDTH))


def introduction(archive: Archive) -> str:
    """What is about to be shown, and how to read it."""
    return "\n".join(
        [
            "covector demo: exact derivatives of plain NumPy models",
            "======================================================",
            paragraph(f"Data and certified answers: {archive.source}."),
            archive.url,
            "",
            paragraph(
                """Each model is a Python function written with plain NumPy. scipy.optimize.least_squares fits it
                (method 'trf', x_scale 'jac', tolerances at machine precision) from both starting points of the
                archive, with three kinds of derivative:"""
            ),
            "",
            "  2-point         SciPy's finite differences",
            "  exact           jac=covector.jacfwd(residuals)",
            "  exact + Newton  then Newton steps to the zero of covector.grad(sum_of_squares), with",
            "                  covector.hessian: a sum of squares is flat at its minimum and places it to",
            "                  about 8 digits; its gradient is not flat and places it far better.",
            "",
            paragraph(
                """'digits' is -log10 of the largest relative error against the certified values, which are given
                to 11 digits. 'calls' counts evaluations of the residuals (f), of the Jacobian (J) and Newton
                steps (N). Times are the quickest of a few runs."""
            ),
        ]
    )


def _start(start: Floats) -> str:
    shown = ", ".join(f"{value:g}" for value in start)
    return shown if len(shown) <= 34 else shown[:31].rsplit(",", 1)[0] + ", ..."


def _calls(fit: Fit) -> str:
    calls = f"{fit.residual_calls:4d} f"
    if fit.jacobian_calls:
        calls += f" {fit.jacobian_calls:4d} J"
    if fit.newton_steps:
        calls += f" {fit.newton_steps} N"
    return f"{calls:17}"


def fit_table(problem: Problem, fits: Sequence[Fit]) -> str:
    """One line per start and kind of derivative, then the parameters of the best fit."""
    lines = [
        heading(f"{problem.name}:  y = {problem.formula}"),
        f"{len(problem.x)} observations, {len(problem.certified)} parameters, {problem.difficulty} difficulty",
        problem.origin,
        "",
        f"  {'start':<34} {'derivatives':<15} {'digits: b':>9} {'std.err.':>9}  {'calls':<17} {'time':>8}",
    ]
    shown = None
    for fit in fits:
        start = "" if shown is fit.start else _start(fit.start)
        shown = fit.start
        lines.append(
            f"  {start:<34} {fit.derivatives:<15} {fit.parameter_digits:9.1f} {fit.error_digits:9.1f}  "
            f"{_calls(fit)} {fit.seconds * 1e3:5.1f} ms"
        )
    best = best_fit(fits)
    lines += ["", f"  {'':<4} {'fitted':>18} {'certified':>18}   {'std. error':>18} {'certified':>18}"]
    rows = zip(best.parameters, problem.certified, best.standard_errors, problem.standard_error)
    for number, (b, certified, error, certified_error) in enumerate(rows, start=1):
        lines.append(f"  b{number:<3} {b:18.11g} {certified:18.11g}   {error:18.11g} {certified_error:18.11g}")
    return "\n".join(lines)


def best_fit(fits: Sequence[Fit]) -> Fit:
    """The fit with exact derivatives that agrees best with the certified values."""
    return max((fit for fit in fits if fit.jacobian_calls), key=lambda fit: (fit.parameter_digits, fit.error_digits))


def curvature_section(problem: Problem, shown: CurvatureProduct) -> str:
    """The Hessian-vector product."""
    product = "  ".join(f"{value:.6g}" for value in shown.product)
    return "\n".join(
        [
            heading("Hessian-vector product"),
            paragraph(
                f"""covector.hvp(sum_of_squares, (b,), (v,)) for {problem.name} at its minimum, v = one standard
                error in every parameter. Forward over reverse: the Hessian is never formed."""
            ),
            "",
            f"  H v = {product}",
            f"  digits of agreement with the full Hessian times v      {shown.hessian_digits:5.1f}",
            f"  digits a central difference of the gradient gets right {shown.difference_digits:5.1f}",
            f"  time {shown.seconds * 1e3:.2f} ms; the full Hessian takes {shown.hessian_seconds * 1e3:.2f} ms",
        ]
    )


def batch_section(problem: Problem, shown: BatchedJacobian) -> str:
    """The batched Jacobian."""
    return "\n".join(
        [
            heading("Batched Jacobian"),
            paragraph(
                f"""covector.vmap(covector.jacfwd(model), in_axes=(0, None))(draws, x) for {problem.name} at
                {BATCH} parameter sets drawn from the covariance of the fit."""
            ),
            "",
            f"  shape {shown.shape}: draws, observations, parameters",
            f"  digits of agreement with a Python loop {shown.digits:.1f}",
            f"  time {shown.seconds * 1e3:.1f} ms; the loop takes {shown.loop_seconds * 1e3:.1f} ms "
            f"({shown.loop_seconds / shown.seconds:.0f} times as long)",
        ]
    )
