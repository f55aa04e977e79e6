"""The door from Python into compiled programs: a builtin function made at run time.

Its native part reads the data pointers from the array objects itself and checks type, dtype, shape and layout as it
does; that costs nanoseconds where every attribute asked for in Python costs tens of them. Where in an object these
things stand is probed, never assumed; where the probe fails, programs are called through ctypes alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...core.values import Aval

__all__ = ["MISMATCH", "ON_STACK", "Layout", "builtin", "context", "entry_text", "layout"]

MISMATCH = -2
"""What the function returns, without having run the program, when an argument is not what it was compiled for."""

_CONTIGUOUS = 0x0101  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
_FASTCALL = 0x0080
_FEW = 12  # inputs whose checks are written out one by one
ON_STACK = 1 << 16
"""Bytes of temporary arrays up to which a program keeps them on the stack."""


class Layout(NamedTuple):
    """Bytes from the start of an array object to its parts, and of number objects to their value."""

    data: int
    rank: int
    shape: int
    dtype: int
    flags: int
    number: int


@cache
def layout() -> Layout | None:
    """Where array objects of this NumPy keep their parts; None if it cannot be told."""
    if sys.implementation.name != "cpython":
        return None
    found = Layout(16, 24, 32, 56, 64, 16)
    try:
        probes = (np.empty((3, 5)), np.empty((2, 1, 7), np.float32), np.empty(4, np.int16)[::2])
        ok = all(_fits(found, a) for a in probes) and all(_holds(found, x) for x in (1.25, np.float64(-3.5)))
    except (ValueError, TypeError, AttributeError):
        return None
    return found if ok else None


def _fits(where: Layout, a: Any) -> bool:
    at = id(a)
    shape = ctypes.c_void_p.from_address(at + where.shape).value or 0
    flags = ctypes.c_int.from_address(at + where.flags).value & _CONTIGUOUS
    return (
        ctypes.c_void_p.from_address(at + 8).value == id(np.ndarray)
        and ctypes.c_void_p.from_address(at + where.data).value == a.ctypes.data
        and ctypes.c_int.from_address(at + where.rank).value == a.ndim
        and [ctypes.c_int64.from_address(shape + 8 * k).value for k in range(a.ndim)] == list(a.shape)
        and ctypes.c_void_p.from_address(at + where.dtype).value == id(a.dtype)
        and (flags == _CONTIGUOUS) == (a.flags.c_contiguous and a.flags.aligned)
    )


def _holds(where: Layout, x: Any) -> bool:
    return ctypes.c_double.from_address(id(x) + where.number).value == x


def context(inputs: Sequence[Aval], constants: Sequence[Any], host: int) -> Any:
    """The table that the function reads: host callback, known types, one dtype per input, constants, shapes."""
    head = [host, id(np.ndarray), id(float), id(np.float64)]
    shapes: list[int] = []
    if len(inputs) > _FEW:
        most = max([a.ndim for a in inputs])
        for a in inputs:
            shapes += [a.ndim, _may_be_number(a), *a.shape, *[0] * (most - a.ndim)]
    dtypes = [id(a.dtype) for a in inputs]
    return np.array([*head, *dtypes, *[c.ctypes.data for c in constants], *shapes], np.uint64)


def _may_be_number(aval: Aval) -> bool:
    """Whether a Python float will do: it is its own memory."""
    return not aval.shape and aval.dtype == np.float64


def entry_text(inputs: Sequence[Aval], outputs: int, constants: int, arena: int, parallel: bool, release: bool) -> str:
    """IR of ``PyObject *cv.call(PyObject *self, PyObject **args, ssize_t n)``.

    The arguments are the inputs and the arrays of outputs; if the temporary arrays do not fit on the stack or loops
    are `parallel`, an array for these and the number of threads follow. `self` is the array from `context`. With
    `release` other Python threads run meanwhile.
    """
    where = layout()
    assert where is not None
    w = _Lines()
    table = w.load("ptr", w.offset("%self", where.data))
    if len(inputs) > _FEW:
        pointers = _checked_by_loop(w, where, table, inputs, constants)
    else:
        pointers = [_checked(w, where, table, k, aval) for k, aval in enumerate(inputs)]
    for k in range(len(inputs), len(inputs) + outputs):
        pointers.append(w.load("ptr", w.offset(w.load("ptr", w.offset("%args", 8 * k)), where.data)))
    count = "1"
    if arena > ON_STACK or parallel:
        k = 8 * len(pointers)
        pointers.append(w.load("ptr", w.offset(w.load("ptr", w.offset("%args", k)), where.data)))
        count = w.put(f"call i64 @PyLong_AsLongLong(ptr {w.load('ptr', w.offset('%args', k + 8))})")
    else:
        w.head.append(f"%arena = alloca i8, i64 {max(arena, 8)}, align 64")
        pointers.append("%arena")
    pointers.append(w.offset(table, 8 * (4 + len(inputs))))
    pointers.append(w.load("ptr", table))
    w.head.append("%error = alloca i64")
    pointers.append("%error")
    if release:
        w.lines.append("%thread = call ptr @PyEval_SaveThread()")
    args = ", ".join([*(f"ptr {p}" for p in pointers), f"i64 {count}"])
    w.lines.append(f'%rc = call i64 @"cv.program.1"({args})')
    if release:
        w.lines.append("call void @PyEval_RestoreThread(ptr %thread)")
    w.lines += ["%out = call ptr @PyLong_FromLongLong(i64 %rc)", "ret ptr %out", "mismatch:"]
    w.lines += [f"%no = call ptr @PyLong_FromLongLong(i64 {MISMATCH})", "ret ptr %no"]
    body = "\n  ".join([*w.head, *w.lines])
    names = "declare ptr @PyLong_FromLongLong(i64)\ndeclare i64 @PyLong_AsLongLong(ptr)"
    if release:
        names += "\ndeclare ptr @PyEval_SaveThread()\ndeclare void @PyEval_RestoreThread(ptr)"
    return f'{names}\ndefine ptr @"cv.call"(ptr %self, ptr %args, i64 %n) #0 {{\n  {body}\n}}'


class _Lines:
    def __init__(self) -> None:
        self.head: list[str] = []
        self.lines: list[str] = []
        self.count = 0

    def put(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"%e{self.count} = {text}")
        return f"%e{self.count}"

    def offset(self, pointer: str, nbytes: int) -> str:
        return self.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {nbytes}") if nbytes else pointer

    def load(self, kind: str, pointer: str) -> str:
        return self.put(f"load {kind}, ptr {pointer}")

    def require(self, condition: str) -> None:
        self.count += 1
        self.lines += [f"br i1 {condition}, label %ok{self.count}, label %mismatch", f"ok{self.count}:"]


def _checked(w: _Lines, where: Layout, table: str, k: int, aval: Aval) -> str:
    """Check argument k; return the pointer to its data."""
    x = w.load("ptr", w.offset("%args", 8 * k))
    kind = w.load("ptr", w.offset(x, 8))
    is_array = w.put(f"icmp eq ptr {kind}, {w.load('ptr', w.offset(table, 8))}")
    if _may_be_number(aval):
        plain = w.put(f"icmp eq ptr {kind}, {w.load('ptr', w.offset(table, 16))}")
        numpy = w.put(f"icmp eq ptr {kind}, {w.load('ptr', w.offset(table, 24))}")
        number = w.put(f"or i1 {plain}, {numpy}")
        w.lines += [f"br i1 {number}, label %number{k}, label %array{k}", f"array{k}:"]
    w.require(is_array)
    dtype = w.load("ptr", w.offset(x, where.dtype))
    w.require(w.put(f"icmp eq ptr {dtype}, {w.load('ptr', w.offset(table, 8 * (4 + k)))}"))
    w.require(w.put(f"icmp eq i32 {w.load('i32', w.offset(x, where.rank))}, {len(aval.shape)}"))
    shape = w.load("ptr", w.offset(x, where.shape))
    for axis, n in enumerate(aval.shape):
        w.require(w.put(f"icmp eq i64 {w.load('i64', w.offset(shape, 8 * axis))}, {n}"))
    flags = w.put(f"and i32 {w.load('i32', w.offset(x, where.flags))}, {_CONTIGUOUS}")
    w.require(w.put(f"icmp eq i32 {flags}, {_CONTIGUOUS}"))
    data = w.load("ptr", w.offset(x, where.data))
    if not _may_be_number(aval):
        return data
    value = f"%value{k}"
    w.lines += [f"br label %got{k}", f"number{k}:"]
    w.lines.append(f"{value} = getelementptr inbounds i8, ptr {x}, i64 {where.number}")
    last = next(line for line in reversed(w.lines[:-3]) if line.endswith(":"))[:-1]
    w.lines += [f"br label %got{k}", f"got{k}:", f"%data{k} = phi ptr [ {data}, %{last} ], [ {value}, %number{k} ]"]
    return f"%data{k}"


_LOOP = """
  br label %next
