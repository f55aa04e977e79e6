"""Random programs: straight-line NumPy code over a few arrays, the same for the same seed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import special

from oracle.forms import FORMS, Form

__all__ = ["Program", "random_program"]

_INPUTS = ((), (3,), (3,), (2, 3), (3, 3), (2, 2, 3))
_LIMIT = 12.0
_AWAY = 0.02
_LARGEST = 40


class Program:
    """Source text of ``f(x0, x1, …)`` that returns every value nothing else uses, and a point to run it at.

    Attributes
    ----------
    source : str
        Definition of ``f`` in terms of ``np`` and ``special``.
    args : tuple of array
        Where to evaluate and differentiate it.
    forms : list of Form
        What it is made of.
    """

    def __init__(self, source: str, args: tuple[Any, ...], forms: list[Form]) -> None:
        self.source = source
        self.args = args
        self.forms = forms

    def function(self, numpy: Any, special: Any) -> Any:
        """The function, in terms of these two modules."""
        names = {"np": numpy, "special": special}
        exec(self.source, names)
        return names["f"]


def random_program(seed: int, statements: int = 6) -> Program:
    """Draw a program; every statement is run, and drawn again where the result is no safe number."""
    rng = np.random.default_rng(seed)
    # The form that is this seed's turn comes as early as it fits, so that no form waits for its luck.
    wanted = FORMS[seed % len(FORMS)]
    shapes = [_INPUTS[i] for i in rng.permutation(len(_INPUTS))[: rng.integers(1, 4)]]
    if wanted.ndim[0] == 2 or wanted.arity == 3:
        shapes = [(3, 3), (3,), (3, 3)][: max(wanted.arity, 2)]
    values = {f"x{i}": np.asarray(rng.uniform(0.1, 1.6, s) * rng.choice([-1, 1], s)) for i, s in enumerate(shapes)}
    args = tuple(values.values())
    lines, forms, used = [], [], set()
    while len(lines) < statements:
        form = wanted if wanted not in forms and rng.random() < 0.9 else FORMS[rng.integers(len(FORMS))]
        drawn = _draw_statement(rng, form, values)
        if drawn is None:
            continue
        expression, operands, value = drawn
        name = f"v{len(lines)}"
        lines.append(f"    {name} = {expression}")
        forms.append(form)
        used.update(operands)
        values[name] = value
    rest = [name for name in values if name not in used]
    head = f"def f({', '.join(f'x{i}' for i in range(len(args)))}):"
    source = "\n".join([head, *lines, f"    return ({', '.join(rest)},)", ""])
    return Program(source, args, forms)


def _draw_statement(
    rng: np.random.Generator, form: Form, values: dict[str, Any], tries: int = 5
) -> tuple[str, list[str], Any] | None:
    """An expression of this form, its operands and its value; None where no operands were found."""
    names = list(values)
    low, high = form.ndim
    # Late values more often, so that programs get deep.
    weights = np.arange(1.0, len(names) + 1)
    for _ in range(tries):
        chosen = [str(name) for name in rng.choice(names, form.arity, p=weights / weights.sum())]
        first = values[chosen[0]]
        # x - x and its like are zeros, where much is degenerate.
        if not low <= first.ndim <= high or len(set(chosen)) < min(len(chosen), len(names)):
            continue
        if form.apart and np.min(np.diff(np.sort(first.ravel())), initial=1.0) < _AWAY:
            continue
        operands = dict(zip("abc", chosen))
        expression = form.source.format(**operands)
        value = _evaluate(form.nonzero.format(**operands), expression, values)
        if value is not None:
            return expression, chosen, value
    return None


def _evaluate(nonzero: str, expression: str, values: dict[str, Any]) -> Any:
    """Value of the expression; None where its operands do not fit together or the point or the result is not safe."""
    names = {"np": np, "special": special, **values}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            if nonzero and np.min(np.abs(eval(nonzero, names))) < _AWAY:
                return None
            value = np.asarray(eval(expression, names))
        except (ValueError, IndexError, np.linalg.LinAlgError, RuntimeWarning, DeprecationWarning):
            return None
    safe = 0 < value.size <= _LARGEST and np.all(np.isfinite(value)) and np.max(np.abs(value)) < _LIMIT
    return value if safe else None
