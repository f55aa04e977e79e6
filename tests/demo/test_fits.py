"""The demo's numbers: its fits of the NIST archive agree with the certified values."""

import ast
import inspect

import numpy as np
import pytest

import covector.demo as demo
from covector import hessian, jacfwd, jacrev, vmap
from covector.demo import fitting, models
from covector.demo.data import Archive, Floats, Problem, load_archive
from covector.demo.fitting import Fit
from covector.demo.report import best_fit

ARCHIVE = load_archive()
NAMES = list(ARCHIVE.problems)


@pytest.fixture(scope="module")
def fits() -> dict[str, list[Fit]]:
    return {name: demo.fit_problem(problem) for name, problem in ARCHIVE.problems.items()}


def complex_step_jacobian(problem: Problem, b: Floats) -> Floats:
    """The Jacobian without covector: the imaginary part of a complex step, exact to rounding."""
    step = 1e-30
    columns = [problem.residuals(b + 1j * step * unit).imag / step for unit in np.eye(len(b))]
    return np.stack(columns, axis=1)


def test_the_archive_is_complete() -> None:
    assert isinstance(ARCHIVE, Archive)
    assert NAMES == ["Misra1a", "Thurber", "MGH09", "DanWood"]
    assert ARCHIVE.url.startswith("https://www.itl.nist.gov/")
    observations = {name: len(problem.x) for name, problem in ARCHIVE.problems.items()}
    assert observations == {"Misra1a": 14, "Thurber": 37, "MGH09": 11, "DanWood": 6}
    for problem in ARCHIVE.problems.values():
        assert problem.x.shape == problem.y.shape
        assert len(problem.starts) == 2
        assert {start.shape for start in problem.starts} == {problem.certified.shape}
        assert problem.standard_error.shape == problem.certified.shape


def test_the_models_are_plain_numpy() -> None:
    tree = ast.parse(inspect.getsource(models))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"collections.abc", "typing", "numpy"}


@pytest.mark.parametrize("name", NAMES)
def test_the_functions_are_the_formulas(name: str) -> None:
    problem = ARCHIVE.problems[name]
    names = {f"b{number}": value for number, value in enumerate(problem.certified, start=1)}
    by_formula = eval(problem.formula, {"exp": np.exp, "x": problem.x, **names})
    np.testing.assert_allclose(problem.model(problem.certified, problem.x), by_formula, rtol=1e-14)
    np.testing.assert_allclose(problem.sum_of_squares(problem.certified), problem.residual_sum_of_squares, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_jacobians_are_exact_at_starts_and_solution(name: str) -> None:
    problem = ARCHIVE.problems[name]
    for b in (*problem.starts, problem.certified):
        expected = complex_step_jacobian(problem, b)
        size = np.max(np.abs(expected))
        np.testing.assert_allclose(jacfwd(problem.residuals)(b), expected, rtol=1e-12, atol=1e-14 * size)
        np.testing.assert_allclose(jacrev(problem.residuals)(b), expected, rtol=1e-12, atol=1e-14 * size)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_standard_errors_agree_with_the_certified_values(name: str, fits: dict[str, list[Fit]]) -> None:
    problem = ARCHIVE.problems[name]
    best = best_fit(fits[name])
    # Written out here, not with the demo's own measure of agreement.
    np.testing.assert_allclose(best.parameters, problem.certified, rtol=1e-9)
    np.testing.assert_allclose(best.standard_errors, problem.standard_error, rtol=1e-6)
    assert demo.shortfall(problem, fits[name]) is None


@pytest.mark.parametrize("name", NAMES)
def test_newton_steps_bring_both_starts_to_the_last_certified_digits(name: str, fits: dict[str, list[Fit]]) -> None:
    refined = [fit for fit in fits[name] if fit.newton_steps]
    assert len(refined) == 2
    for fit in refined:
        assert fit.parameter_digits > 10
        assert fit.error_digits > 9
        assert fit.newton_steps <= 6


@pytest.mark.parametrize("name", NAMES)
def test_costs_are_counted(name: str, fits: dict[str, list[Fit]]) -> None:
    parameters = len(ARCHIVE.problems[name].certified)
    for difference, exact, refined in zip(*[iter(fits[name])] * 3):
        kinds = [fit.derivatives for fit in (difference, exact, refined)]
        assert kinds == ["2-point", "exact", "exact + Newton"]
        # Every finite-difference Jacobian costs one evaluation per parameter, and there is at least one.
        assert difference.residual_calls > parameters
        assert difference.jacobian_calls == 0
        assert 0 < exact.jacobian_calls <= exact.residual_calls < fitting.MAX_EVALUATIONS
        assert refined.seconds > exact.seconds > 0


def test_standard_errors_of_a_straight_line_are_the_textbook_ones() -> None:
    problem = ARCHIVE.problems["Misra1a"]
    x = problem.x
    line = Problem(**{**vars(problem), "model": lambda b, x: b[0] + b[1] * x})
    b = np.polynomial.Polynomial.fit(x, problem.y, 1).convert().coef
    s = np.sqrt(np.sum((problem.y - b[0] - b[1] * x) ** 2) / (len(x) - 2))
    spread = np.sum((x - x.mean()) ** 2)
    expected = [s * np.sqrt(1 / len(x) + x.mean() ** 2 / spread), s / np.sqrt(spread)]
    np.testing.assert_allclose(fitting.standard_errors(line, b, jacfwd(line.residuals)(b)), expected, rtol=1e-12)


def test_refine_leaves_a_point_that_is_no_minimum() -> None:
    problem = ARCHIVE.problems["MGH09"]
    start = problem.starts[0]
    assert np.linalg.eigvalsh(hessian(problem.sum_of_squares)(start))[0] < 0
    b, steps = fitting.refine(problem, start)
    assert steps == 0
    np.testing.assert_array_equal(b, start)


@pytest.mark.parametrize(
    ("value", "digits"), [([2.0, 4.0], 11), ([2.002, 4.0], 3), ([2.0, 4.00004], 5), ([9e9, 4.0], 0), ([np.nan, 4.0], 0)]
)
def test_agreement_counts_the_digits_of_the_worst_element(value: list[float], digits: float) -> None:
    assert fitting.agreement(np.array(value), np.array([2.0, 4.0])) == pytest.approx(digits, abs=1e-6)


def test_batched_jacobian_is_the_jacobian_of_every_draw() -> None:
    problem = ARCHIVE.problems["Thurber"]
    draws = problem.certified * np.array([[0.99], [1.0], [1.01]])
    batched = vmap(jacfwd(problem.residuals))(draws)
    expected = np.stack([complex_step_jacobian(problem, b) for b in draws])
    np.testing.assert_allclose(batched, expected, rtol=1e-11, atol=1e-13 * np.max(np.abs(expected)))
