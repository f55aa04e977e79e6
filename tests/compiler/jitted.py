"""The package with `jit` around every nesting: what other tests get in the place of `covector`.

Inside, each function that is given to a transform is compiled; outside, each function that a transform makes is
compiled, as one program of its primals and directions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import covector as cv
from covector.compiler.jit import JitFunction, jit

__all__ = ["WAYS", "Jitted", "parametrised"]


class Jitted:
    """`covector`, whose transforms take and make compiled functions.

    Parameters
    ----------
    inside, outside : bool
        Where to compile.
    """

    def __init__(self, inside: bool, outside: bool) -> None:
        self.inside = inside
        self.outside = outside

    def __getattr__(self, name: str) -> Any:
        return getattr(cv, name)

    def _taken(self, fun: Callable[..., Any]) -> Any:
        return jit(fun) if self.inside and not isinstance(fun, JitFunction) and callable(fun) else fun

    def _made(self, fun: Callable[..., Any]) -> Any:
        return jit(fun) if self.outside else fun

    def _transform(self, name: str, fun: Any, *args: Any, **options: Any) -> Any:
        return self._made(getattr(cv, name)(self._taken(fun), *args, **options))

    def jvp(self, fun: Any, primals: Any, tangents: Any, **options: Any) -> Any:
        taken = self._taken(fun)
        if options:
            return cv.jvp(taken, primals, tangents, **options)
        return self._made(lambda xs, ts: cv.jvp(taken, xs, ts))(primals, tangents)

    def vjp(self, fun: Any, *primals: Any, **options: Any) -> Any:
        taken = self._taken(fun)
        if options:
            return cv.vjp(taken, *primals, **options)
        out, pull = cv.vjp(taken, *primals)
        if not self.outside:
            return out, pull
        back = jit(lambda xs, ct: cv.vjp(taken, *xs)[1](ct))
        return jit(lambda *xs: cv.vjp(taken, *xs)[0])(*primals), lambda ct: back(primals, ct)

    def linearize(self, fun: Any, *primals: Any, **options: Any) -> Any:
        taken = self._taken(fun)
        out, push = cv.linearize(taken, *primals, **options)
        return out, self._made(lambda *ts: push(*ts))

    def linear_transpose(self, fun: Any, *primals: Any) -> Any:
        back = cv.linear_transpose(self._taken(fun), *primals)
        return self._made(lambda ct: back(ct))

    def grad(self, fun: Any, *args: Any, **options: Any) -> Any:
        return self._transform("grad", fun, *args, **options)

    def value_and_grad(self, fun: Any, *args: Any, **options: Any) -> Any:
        return self._transform("value_and_grad", fun, *args, **options)

    def grad_and_value(self, fun: Any, *args: Any, **options: Any) -> Any:
        return self._transform("grad_and_value", fun, *args, **options)

    def jacrev(self, fun: Any, *args: Any, **options: Any) -> Any:
        return self._transform("jacrev", fun, *args, **options)

    def jacfwd(self, fun: Any, *args: Any, **options: Any) -> Any:
        return self._transform("jacfwd", fun, *args, **options)

    def hessian(self, fun: Any, *args: Any, **options: Any) -> Any:
        return self._transform("hessian", fun, *args, **options)

    def checkpoint(self, fun: Any) -> Any:
        return self._transform("checkpoint", fun)

    def vmap(self, fun: Any, *args: Any, **options: Any) -> Any:
        # A collective finds its axis where the function runs, so such functions are compiled outside only.
        taken = fun if "axis_name" in options else self._taken(fun)
        return self._made(cv.vmap(taken, *args, **options))


WAYS = {"inside": Jitted(True, False), "outside": Jitted(False, True), "everywhere": Jitted(True, True)}


def parametrised(module: ModuleType) -> Iterator[tuple[str, Callable[..., None], dict[str, Any]]]:
    """The tests of a module, each with a name, with every combination of their parameters."""
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        marks = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"]
        for choice in itertools.product(*[m.args[1] for m in marks]):
            values: dict[str, Any] = {}
            label = name
            for mark, chosen in zip(marks, choice, strict=True):
                names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
                given = getattr(chosen, "values", None)
                if not isinstance(given, tuple):
                    given = (chosen,) if len(names) == 1 else tuple(chosen)
                values.update(zip([n.strip() for n in names], given, strict=True))
                label += f"-{getattr(chosen, 'id', chosen)}"
            yield label, test, values
