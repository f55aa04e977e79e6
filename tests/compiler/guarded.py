"""Arrays that end, or begin, where the process may not read: for finding accesses out of bounds.

Run as a script it compiles programs and runs them on such arrays, saying before each one which it is; an access outside
of an array kills the process. Its arguments are the names of the programs, or ``overrun``, which reads too far on
purpose.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PAGE = mmap.PAGESIZE
NOTHING = 0  # PROT_NONE


class Guarded:
    """Memory for arrays between pages that must not be touched."""

    def __init__(self) -> None:
        self._maps: list[mmap.mmap] = []
        self._protect = ctypes.CDLL(None, use_errno=True).mprotect
        self._protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def array(self, shape: Sequence[int], dtype: Any, at_end: bool) -> np.ndarray[Any, Any]:
        """Return an array whose last byte is followed, or whose first byte is preceded, by memory out of bounds."""
        dtype = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        pages = max(1, -(-nbytes // PAGE))
        area = mmap.mmap(-1, (pages + 2) * PAGE)
        self._maps.append(area)
        start = ctypes.addressof(ctypes.c_char.from_buffer(area))
        for k in (0, pages + 1):
            if self._protect(start + k * PAGE, PAGE, NOTHING):
                raise OSError(ctypes.get_errno(), "mprotect")
        offset = PAGE + (pages * PAGE - nbytes if at_end else 0)
        return np.frombuffer(area, np.uint8, nbytes, offset).view(dtype).reshape(tuple(shape))

    def copy(self, x: Any, at_end: bool) -> np.ndarray[Any, Any]:
        x = np.asarray(x)
        out = self.array(x.shape, x.dtype, at_end)
        out[...] = x
        return out


def run_guarded(program: Any, args: Sequence[Any], at_end: bool, threads: int) -> list[np.ndarray[Any, Any]]:
    """Run an `Executable` with inputs, outputs, constants and temporary arrays all in guarded memory."""
    guard, native = Guarded(), program.native
    ins = [guard.copy(np.asarray(x, d), at_end) for x, (_, d) in zip(args, native.inputs, strict=True)]
    outs = [guard.array(shape, dtype, at_end) for _, shape, dtype in native.outputs]
    constants = [guard.copy(c, at_end) for c in native.constants]
    arena = guard.array((-(-max(native.arena, 1) // 64) * 64,), np.uint8, at_end)
    arena[...] = 0xFF  # NaN to whoever reads what it has not written
    for y in outs:
        y.reshape(-1).view(np.uint8)[...] = 0xFF
    tables = [(ctypes.c_void_p * max(len(xs), 1))(*[x.ctypes.data for x in xs]) for xs in (ins, outs, constants)]
    error = ctypes.c_int64()
    code = native.function(
        tables[0], tables[1], arena.ctypes.data, tables[2], native.host, ctypes.addressof(error), threads
    )
    assert code == 0, f"the program returned {code}"
    kept = [np.copy(y) for y in outs]
    for x, y in zip(args, ins, strict=True):
        np.testing.assert_array_equal(x, y)
    results = []
    for kind, at in program.results:
        results.append(kept[at] if kind == "out" else np.array(args[at] if kind == "in" else at))
    return results


def programs() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Functions, and arguments of sizes around the widths of vectors."""
    import covector as cv

    rng = np.random.default_rng(3)
    found: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def add(name: str, fun: Callable[..., Any], *args: Any) -> None:
        found[name] = (fun, args)

    at = np.array([0, -1, 2, 2, -3])
    for n in (1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129, 1000):
        for dtype in (np.float64, np.float32):
            name = f"{np.dtype(dtype).name}-{n}"
            x, y = rng.uniform(0.5, 1.5, (2, n)).astype(dtype)
            m = rng.uniform(-1.0, 1.0, (5, n)).astype(dtype)
            add(f"elementwise-{name}", lambda x, y: (np.exp(x) * np.sin(y) / x, np.where(x > y, x, y), x > 1), x, y)
            add(f"sums-{name}", lambda x, m: (np.sum(x * m, 0), np.sum(m, 1), np.max(m), np.mean(m * x, 1)), x, m)
            add(f"columns-{name}", lambda m: (np.sum(np.exp(m), 1), np.min(m, 0), np.prod(m, 0)), m.T.copy())
            add(f"pieces-{name}", lambda x, m: (np.concatenate([x[::-1], m[1, ::2], x]), m[::-2, ::-1], m.T * 2), x, m)
            add(f"outer-{name}", lambda x, y: (x[:, None] * y, np.sum(x[:, None] - y, 0)), x[:70], y[:70])
            add(f"stencil-{name}", lambda x: np.pad(x, 2) + np.pad(x[1:], (0, 5)) + np.pad(x[:-1], (5, 0)), x)
            add(f"roll-{name}", lambda x: np.roll(x, 3) - np.roll(x, -2), x)
            add(f"product-{name}", lambda m: (m @ m.T, m.T @ m, m @ m[0]), m[:, :40])
            grad = lambda f: cv.grad(lambda *a: np.sum(np.sin(f(*a))))
            add(f"gradient-{name}", grad(lambda x: np.log(np.sum(np.exp(x))) + x[1:] * x[:-1]), x)
            add(f"gradient of pieces-{name}", grad(lambda x: np.concatenate([x[::2], x[::-1]]) ** 3), x)
            add(f"running-{name}", lambda x: np.cumsum(x)[::-1], x)
            if n > 2:
                add(f"gather-{name}", lambda x, k: (x[k], x[at] * 2), x, np.array([n - 1, -n, 0, 1, -1]))
                add(f"scatter-{name}", _scattered, x, at)
                add(f"gradient of gather-{name}", grad(lambda m: m[:, at] * 2), m)
                add(f"write-{name}", _written, x)
                add(f"loop-{name}", _repeated, x)
    for shape in ((200_003,), (501, 401), (3, 70_001)):
        x = rng.uniform(0.5, 1.5, shape)
        add(f"long-{shape}", lambda x: (np.exp(x) * x, np.sum(np.sin(x)), np.sum(x, 0), np.max(x, -1), x[::-1] * 2), x)
    return found


