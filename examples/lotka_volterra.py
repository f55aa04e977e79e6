"""Fit a predator-prey model to a century-old record of furs: an adaptive ODE solver inside an optimiser.

The Lotka-Volterra equations say how the numbers of hares u and lynxes v change,

    u' = (alpha - beta v) u,    v' = (-gamma + delta u) v,

and the pelts that the Hudson's Bay Company collected in each year are taken for u and v with log-normal errors. Maximum
likelihood gives the four rates, the numbers in 1900 and the two spreads; the gradient goes through `covector.odeint`,
and the exact Hessian of the likelihood gives the standard errors.

Run: python examples/lotka_volterra.py [--plot FILE]
"""

import argparse

import numpy as np
from scipy.optimize import minimize

from covector import hessian, jit, odeint, value_and_grad

# Pelts in thousands, 1900 to 1920: the record as published by E. P. Odum, Fundamentals of Ecology (1953), and used by
# P. Howard, Modeling Basics (2009) and B. Carpenter, Predator-Prey Population Dynamics (2018).
YEARS = np.arange(1900.0, 1921.0)
HARE = np.array(
    [30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6]
    + [16.2, 24.7]
)
LYNX = np.array(
    [4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7]
    + [10.1, 8.6]
)
PELTS = np.stack([HARE, LYNX], axis=1)

NAMES = ("alpha", "beta", "gamma", "delta", "hares in 1900", "lynxes in 1900", "sigma hare", "sigma lynx")
START = np.log([0.6, 0.03, 0.7, 0.03, 30.0, 5.0, 0.3, 0.3])
# Posterior means and deviations of the rates in Carpenter's case study, which has weak priors besides.
CARPENTER = {"alpha": (0.545, 0.064), "beta": (0.028, 0.004), "gamma": (0.803, 0.092), "delta": (0.024, 0.004)}


def change(populations, year, rates):
    hares, lynxes = populations
    alpha, beta, gamma, delta = rates
    return np.stack([(alpha - beta * lynxes) * hares, (-gamma + delta * hares) * lynxes])


def expected(parameters, years=YEARS):
    """The populations in the given years, of which the first is 1900."""
    return odeint(change, parameters[4:6], years, parameters[:4], rtol=1e-9, atol=1e-9)


def loss(logs):
    """Minus the log-likelihood as a function of the logarithms of the parameters, which are all positive."""
    parameters = np.exp(logs)
    sigma = parameters[6:]
    residuals = (np.log(PELTS) - np.log(expected(parameters))) / sigma
    return 0.5 * np.sum(residuals**2) + len(YEARS) * np.sum(np.log(sigma))


loss_and_gradient = jit(value_and_grad(loss))


def fit():
    """Return the parameters, their standard errors, and SciPy's account of the search, which is in logarithms."""
    search = minimize(loss_and_gradient, START, jac=True, method="BFGS", options={"gtol": 1e-5})
    information = hessian(loss)(search.x)
    parameters = np.exp(search.x)
    # First-order propagation of errors from the logarithms.
    return parameters, parameters * np.sqrt(np.diag(np.linalg.inv(information))), search


def plot(parameters, file):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    years = np.linspace(YEARS[0], YEARS[-1], 401)
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for k, (name, color) in enumerate((("hare", "tab:brown"), ("lynx", "tab:blue"))):
        axes.plot(YEARS, PELTS[:, k], "o", color=color, label=f"{name}, pelts")
        axes.plot(years, expected(parameters, years)[:, k], color=color, label=f"{name}, model")
    axes.set(xlabel="year", ylabel="thousands", xticks=YEARS[::5], title="Hudson's Bay Company, 1900-1920")
    axes.legend()
    figure.savefig(file)


def main():
    options = argparse.ArgumentParser(description="Fit the Lotka-Volterra equations to hare and lynx pelts.")
    options.add_argument("--plot", metavar="FILE", help="save a plot of data and model")
    file = options.parse_args().plot
    parameters, errors, search = fit()
    print(f"{'':15} {'estimate':>8}     error   Carpenter 2018")
    for name, value, error in zip(NAMES, parameters, errors):
        known = "   {:.3f} +/- {:.3f}".format(*CARPENTER[name]) if name in CARPENTER else ""
        print(f"{name:15} {value:8.4f} +/- {error:.4f}{known}")
    gradient = np.max(np.abs(search.jac))
    print(f"{search.nfev} likelihoods with gradient; largest component of the last gradient {gradient:.1e}")
    if file:
        plot(parameters, file)
        print(f"plot saved to {file}")


if __name__ == "__main__":
    main()
