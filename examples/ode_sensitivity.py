"""How a predator-prey cycle reacts to its birth rate: a sensitivity through an ODE solver with `jvp`.

The solver is an ordinary Python loop in plain NumPy. Pushing one tangent through it integrates the sensitivity
equations alongside the solution, without writing them down.

Run: python examples/ode_sensitivity.py
"""

import numpy as np

from covector import jvp

RATES = np.array([1.1, 0.4, 0.1, 0.4])  # birth of prey, predation, growth of predators, their death
START = np.array([10.0, 5.0])


def populations_change(state, rates):
    prey, predators = state
    birth, predation, growth, death = rates
    # np.stack, not np.array: only the former lets values that carry derivatives through.
    return np.stack([birth * prey - predation * prey * predators, growth * prey * predators - death * predators])


def integrate(rates, duration=15.0, steps=600):
    """Classical fourth-order Runge-Kutta; returns the states at all times."""
    h, state = duration / steps, START
    states = [state]
    for _ in range(steps):
        k1 = populations_change(state, rates)
        k2 = populations_change(state + h / 2 * k1, rates)
        k3 = populations_change(state + h / 2 * k2, rates)
        k4 = populations_change(state + h * k3, rates)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(state)
    return np.stack(states)


def sensitivity(direction):
    """The populations over time, and their derivative in a direction of the rates."""
    return jvp(integrate, (RATES,), (direction,))


def main():
    birth = np.array([1.0, 0.0, 0.0, 0.0])
    states, derivative = sensitivity(birth)
    step = 1e-5
    differences = (integrate(RATES + step * birth) - integrate(RATES - step * birth)) / (2 * step)
    print("  time    prey  predators   d prey/d birth  d predators/d birth")
    for k in range(0, len(states), 100):
        (prey, predators), (by_birth, predators_by_birth) = states[k], derivative[k]
        print(f"{k * 0.025:6.1f} {prey:7.3f} {predators:10.3f} {by_birth:16.6f} {predators_by_birth:20.6f}")
    print(f"largest difference to central differences: {np.max(np.abs(derivative - differences)):.1e}")


if __name__ == "__main__":
    main()