def _scattered(x: Any, k: Any) -> Any:
    import covector as cv

    return cv.vjp(lambda y: y[k], x)[1](x[k])[0]


def _written(x: Any) -> Any:
    y = x * 2
    y[1:] += x[:-1]
    y[::2] = 0.5
    y[-1] *= 3
    return y


def _repeated(x: Any) -> Any:
    y = x
    for _ in range(9):
        y = np.sin(y) * x + y[::-1]
    return y


def main(names: Sequence[str]) -> None:
    from covector.compiler.backend import executable
    from covector.core.graph import record
    from covector.core.values import aval_of

    faulthandler.enable()
    if list(names) == ["overrun"]:
        x = Guarded().array((8,), np.float64, at_end=True)
        ctypes.c_double.from_address(x.ctypes.data + x.nbytes).value
        print("read beyond the end")
        return
    known = programs()
    for name in names:
        print(name, flush=True)
        fun, args = known[name]
        flat: Any = lambda *xs, fun=fun: tuple(y) if type(y := fun(*xs)) is tuple else (y,)
        want = flat(*args)
        program = executable(record(flat, [aval_of(x) for x in args], name))
        for at_end in (True, False):
            for threads in (1, 3) if name.startswith("long") else (1,):
                got = run_guarded(program, args, at_end, threads)
                for g, w in zip(got, want, strict=True):
                    scale = float(np.max(np.abs(w), initial=0.0))
                    tolerance = 1e-4 if args[0].dtype == np.float32 else 1e-11
                    np.testing.assert_allclose(g, w, rtol=0, atol=tolerance * scale)
    print("done")


if __name__ == "__main__":
    main(sys.argv[1:])
