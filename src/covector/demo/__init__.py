"""The demonstration behind ``python -m covector demo``: real models, fitted with exact derivatives."""

from collections.abc import Callable
from pathlib import Path

from covector import jacfwd

from .data import Archive, Problem, load_archive
from .fitting import Fit, fit_and_refine, fit_exactly, fit_with_differences
from .plotting import PlotError, check_plot, save_plot
from .report import batch_section, best_fit, curvature_section, fit_table, heading, introduction
from .showcase import batched_jacobian, curvature_product

# What a fit has to reach to count: digits of agreement from the better start.
PARAMETER_DIGITS = 9
ERROR_DIGITS = 6
# What the second part has to reach: two exact ways to the same numbers differ by rounding only.
IDENTITY_DIGITS = 10


def fit_problem(problem: Problem) -> list[Fit]:
    """Fit one problem from each start: by finite differences, exactly, and exactly with Newton steps."""
    fits = []
    for start in problem.starts:
        exact = fit_exactly(problem, start)
        fits += [fit_with_differences(problem, start), exact, fit_and_refine(problem, exact)]
    return fits


def shortfall(problem: Problem, fits: list[Fit]) -> str | None:
    """What is missing for the fits to count, in words, or None."""
    best = best_fit(fits)
    if best.parameter_digits >= PARAMETER_DIGITS and best.error_digits >= ERROR_DIGITS:
        return None
    return (
        f"{problem.name}: parameters agree to {best.parameter_digits:.1f} digits (needed: {PARAMETER_DIGITS}), "
        f"standard errors to {best.error_digits:.1f} (needed: {ERROR_DIGITS})"
    )


def run_demo(plot: Path | None = None, write: Callable[[str], object] = print) -> int:
    """Run the demonstration and return the exit status: 0 if every result is as exact as it must be, 1 if not.

    Parameters
    ----------
    plot : Path, optional
        Where to save a picture of the fits; its ending chooses the format. Needs matplotlib.
    write : callable
        Receives the text, piece by piece.

    Raises
    ------
    PlotError
        If a picture is asked for and cannot be made; what can be found out beforehand is raised beforehand.
    """
    if plot is not None:
        check_plot(plot)
    archive = load_archive()
    write(introduction(archive))
    best, failures = {}, []
    for name, problem in archive.problems.items():
        fits = fit_problem(problem)
        best[name] = best_fit(fits)
        write(fit_table(problem, fits))
        missing = shortfall(problem, fits)
        failures += [missing] if missing else []
    failures += _show_beyond_fits(archive, best, write)
    if plot is not None:
        save_plot([(archive.problems[name], fit) for name, fit in best.items()], plot)
    write(heading("Result"))
    if plot is not None:
        write(f"The picture of the fits is in {plot}.")
    if failures:
        write("NOT as exact as it must be:")
        for failure in failures:
            write(f"  {failure}")
        return 1
    write(
        f"All {len(best)} models agree with the certified values: parameters to {PARAMETER_DIGITS} digits or more,\n"
        f"standard errors to {ERROR_DIGITS} or more."
    )
    return 0


def _show_beyond_fits(archive: Archive, best: dict[str, Fit], write: Callable[[str], object]) -> list[str]:
    """The Hessian-vector product and the batched Jacobian; returns what went wrong, in words."""
    hardest, simplest = "Thurber", "Misra1a"
    problem, fit = archive.problems[hardest], best[hardest]
    product = curvature_product(problem, fit.parameters, fit.standard_errors)
    write(curvature_section(problem, product))

    problem, fit = archive.problems[simplest], best[simplest]
    batch = batched_jacobian(problem, fit.parameters, jacfwd(problem.residuals)(fit.parameters))
    write(batch_section(problem, batch))

    failures = []
    if not product.hessian_digits >= IDENTITY_DIGITS:
        failures.append(f"hvp agrees with the full Hessian to {product.hessian_digits:.1f} digits only")
    if not batch.digits >= IDENTITY_DIGITS:
        failures.append(f"the batched Jacobian agrees with the loop to {batch.digits:.1f} digits only")
    return failures
