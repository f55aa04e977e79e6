"""The specialisations of one compiled function: finding the right one, making it once, and knowing when to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ...control.loops.capacity import CapacityError, enlarge, is_limited
from ...core import tree
from ...core.errors import CovectorError, NotDifferentiableError, TracerConversionError
from ...core.tracer import Tracer, concrete
from ...transforms.vmap import named_axes
from ..calls.primitive import admits, call_program
from .closures import Environment
from .limits import Limits
from .reach import Reach, TooMuchError
from .running import UncachedError, run_program
from .signature import Arguments, Static, as_input, plain_leaf
from .specialise import MISMATCH, ForeignValueError, Specialisation, specialise
from .substitution import SideEffectError, Substitution

__all__ = ["CacheInfo", "Found", "UncachedError", "Variants"]

_ndarray = np.ndarray
_local = threading.local()
_MOST_ROOM = 64
"""How often a program is recorded again because of loops that have too little room."""


class CacheInfo(NamedTuple):
    """What `cache_info` returns.

    Attributes
    ----------
    hits : int
        Calls that found their program.
    misses : int
        Calls for which one was recorded.
    specialisations : int
        How many there are now.
    """

    hits: int
    misses: int
    specialisations: int


class Found(NamedTuple):
    """A specialisation with what it was found in."""

    environment: Environment
    specialisation: Specialisation


def _depth() -> int:
    """How many programs this thread is recording."""
    return getattr(_local, "depth", 0)


class _RaisedError(Exception):
    """The function, not the recording of it, raised the cause of this error."""


class Variants:
    """All specialisations of a function.

    Attributes
    ----------
    hits : list of int
        One number, the calls that found their program.
    """

    def __init__(self, fun: Callable[..., Any], static: Static, donate: tuple[int, ...], threads: int | None) -> None:
        self.fun = fun
        self.static = static
        self.donate = donate
        self.threads = threads
        self.hits = [0]
        self.misses = 0
        self._effects = 0
        self._groups: dict[Any, list[Environment]] = {}
        self._lock = threading.Lock()
        self._looking = threading.RLock()
        self._pending: dict[Any, tuple[threading.Event, int]] = {}
        self._limits = Limits(fun)

    def clear(self) -> None:
        """Forget all specialisations."""
        with self._lock:
            self._groups = {}
            self._limits = Limits(self.fun)
            self.hits[0] = self.misses = self._effects = 0

    def all(self) -> list[Specialisation]:
        """Return the specialisations, newest first within a signature."""
        with self._lock:
            return [s for group in self._groups.values() for e in group for b in list(e.table.values()) for s in b]

    def recorded(self) -> list[tuple[Any, Environment, Any, Specialisation]]:
        """Return ``(fixed_key, environment, key, specialisation)`` of every program of calls without static values."""
        with self._lock:
            environments = [((), e) for e in self._groups.get((), ())]
            return [(f, e, key, s) for f, e in environments for key, b in list(e.table.items()) for s in b]

    def restore(self, fixed_key: Any, environment: Environment, key: Any, spec: Specialisation) -> None:
        """Add a program that was recorded elsewhere."""
        with self._lock:
            environment.table[key] = (*environment.table.get(key, ()), spec)
            self._groups[fixed_key] = [*self._groups.get(fixed_key, ()), environment]

    # --- finding ------------------------------------------------------------------------------------------------------

    def environment(self, given: Arguments) -> tuple[Environment, Sequence[Any]]:
        """Return what the function reaches, and the hidden arrays in it."""
        if self._effects > 1:
            raise UncachedError  # one change alone may have been another thread's
        found = self._known(given)
        if found is None:
            with self._looking:
                found = self._known(given)  # another thread may have been faster
                if found is None:
                    found = self._look(given)
        return found

    def _known(self, given: Arguments) -> tuple[Environment, Sequence[Any]] | None:
        for environment in self._groups.get(given.fixed_key, ()):
            hidden = environment.read(self.fun, given.fixed)
            if type(hidden) is not int:
                return environment, hidden
        return None

    def _look(self, given: Arguments) -> tuple[Environment, Sequence[Any]]:
        group = self._groups.get(given.fixed_key, ())
        if group:
            allowed = self._limits.allow_environment(group, self.fun, given.fixed)
        else:
            allowed = not given.fixed_key or self._limits.allow_group(list(self._groups), given.fixed_key)
        if not allowed:
            raise UncachedError
        try:
            environment = Environment(self.fun, given.fixed)
        except TooMuchError:
            self._limits.warn_of_size()
            raise UncachedError from None
        hidden = environment.read(self.fun, given.fixed)
        if type(hidden) is int:
            raise UncachedError  # somebody changes it right now
        with self._lock:
            self._groups[given.fixed_key] = [environment, *self._groups.get(given.fixed_key, ())]
        return environment, hidden

    def call(self, given: Arguments) -> tuple[Any, Found | None]:
        """Call the function on plain arguments; return the output, and the specialisation unless there was none."""
        for _ in range(_MOST_ROOM):
            try:
                return self._call(given)
            except CapacityError as error:
                if error.program is None:
                    raise
                self.outgrow(error.program, error)
        return self._call(given)

    def outgrow(self, spec: Specialisation, error: CapacityError) -> None:
        """Forget a program in which a loop has too little room, and make more in those to come."""
        enlarge(error)
        with self._lock:
            for environment in [e for group in self._groups.values() for e in group]:
                for key, bucket in list(environment.table.items()):
                    environment.table[key] = tuple([s for s in bucket if s is not spec])

    def _call(self, given: Arguments) -> tuple[Any, Found | None]:
        refusal: BaseException | None = None
        raised = False
        try:
            environment, hidden = self.environment(given)
            if any(isinstance(x, Tracer) for x in hidden) or named_axes():
                return self.call_traced(given), None
            arrays = [plain_leaf(x) for x in given.leaves]
            while True:
                bucket = environment.table.get(given.key, ())
                for spec in bucket:
                    out = run_program(spec, arrays, hidden) if spec.is_current(hidden) else MISMATCH
                    if out is not MISMATCH:
                        self.hits[0] += 1
                        if spec is not bucket[0]:
                            self._promote(environment, given.key, spec)
                        return out, Found(environment, spec)
                spec = self._make_once(environment, given, hidden, bucket)
                if spec is not None:
                    break
            out = run_program(spec, arrays, hidden)
            if out is not MISMATCH:
                return out, Found(environment, spec)
        except (UncachedError, OverflowError) as error:
            refusal = error.__cause__
            raised = isinstance(error, UncachedError) and error.raised
        out = self.call_eagerly(given)
        if refusal is not None:
            if raised and isinstance(refusal, Exception):
                environment.refused[given.key] = refusal  # Python alone can do it
            self._limits.warn_of_refusal(refusal)
        return out, None

    def find(self, given: Arguments) -> tuple[Found, list[Any]]:
        """Return the specialisation for arguments that may be traced, and all its inputs.

        Raises
        ------
        UncachedError
            There is none to be had.
        """
        environment, hidden = self.environment(given)
        inputs = [*given.leaves, *hidden]
        while True:
            bucket = environment.table.get(given.key, ())
            for spec in bucket:
                if admits(spec, inputs):
                    return Found(environment, spec), inputs
            spec = self._make_once(environment, given, hidden, bucket)
            if spec is not None:
                return Found(environment, spec), inputs

    def call_traced(self, given: Arguments) -> Any:
        """Call the function with arguments, or hidden inputs, that other transforms trace."""
        try:
            # What is recorded into a larger program is not recorded on its own first.
            if any(concrete(x) is None for x in (*given.leaves, *self.environment(given)[1])):
                raise UncachedError
            (_, spec), inputs = self.find(given)
            if spec.written or spec.reads_numbers:
                # A number made of a traced value would lose its derivative.
                raise UncachedError
            return spec.finish(call_program(spec, inputs))
        except (UncachedError, CovectorError):
            # Python says better what is wrong, if anything is.
            return given.call(self.fun, given.leaves, given.fixed)

    def call_eagerly(self, given: Arguments) -> Any:
        """Call the function as Python; as machine code would, it leaves arguments as they are and returns copies."""
        leaves = [x.copy("K") if isinstance(x, _ndarray) else x for x in given.leaves]
        out, treedef = tree.flatten(given.call(self.fun, leaves, given.fixed))
        return tree.unflatten(treedef, [x.copy("K") if isinstance(x, _ndarray) else x for x in out])

    def _promote(self, environment: Environment, key: Any, spec: Specialisation) -> None:
        with self._lock:
            bucket = environment.table.get(key, ())
            if spec in bucket:
                environment.table[key] = (spec, *[s for s in bucket if s is not spec])

    # --- making -------------------------------------------------------------------------------------------------------

    def _make_once(
        self, environment: Environment, given: Arguments, hidden: Sequence[Any], bucket: Sequence[Specialisation]
    ) -> Specialisation | None:
        """Record a specialisation; None if another thread has just made one, which is to be tried first."""
        if given.key in environment.refused:
            raise UncachedError from environment.refused[given.key]
        key = (id(environment), given.key)
        me = threading.get_ident()
        with self._lock:
            if environment.table.get(given.key, ()) is not bucket and bucket != environment.table.get(given.key, ()):
                return None
            pending = self._pending.get(key)
            if pending is None:
                event = threading.Event()
                self._pending[key] = (event, me)
        if pending is not None:
            # Whoever records a program waits for nobody: two functions that call each other could wait forever.
            if pending[1] == me or _depth():
                raise UncachedError
            pending[0].wait()
            return None
        _local.depth = _depth() + 1
        try:
            return self._make(environment, given, hidden, bucket)
        finally:
            _local.depth -= 1
            with self._lock:
                del self._pending[key]
            event.set()

    def _make(
        self, environment: Environment, given: Arguments, hidden: Sequence[Any], bucket: Sequence[Specialisation]
    ) -> Specialisation:
        if not self._limits.allow(environment, given, bucket):
            raise UncachedError
        reach = environment.reach(self.fun, given.fixed)
        try:
            spec = self._record(reach, given, hidden)
        except ForeignValueError:
            raise UncachedError from None
        except (TracerConversionError, NotDifferentiableError) as error:
            # If Python fails on it, too, its error is the better one.
            environment.refused[given.key] = error
            raise UncachedError from error
        except _RaisedError as error:
            # Python raises the better error: with values in its message and the user's line in the traceback.
            if type(environment.read(self.fun, given.fixed)) is int:
                reach.restore()
            refusal = UncachedError()
            refusal.raised = True
            raise refusal from (None if isinstance(error.__cause__, OverflowError) else error.__cause__)
        if type(environment.read(self.fun, given.fixed)) is int:
            self._has_effect(reach, environment.difference(self.fun, given.fixed))
        if any(spec.same_guards(s) for s in bucket):
            # The program is there. Its code fails on these values, or decides a close call otherwise than NumPy does.
            raise UncachedError
        self.misses += 1
        spec.threads = self.threads
        if self.donate and not is_limited(spec.graph):
            spec.donate = given.flat_places(self.donate)
        self._limits.note(environment, given, spec, bucket)
        with self._lock:
            environment.table[given.key] = (spec, *environment.table.get(given.key, ()))
        return spec

    def _record(self, reach: Reach, given: Arguments, hidden: Sequence[Any]) -> Specialisation:
        """Record the function as it is best recorded.

        First with traced values in place of the arrays it reaches. Where something takes plain arrays only
        (``np.array`` of a list, ``np.zeros`` to be filled), once more with `covector.numpy` in place of NumPy. And
        where that does not help either (an object of SciPy's), with the arrays it reaches as constants whose contents
        are compared.
        """
        inputs = [as_input(x) for x in given.leaves]
        closed = [as_input(x) for x in hidden]

        def substituted(numpy: bool, integers: bool = False) -> Specialisation:
            def call(leaves: list[Any], tracers: list[Any]) -> Any:
                made = Substitution(reach.roots, tracers, numpy)
                fun, *fixed = made.all([self.fun, *given.fixed])
                out = _call(given, fun, leaves, fixed)
                made.check_effects()
                return out

            return specialise(call, inputs, closed, self.fun, integers=integers)

        first: Specialisation | None = None
        try:
            try:
                first = substituted(False)
                if not first.reads_numbers:
                    return first
                return min(first, substituted(True), key=lambda spec: spec.reads_numbers)
            except TracerConversionError:
                if first is not None:
                    return first
                return substituted(True, integers=True)
        except SideEffectError as error:
            self._has_effect(reach, str(error), is_new=error.is_new)
        except OSError:
            raise
        except Exception:
            if first is not None:
                return first
            if not closed and not reach.builtins:
                raise

        def plain(leaves: list[Any], _: list[Any]) -> Any:
            return _call(given, self.fun, leaves, given.fixed)

        spec = specialise(plain, inputs, [], self.fun, integers=True)
        if closed:
            spec.watch(hidden)
        return spec

    def _has_effect(self, reach: Reach, place: str, is_new: bool = False) -> NoReturn:
        """Give up on machine code for a function that changes something outside of it at every call."""
        reach.restore()
        self._effects += 1
        if not is_new or self._effects > 1:  # what is made once and kept is no reason to worry
            self._limits.warn_of_effect(place)
        raise UncachedError


def _call(given: Arguments, fun: Any, leaves: list[Any], fixed: Sequence[Any]) -> Any:
    try:
        return given.call(fun, leaves, fixed)
    except (CovectorError, OSError):
        raise  # a timeout, say, which is not to happen a second time
    except Exception as error:
        raise _RaisedError from error
