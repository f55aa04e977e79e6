"""Calling compiled programs: pointers in, arrays out."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...control.loops.capacity import CapacityError
from ...core.graph import Var
from ...core.primitive import bind
from ..disk.contents import Contents
from ..loops.definitions import Capacity, Failure
from .entry import MISMATCH, ON_STACK, builtin, context, layout
from .outputs import new_array
from .threads import limit

__all__ = ["Native"]

_MAIN = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 6, ctypes.c_int64)
_HOST = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
_local = threading.local()

_POOLED = 1 << 20  # bytes from which `new_array` has memory to offer


def _maker(aval: Any) -> Any:
    return np.empty if aval.size * aval.dtype.itemsize < _POOLED else new_array


class Native:
    """A compiled program.

    Parameters
    ----------
    contents : Contents
        What the program needs besides its code.
    code : Code
    inputs : sequence of Aval
    threads : int, optional
        How many threads long loops use; by default what `threads.limit` says at the call.
    """

    def __init__(self, contents: Contents, code: Any, inputs: Sequence[Any], threads: int | None) -> None:
        self.code = code
        self.function = _MAIN(code.address("cv.main"))
        self.inputs = [(a.shape, a.dtype) for a in inputs]
        self.outputs = [(_maker(a), a.shape, a.dtype) for a in contents.outputs]
        self.constants = [np.ascontiguousarray(c) for c in contents.constants]
        self.table = (ctypes.c_void_p * max(len(self.constants), 1))(*[c.ctypes.data for c in self.constants])
        self.arena = contents.arena
        self.arenas: list[Any] = []
        self.checks = contents.checks
        self.hosts = [_HostCall(eq) for eq in contents.hosts]
        self.callback = _HOST(self._host)
        self.host = ctypes.cast(self.callback, ctypes.c_void_p) if self.hosts else None
        self.threads = threads
        self.reused = contents.reused
        self.plain = self.arena <= ON_STACK and not contents.parallel
        self.fast: Any = None
        if layout() is not None:
            self.context = context(inputs, self.constants, self.host.value or 0 if self.host else 0)
            self.fast, self._method = builtin(code.address("cv.call"), self.context)

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """Run the program on arrays, or numbers, of the shapes and dtypes of the inputs; return new arrays."""
        if self.fast is None or self.reused:
            # A program that overwrites an input cannot be run again to find out what is wrong.
            return self.through_tables(self.laid_out(arrays))
        rc, outs = self.attempt(arrays)
        if rc == MISMATCH:
            arrays = self.laid_out(arrays)
            rc, outs = self.attempt(arrays)
        # The other way finds out what is wrong.
        return outs if not rc else self.through_tables(arrays)

    def attempt(self, arrays: Sequence[Any]) -> tuple[int, list[Any]]:
        """Call the builtin function; return its answer, and the outputs."""
        outs = [make(s, d) for make, s, d in self.outputs]
        if self.plain:
            return self.fast(*arrays, *outs), outs
        arena = self.take_arena()
        rc = self.fast(*arrays, *outs, arena, self.threads or limit())
        self.arenas.append(arena)
        return rc, outs

    def laid_out(self, arrays: Sequence[Any]) -> list[Any]:
        """Return the inputs as arrays in order; what the program was not compiled for is an error."""
        ordered = []
        for k, (x, (shape, dtype)) in enumerate(zip(arrays, self.inputs, strict=True)):
            given = np.asarray(x) if isinstance(x, np.ndarray | np.generic) else np.asarray(x, dtype)
            if given.shape != shape or given.dtype.newbyteorder("=") != dtype:
                raise ValueError(
                    f"leaf {k} of the inputs is an array {given.dtype}{list(given.shape)}, and the program was "
                    f"compiled for {dtype}{list(shape)}; call the jitted function, or bind it to arguments like these"
                )
            ordered.append(np.asarray(given, dtype, order="C"))
        return [a if a.flags.aligned else a.copy() for a in ordered]

    def through_tables(self, ins: Sequence[Any]) -> list[Any]:
        """Run the program on arrays laid out in order, through ctypes, and raise its errors."""
        ins = [np.asarray(a) for a in ins]
        reused = self.reused
        outs = [ins[reused[k]] if k in reused else make(s, d) for k, (make, s, d) in enumerate(self.outputs)]
        n_in, n_out = len(ins), len(outs)
        in_table = (ctypes.c_void_p * max(n_in, 1))(*[a.ctypes.data for a in ins])
        out_table = (ctypes.c_void_p * max(n_out, 1))(*[a.ctypes.data for a in outs])
        error = ctypes.c_int64()
        arena = self.take_arena()
        number = self.threads or limit()
        at = ctypes.addressof(error)
        rc = self.function(in_table, out_table, arena.ctypes.data, self.table, self.host, at, number)
        self.arenas.append(arena)
        if rc:
            self._raise(rc, error.value)
        return outs

    def take_arena(self) -> Any:
        """Return memory for temporary arrays that no other call uses; it goes back to `arenas`."""
        try:
            return self.arenas.pop()
        except IndexError:
            return _aligned(self.arena)

    def _raise(self, rc: int, value: int) -> None:
        if rc > 0:
            check = self.checks[rc - 1]
            if isinstance(check, Capacity):
                raise CapacityError(check.tag, value)
            if isinstance(check, Failure):
                raise np.linalg.LinAlgError(check.message.format(check.last - value))
            raise IndexError(f"index {value} is out of bounds for axis {check.axis} with size {check.size}")
        error = _local.error
        _local.error = None
        raise error

    def _host(self, number: int, table: int) -> int:
        try:
            self.hosts[number](table)
        except BaseException as error:  # it crosses native code as a number
            _local.error = error
            return 1
        return 0


def _aligned(nbytes: int) -> Any:
    """Return `nbytes` of memory that start at a multiple of 64."""
    raw = np.empty(nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes]


class _HostCall:
    """An equation that NumPy computes, on arrays that lie in the memory of the program."""

    def __init__(self, eq: Any) -> None:
        self.eq = eq
        self.reads = [x.aval for x in eq.inputs if type(x) is Var]
        self.writes = [v.aval for v in eq.outputs]

    def __call__(self, table: int) -> None:
        pointers = (ctypes.c_void_p * (len(self.reads) + len(self.writes))).from_address(table)
        arrays = [_view(p, a) for p, a in zip(pointers, [*self.reads, *self.writes], strict=True)]
        ins = iter(arrays)
        args = [next(ins) if type(x) is Var else x for x in self.eq.inputs]
        out = bind(self.eq.primitive, args, self.eq.params)
        outs = out if self.eq.primitive.multiple else (out,)
        for to, x in zip(arrays[len(self.reads) :], outs, strict=True):
            if np.shape(x) != to.shape:
                raise ValueError(f"{self.eq.primitive} returned shape {np.shape(x)} where {to.shape} was recorded")
            to[...] = x


def _view(pointer: Any, aval: Any) -> Any:
    """The array of `aval` at `pointer`."""
    nbytes = aval.size * aval.dtype.itemsize
    if not nbytes:
        return np.empty(aval.shape, aval.dtype)
    buffer = (ctypes.c_char * nbytes).from_address(pointer)
    out = np.frombuffer(buffer, aval.dtype).reshape(aval.shape)
    return out if aval.shape else out.reshape(())
