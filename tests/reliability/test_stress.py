"""Memory, threads and exceptions: what must hold after very many calls, at the same time, and in the middle."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

import numpy as np
import pytest

import covector
from covector.core.primitive import PRIMITIVES, Primitive


def model(w: Any, x: Any) -> Any:
    hidden = np.tanh(x @ w)
    return np.sum(np.log1p(np.exp(hidden))) + np.max(w) * np.mean(hidden[1:] ** 2)


W = np.linspace(-1.0, 1.0, 6).reshape(3, 2)
X = np.linspace(0.0, 1.0, 12).reshape(4, 3)

NESTS = {
    "grad": lambda: covector.grad(model)(W, X),
    "jvp of grad": lambda: covector.jvp(lambda w: covector.grad(model)(w, X), (W,), (W,)),
    "vmap of grad": lambda: covector.vmap(covector.grad(model), in_axes=(None, 0))(W, X.reshape(2, 2, 3)),
    "grad of grad": lambda: covector.grad(lambda w: np.sum(covector.grad(model)(w, X) ** 2))(W),
    "jacrev of jacfwd": lambda: covector.jacrev(covector.jacfwd(lambda w: model(w, X)))(W),
    "kept vjp_fn": lambda: covector.vjp(model, W, X)[1](1.0),
    "vmap of vmap": lambda: covector.vmap(covector.vmap(np.sin))(X),
}


@pytest.mark.parametrize("name", sorted(NESTS))
def test_memory_is_flat(name: str) -> None:
    """Repeating a nest of transforms leaves no object behind; the full run is `python -m benchmarks memory`."""
    call = NESTS[name]
    for _ in range(300):
        call()
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(300):
            call()
        cycles = gc.collect()
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert cycles == 0, f"{cycles} objects in reference cycles after 300 calls"
    assert grown < 100, f"{grown} blocks left after 300 calls"


def test_eight_threads_nesting_transforms_are_exact() -> None:
    expected = {name: call() for name, call in NESTS.items()}
    failures: list[str] = []
    barrier = threading.Barrier(8)

    def work(k: int) -> None:
        barrier.wait()
        names = sorted(NESTS)
        for i in range(40):
            name = names[(i + k) % len(names)]
            got = covector.tree.leaves(NESTS[name]())
            want = covector.tree.leaves(expected[name])
            if not all(np.array_equal(a, b) for a, b in zip(got, want, strict=True)):
                failures.append(name)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []


class Injected(BaseException):
    pass


def _primitives_of_the_model() -> list[str]:
    return sorted({eq.primitive.name for eq in covector.make_graph(covector.grad(model))(W, X)})


@pytest.mark.parametrize("error", [Injected, KeyboardInterrupt])
def test_an_exception_at_any_primitive_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, error: type) -> None:
    expected = NESTS["jvp of grad"]()
    names = _primitives_of_the_model()
    assert len(names) > 6
    for name in names:
        primitive: Primitive = PRIMITIVES[name]
        right = primitive.impl

        def wrong(*args: Any, **params: Any) -> Any:
            raise error

        monkeypatch.setattr(primitive, "impl", wrong)
        for call in NESTS.values():
            try:
                call()
            except error:
                pass
        monkeypatch.setattr(primitive, "impl", right)
        got = NESTS["jvp of grad"]()
        for a, b in zip(covector.tree.leaves(got), covector.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(a, b)
        assert W.flags.writeable and X.flags.writeable