next:
  %k = phi i64 [ 0, %{before} ], [ %k1, %found ]
  %xs = getelementptr inbounds ptr, ptr %args, i64 %k
  %x = load ptr, ptr %xs
  %kinds = getelementptr inbounds i8, ptr %x, i64 8
  %kind = load ptr, ptr %kinds
  %far = mul nsw i64 %k, {stride}
  %about = getelementptr inbounds i64, ptr {shapes}, i64 %far
  %rank = load i64, ptr %about
  %numbers = getelementptr inbounds i64, ptr %about, i64 1
  %number = load i64, ptr %numbers
  %plain = icmp eq ptr %kind, {float}
  %numpy = icmp eq ptr %kind, {float64}
  %either = or i1 %plain, %numpy
  %asked = icmp ne i64 %number, 0
  %taken = and i1 %asked, %either
  %itself = getelementptr inbounds i8, ptr %x, i64 {number}
  br i1 %taken, label %found, label %array
array:
  %is = icmp eq ptr %kind, {ndarray}
  br i1 %is, label %typed, label %mismatch
typed:
  %dtypes = getelementptr inbounds ptr, ptr {dtypes}, i64 %k
  %wanted = load ptr, ptr %dtypes
  %given = getelementptr inbounds i8, ptr %x, i64 {dtype}
  %has = load ptr, ptr %given
  %same = icmp eq ptr %wanted, %has
  br i1 %same, label %ranked, label %mismatch
