"""Fit a decaying oscillation and carry its uncertainty to a derived quantity.

SciPy's solver gets the exact Jacobian of the residuals; the same Jacobian gives the covariance of the parameters,
and an exact gradient carries it to the quality factor of the oscillator (first-order propagation of errors).

Run: python examples/curve_fit_with_errors.py
"""

import numpy as np
from scipy.optimize import least_squares

from covector import jacfwd, value_and_grad

TRUE = np.array([2.0, 0.3, 4.0, 0.5])  # amplitude, damping rate, angular frequency, phase
NOISE = 0.05


def oscillation(p, t):
    amplitude, damping, frequency, phase = p
    return amplitude * np.exp(-damping * t) * np.cos(frequency * t + phase)


def quality_factor(p):
    return p[2] / (2 * p[1])


def fit(seed=7):
    """Fit noisy observations; return the parameters and their covariance."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 8, 120)
    y = oscillation(TRUE, t) + NOISE * rng.standard_normal(t.size)

    def residuals(p):
        return oscillation(p, t) - y

    result = least_squares(residuals, [1.5, 0.2, 4.2, 0.0], jac=jacfwd(residuals), method="lm", x_scale="jac")
    variance = 2 * result.cost / (t.size - result.x.size)
    # Covariance s^2 inv(J^T J) from the triangular factor of J, which does not square its condition number.
    inverse = np.linalg.inv(np.linalg.qr(jacfwd(residuals)(result.x), mode="r"))
    return result.x, variance * inverse @ inverse.T


def quality_with_error(p, covariance):
    """The quality factor and its standard error."""
    q, slope = value_and_grad(quality_factor)(p)
    return q, np.sqrt(slope @ covariance @ slope)


def main():
    p, covariance = fit()
    errors = np.sqrt(np.diag(covariance))
    for name, value, error, true in zip(("amplitude", "damping", "frequency", "phase"), p, errors, TRUE):
        print(f"{name:10} {value:8.4f} +/- {error:.4f}   (true {true})")
    q, error = quality_with_error(p, covariance)
    print(f"{'quality':10} {q:8.4f} +/- {error:.4f}   (true {quality_factor(TRUE):.4f})")


if __name__ == "__main__":
    main()
