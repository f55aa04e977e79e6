"""The example scripts run, and what they compute is right."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import covector

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(covector.__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


def names_of(script: str) -> dict[str, Any]:
    """What an example defines."""
    return runpy.run_path(str(ROOT / "examples" / script))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs_as_a_script(script: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-W", "error", str(script)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("\n") >= 2
    assert ran.stderr == ""
    assert not list(tmp_path.iterdir())


def test_every_script_is_listed() -> None:
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) == 5
    assert [script.name for script in SCRIPTS if f"`{script.name}`" not in readme] == []


def test_curve_fit_errors_cover_the_truth() -> None:
    example = names_of("curve_fit_with_errors.py")
    pulls = []
    for seed in range(20):
        p, covariance = example["fit"](seed)
        pulls.append((p - example["TRUE"]) / np.sqrt(np.diag(covariance)))
    # Errors in units of their standard error: spread near one, none far out.
    assert 0.7 < np.std(pulls) < 1.3
    assert np.max(np.abs(pulls)) < 5


def test_the_error_of_the_quality_factor_is_that_of_a_quotient() -> None:
    example = names_of("curve_fit_with_errors.py")
    (_, damping, frequency, _), covariance = example["fit"]()
    q, error = example["quality_with_error"](*example["fit"]())
    relative = covariance[1, 1] / damping**2 + covariance[2, 2] / frequency**2
    relative -= 2 * covariance[1, 2] / (damping * frequency)
    np.testing.assert_allclose([q, error], frequency / (2 * damping) * np.array([1, np.sqrt(relative)]), rtol=1e-12)


def test_rosenbrock_is_minimised_to_rounding() -> None:
    exact, differences = names_of("minimise_rosenbrock.py")["solve"](20)
    assert np.max(np.abs(exact.x - 1)) < 1e-10
    assert exact.nfev < differences.nfev


def test_batched_jacobians_are_those_of_geometry() -> None:
    example = names_of("batched_jacobians.py")
    poses = np.random.default_rng(3).uniform(-np.pi, np.pi, (50, 3))
    batched = covector.vmap(covector.jacfwd(example["hand_position"]))(poses)
    expected = np.stack([example["hand_jacobian_by_geometry"](pose) for pose in poses])
    np.testing.assert_allclose(batched, expected, rtol=0, atol=1e-14)


def test_ode_sensitivity_keeps_the_conserved_quantity() -> None:
    # Along a Lotka-Volterra orbit V is constant, so its derivative by a rate is the one at the start, where the
    # populations do not depend on the rates. This holds up to the error of the integrator.
    example = names_of("ode_sensitivity.py")
    rates, direction = example["RATES"], np.array([1.0, 0.0, 0.0, 0.0])

    def conserved(state: np.ndarray, rates: np.ndarray) -> np.ndarray:
        prey, predators = state[..., 0], state[..., 1]
        birth, predation, growth, death = rates
        return growth * prey - death * np.log(prey) + predation * predators - birth * np.log(predators)

    states, derivative = example["sensitivity"](direction)
    _, along = covector.jvp(conserved, (states, rates), (derivative, direction))
    np.testing.assert_allclose(along, np.full(len(states), -np.log(example["START"][1])), rtol=1e-4)
    assert np.max(np.abs(derivative)) > 1


def test_lotka_volterra_is_at_the_maximum_with_errors_of_differences() -> None:
    example = names_of("lotka_volterra.py")
    parameters, errors, search = example["fit"]()
    assert search.success
    assert np.max(np.abs(search.jac)) < 1e-5
    # The curvature from differences of the gradient, in logarithms.
    gradient, step = example["loss_and_gradient"], 1e-4
    columns = [(gradient(search.x + step * d)[1] - gradient(search.x - step * d)[1]) / (2 * step) for d in np.eye(8)]
    curvature = (np.stack(columns) + np.stack(columns).T) / 2
    np.testing.assert_allclose(errors, parameters * np.sqrt(np.diag(np.linalg.inv(curvature))), rtol=1e-5)
    # Bob Carpenter's posterior of the same model: the weak priors move the means by a fraction of their deviation.
    for name, value in zip(example["NAMES"], parameters, strict=True):
        if name in example["CARPENTER"]:
            mean, deviation = example["CARPENTER"][name]
            assert abs(value - mean) < 0.3 * deviation, name


def test_lotka_volterra_draws_a_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    example = names_of("lotka_volterra.py")
    example["plot"](np.array([0.54, 0.027, 0.8, 0.024, 34.6, 5.8, 0.2, 0.2]), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