ranked:
  %ranks = getelementptr inbounds i8, ptr %x, i64 {rank}
  %short = load i32, ptr %ranks
  %long = zext i32 %short to i64
  %fits = icmp eq i64 %long, %rank
  br i1 %fits, label %laid, label %mismatch
laid:
  %bits = getelementptr inbounds i8, ptr %x, i64 {flags}
  %bit = load i32, ptr %bits
  %kept = and i32 %bit, {contiguous}
  %good = icmp eq i32 %kept, {contiguous}
  %lengths = getelementptr inbounds i8, ptr %x, i64 {shape}
  %length = load ptr, ptr %lengths
  %datas = getelementptr inbounds i8, ptr %x, i64 {data}
  %data = load ptr, ptr %datas
  br i1 %good, label %axis, label %mismatch
axis:
  %i = phi i64 [ 0, %laid ], [ %i1, %equal ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %compare, label %found
compare:
  %ours = getelementptr inbounds i64, ptr %length, i64 %i
  %our = load i64, ptr %ours
  %i2 = add nsw i64 %i, 2
  %theirs = getelementptr inbounds i64, ptr %about, i64 %i2
  %their = load i64, ptr %theirs
  %match = icmp eq i64 %our, %their
  br i1 %match, label %equal, label %mismatch
equal:
  %i1 = add nsw i64 %i, 1
  br label %axis
found:
  %where = phi ptr [ %itself, %next ], [ %data, %axis ]
  %slot = getelementptr inbounds ptr, ptr %pointers, i64 %k
  store ptr %where, ptr %slot
  %k1 = add nsw i64 %k, 1
  %done = icmp eq i64 %k1, {count}
  br i1 %done, label %checked, label %next
checked:"""


def _checked_by_loop(w: _Lines, where: Layout, table: str, inputs: Sequence[Aval], constants: int) -> list[str]:
    """Check many arguments with the same instructions; return the pointers to their data."""
    n = len(inputs)
    w.head.append(f"%pointers = alloca [{n} x ptr]")
    w.lines += ["br label %start", "start:"]
    names = {
        "float": w.load("ptr", w.offset(table, 16)),
        "float64": w.load("ptr", w.offset(table, 24)),
        "ndarray": w.load("ptr", w.offset(table, 8)),
        "dtypes": w.offset(table, 32),
        "shapes": w.offset(table, 8 * (4 + n + constants)),
    }
    stride = 2 + max([a.ndim for a in inputs])
    w.lines += _LOOP.format(
        before="start", count=n, stride=stride, contiguous=_CONTIGUOUS, **names, **where._asdict()
    ).splitlines()[1:]
    return [w.load("ptr", w.offset("%pointers", 8 * k)) for k in range(n)]


class _Method(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


def builtin(address: int, table: Any) -> tuple[Any, Any]:
    """Return the Python function whose code is at `address`, and what must stay alive as long as it does."""
    method = _Method(b"compiled", address, _FASTCALL, None)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return make(ctypes.addressof(method), table, None), method
