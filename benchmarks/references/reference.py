"""Derivatives to any precision, with mpmath."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmath import mp

from .points import Domain

__all__ = ["Reference", "both", "certain", "inverse", "of", "partials"]

Function = Callable[..., Any]


@dataclass(frozen=True)
class Reference:
    """A function's domain and its derivatives.

    Attributes
    ----------
    domains : tuple of Domain
        One per argument.
    value : callable or None
        The function for mpmath numbers; None where only derivatives are given.
    slopes : tuple
        Per argument the derivative for mpmath numbers; None to differentiate `value` numerically.
    digits : int
        The highest working precision to try.
    at_scipy : callable or None
        Of an inverse: ``at_scipy(i, args)`` is the derivative at SciPy's double instead of the true inverse.
    """

    domains: tuple[Domain, ...]
    value: Function | None
    slopes: tuple[Function | None, ...]
    digits: int = 2500
    at_scipy: Function | None = None

    def has(self, i: int) -> bool:
        """Whether there is a reference for the derivative in argument `i`."""
        return self.slopes[i] is not None or self.value is not None

    def slope(self, i: int, args: tuple[float, ...]) -> Any:
        """Return the derivative with respect to argument `i` at these doubles, or None where it has no value."""
        closed = self.slopes[i]
        if closed is not None:
            return certain(lambda: closed(*map(mp.mpf, args)), self.digits)
        assert self.value is not None
        found = certain(lambda: _difference(self.value, i, [mp.mpf(x) for x in args]), self.digits)
        return found or None  # a zero is what is left of a difference that is too small for the precision


def _difference(value: Any, i: int, args: list[Any]) -> Any:
    def along(t: Any) -> Any:
        return value(*args[:i], t, *args[i + 1 :])

    return mp.diff(along, args[i], relative=bool(args[i]))


def certain(compute: Function, most: int, digits: int = 20) -> Any:
    """Return ``compute()`` at the first working precision whose double changes nothing in the leading digits.

    Returns
    -------
    mpf, mpc or None
        None where the function is not defined or no precision up to `most` digits settles it.
    """
    before, dps = None, 35
    while dps <= most:
        try:
            with mp.workdps(dps):
                now = mp.mpmathify(compute())
                if not mp.isfinite(now):
                    return None
                # A zero may be what is left of a difference too small for this precision.
                if now and before is not None and abs(now - before) <= abs(now) * mp.mpf(10) ** -digits:
                    return now
        except (ArithmeticError, ValueError, RecursionError, NotImplementedError, mp.NoConvergence):
            return None
        before, dps = now, 2 * dps
    return None if before else before


def of(value: Function, *domains: Domain) -> Reference:
    """Return the reference that differentiates `value` numerically."""
    return Reference(domains, value, (None,) * len(domains), 160)


def both(value: Function, slopes: tuple[Function | None, ...], *domains: Domain) -> Reference:
    """Return the reference with some derivatives in closed form; None to differentiate `value` numerically."""
    return Reference(domains, value, slopes, 160)


def partials(slopes: tuple[Function | None, ...], *domains: Domain) -> Reference:
    """Return the reference given by its derivatives, one per argument; None where there is none."""
    return Reference(domains, None, slopes)


def inverse(value: Function, i: int, start: Function, *domains: Domain, slope: Function | None = None) -> Reference:
    """Return the reference of the inverse of `value` in its argument `i`.

    ``start`` is the inverse in double precision, from which Newton's method begins; argument `i` of the inverse is the
    value of the function. ``slope`` is the derivative of `value` in argument `i`,
    if it has a closed form.
    """

    def own(*args: Any) -> Any:
        return slope(*args) if slope else _difference(value, i, list(args))

    def inverted(*args: Any) -> Any:
        x = mp.mpf(float(start(*map(float, args))))
        for _ in range(60):
            full = [*args[:i], x, *args[i + 1 :]]
            step = (value(*full) - args[i]) / own(*full)
            x = x - step
            if abs(step) <= abs(x) * mp.mpf(10) ** (5 - mp.dps):
                return x
        raise mp.NoConvergence

    def at(j: int, x: Any, args: Any) -> Any:
        full = [*args[:i], x, *args[i + 1 :]]
        down = own(*full)
        if j == i:
            return 1 / down
        across = _difference(value, j, full)
        if not across:  # too small for the precision
            raise mp.NoConvergence
        return -across / down

    def by(j: int) -> Function:
        return lambda *args: at(j, inverted(*args), args)

    def at_scipy(j: int, args: tuple[float, ...]) -> Any:
        with mp.workdps(60):
            return at(j, mp.mpf(float(start(*args))), [mp.mpf(x) for x in args])

    slopes = tuple(by(j) for j in range(len(domains)))
    return Reference(domains, None, slopes, 150, at_scipy)
