"""Random programs with loops and branches of all kinds, in which much can be left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.control.branches.branch import branch_p
from covector.control.loops.loop import loop_p
from covector.core.graph import Graph, record
from covector.core.values import Aval, aval_of

__all__ = ["random_program"]

INDEX = Aval((), np.dtype(np.int64))
SHAPES = ((), (3,), (3,), (3, 3))
UNARY = (np.sin, np.tanh, np.negative, np.exp, lambda x: np.minimum(x, 1.0), np.square)
BINARY = (np.add, np.subtract, np.multiply, np.maximum)


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.loops = 0

    def one(self, *of: Any) -> Any:
        return of[self.rng.integers(len(of))]

    def chance(self, p: float = 0.5) -> bool:
        return bool(self.rng.random() < p)

    def value(self, shape: tuple[int, ...]) -> Any:
        return self.rng.uniform(-1.0, 1.0, shape) if shape else np.float64(self.rng.uniform(-1.0, 1.0))

    def operations(self, pool: list[Any], depth: int, least: int = 2, most: int = 7) -> list[Any]:
        """Append to the values `pool` some made of them."""
        for _ in range(int(self.rng.integers(least, most))):
            kind = self.rng.integers(10)
            x = self.one(*pool)
            if kind < 3:
                new = self.one(*UNARY)(x)
            elif kind < 6:
                new = self.one(*BINARY)(x, self.one(*pool))
            elif kind == 6:
                new = x * self.one(0.0, 1.0, 0.5) + self.one(0.0, 0.25)
            elif kind == 9 and self.vector(pool) is not None:
                new = self.product(pool)
            elif kind == 7 and depth and self.loops < 4:
                self.loops += 1
                new = self.one(*self.loop(pool, depth - 1)) if self.chance(0.6) else self.branch(pool, depth - 1)
            else:
                new = np.where(x > 0.1, x, self.one(*pool))
            pool.append(np.clip(new, -3.0, 3.0) if self.chance(0.2) else new)
        return pool

    def vector(self, pool: list[Any], shape: tuple[int, ...] = (3,)) -> Any:
        """One of the values of this shape, if there is any."""
        found = [x for x in pool if np.shape(x) == shape]
        return self.one(*found) if found else None

    def product(self, pool: list[Any]) -> Any:
        """An outer product, or one of a matrix."""
        v, matrix = self.vector(pool), self.vector(pool, (3, 3))
        if matrix is None:
            return np.outer(v, self.vector(pool)) * 0.3
        return self.one(matrix @ v, v @ matrix.T, np.tanh(matrix) @ matrix, v[:, None] * v) * 0.3

    def body(self, avals: list[Aval], carries: list[Aval], first: int, stacks: int, depth: int) -> Graph:
        """A body whose carries are the inputs from number `first` on."""

        def step(*xs: Any) -> list[Any]:
            pool = [x for x in xs if x.dtype.kind == "f"] + [np.float64(0.5)]
            if self.chance(0.4):
                pool.append(xs[0] * 0.1)
            pool = self.operations(pool, depth)
            after = []
            for k, aval in enumerate(carries):
                mine = xs[first + k]
                fits = [x for x in pool if np.shape(x) == aval.shape] or [mine]
                twin = next((y for j, y in enumerate(after) if carries[j] == aval), mine)
                new = self.one(mine, mine * 2.0, mine + self.one(*fits), self.one(*fits), twin, mine + 0.5)
                if aval.shape == (3, 3) and self.chance(0.6):
                    u, v = self.vector(pool), self.vector(pool)
                    new = mine if u is None else mine + self.one(np.outer(u, v), u[:, None] @ v[None], u[:, None] * v)
                    after.append(new)
                    continue
                after.append(np.tanh(new) if self.chance(0.3) else new + 0.0 * mine if self.chance(0.1) else new)
            elements = [self.element(pool, [*after, *xs]) for _ in range(stacks)]
            return [*after, *elements]

        return record(step, avals, "loop")

    def element(self, pool: list[Any], others: list[Any]) -> Any:
        """What a body returns for a stack."""
        if self.chance(0.6):
            return self.one(*pool, *others)
        return np.sin(self.one(*pool)) * self.one(1.0, 0.5 + self.one(*pool), np.exp(self.one(*pool)))

    def loop(self, pool: list[Any], depth: int) -> list[Any]:
        """The results of a loop over values of the pool."""
        kind = self.one("plain", "plain", "counted", "cond")
        length = self.one(0, 1, 4, 18, 18)
        if kind == "cond":
            length = max(length, 4)
        count = int(self.rng.integers(0, length + 1))
        constants = [self.one(*pool) for _ in range(self.rng.integers(0, 4))]
        constants += [self.one(np.zeros(3), np.float64(2.0), np.array([1.0, 2.0, 3.0]))] if self.chance(0.4) else []
        carries = [self.one(*pool, np.float64(0.0), np.zeros(3)) for _ in range(self.rng.integers(1, 5))]
        if self.chance(0.3):
            carries.append(carries[0])
        if self.chance(0.4):
            carries.append(self.one(np.zeros((3, 3)), np.full((3, 3), 0.1), np.eye(3)))
        sequences = []
        if kind != "cond":
            sequences = [self.value((length, *self.one(*SHAPES))) for _ in range(self.rng.integers(0, 3))]
            if sequences and self.chance(0.3):
                sequences.append(sequences[0])
        strip = lambda a, n: Aval(a.shape[n:], a.dtype)
        of = [strip(aval_of(x), 0) for x in [*constants, *carries]]
        avals = [INDEX, *of, *[strip(aval_of(x), 1) for x in sequences]]
        n, m = len(constants), len(carries)
        stacks = int(self.rng.integers(0, 4))
        params: dict[str, Any] = {
            "body": self.body(avals, of[n:], 1 + n, stacks, depth),
            "constants": n,
            "carries": m,
            "length": length,
            "reverse": kind != "cond" and self.chance(),
        }
        inputs = [*constants, *carries, *sequences]
        rows = length
        if kind == "counted":
            params["counted"] = True
            inputs.insert(0, np.int64(count))
            rows = count
        elif kind == "cond":
            limit = self.chance()
            test = lambda i, *xs: [(i < count) & (np.sum(np.tanh(xs[0]) ** 2) > -1.0) if limit else i < count]
            params["cond"] = record(test, avals, "cond")
            rows = count
        out = loop_p(*inputs, **params)
        return [*out[:m], *[self.used(y[:rows]) for y in out[m:]]]

    def used(self, rows: Any) -> Any:
        """Something of the shape of an element."""
        return np.sum(rows * 1.0, axis=0) if self.chance(0.7) else np.zeros(rows.shape[1:], like=rows)

    def branch(self, pool: list[Any], depth: int) -> Any:
        """The first result of a branch over values of the pool."""
        operands = [self.one(*pool, np.float64(0.5)) for _ in range(self.rng.integers(1, 4))]
        avals = [Aval(*aval_of(x)[:2]) for x in operands]
        count = int(self.rng.integers(1, 4))
        shape = self.one(*[a.shape for a in avals])

        def make(*xs: Any) -> list[Any]:
            ys = self.operations(list(xs), depth, 0, 4)
            return [
                self.one(*[y for y in ys if np.shape(y) == shape]),
                self.one(xs[0], ys[-1]) * 1.0 + np.zeros((3, 3)),
            ]

        branches = tuple([record(make, avals, "branch") for _ in range(count)])
        if self.chance(0.2):
            branches = branches[:1] * 2
        scalar = self.one(*[np.sum(x) for x in pool])
        index = self.one(np.int64(1), (scalar > 0.0) * np.int64(1), (scalar > 0.0).astype(np.int64))
        return branch_p(index, *operands, branches=branches, how="auto")[0]


def random_program(seed: int) -> tuple[Graph, list[Any]]:
    """A program and arguments for it."""
    writer = _Writer(seed)
    args = [writer.value(()), writer.value((3,)), writer.value(())]

    def whole(*xs: Any) -> list[Any]:
        pool = list(xs)
        for _ in range(2):
            writer.loops += 1
            results = writer.loop(pool, 2)
            pool += [x for x in results if writer.chance(0.7)]
        if writer.chance(0.3):
            pool.append(writer.branch(pool, 1))
        return [x for x in pool[3:] if writer.chance(0.6)]

    return record(whole, [aval_of(x) for x in args], "random"), args
