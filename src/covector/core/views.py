"""Views: traced arrays that show elements of another one, as slices and transposes do, and follow when it changes.

A *view* knows the *root* that it is a view of. Writing to a view writes to its root; a view that finds its root changed
derives itself anew, at the moment it is used.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from .protect import laid_out_like
from .tracer import Trace, Tracer, concrete
from .values import shape_of

__all__ = [
    "VIEW_TYPES",
    "Root",
    "View",
    "is_array",
    "is_stale",
    "is_view",
    "is_written",
    "layout",
    "link_slice",
    "link_view",
    "positions",
    "release",
    "take",
    "version_of",
    "viewing",
]


class Root:
    """What is known of an array that has views or was written to."""

    __slots__ = ("exports", "positions", "version")

    def __init__(self) -> None:
        self.version = 0
        self.positions: Any = None
        self.exports: list[weakref.ref[Any]] = []


class View:
    """How a view made by a basic index comes from its root.

    Attributes
    ----------
    root : Tracer
        The array whose elements it shows; never a view itself.
    origin : Root
        What is known of it.
    parent : Tracer
        What the view was taken of, the root or another view.
    index : tuple or None
        The view is ``parent[index]``; None for other views.
    version : int
        Of the root, when the view was derived.
    positions : array or None
        See `positions`.
    depth : int
        The number of views between it and the root, itself included.
    """

    # One is made for every slice, so it stores no more than differs from slice to slice.
    __slots__ = ("depth", "index", "origin", "parent", "positions", "root", "version")
    part: str | None = None
    writeable: bool = True

    def __init__(self, parent: Tracer, index: Any) -> None:
        above = parent._link
        if isinstance(above, View):
            self.root: Tracer = above.root
            self.depth: int = above.depth + 1
            self.origin: Root = above.origin
        else:
            if above is None:
                above = parent._link = Root()
            self.root = parent
            self.depth = 1
            self.origin = above
        self.version: int = self.origin.version
        self.index = index
        self.parent = parent
        self.positions: Any = None

    def derive(self, parent: Any) -> Any:
        """Make the view of `parent`, or of an array of its shape."""
        return parent[self.index]


class GeneralView(View):
    """Any other view.

    Attributes
    ----------
    function : callable
        What `derive` does.
    part : str, optional
        "real" or "imag", where the view shows only that part of the root's elements.
    writeable : bool
        False for views that NumPy makes read-only.
    """

    __slots__ = ("function", "part", "writeable")

    def __init__(self, parent: Tracer, function: Callable[[Any], Any], part: str | None, writeable: bool) -> None:
        View.__init__(self, parent, None)
        above = parent._link
        self.function = function
        if isinstance(above, View):
            part, writeable = part or above.part, writeable and above.writeable
        self.part = part
        self.writeable = writeable

    def derive(self, parent: Any) -> Any:
        return self.function(parent)


_DEEP = 16
"""From how many views of views on the positions are kept, so that deriving a view is no long recursion."""


# --- views ------------------------------------------------------------------------------------------------------------

_held_trace = Tracer.__dict__["_trace"].__get__


class _Viewing:
    """Mixed into a class of tracers: asking a view for its trace, with which every use begins, brings it up to date."""

    __slots__ = ()

    @property
    def _trace(self: Any) -> Trace:
        link = self._link
        if link.version != link.origin.version:
            _refresh(self)
            return self._trace  # type: ignore[no-any-return]
        return _held_trace(self)  # type: ignore[no-any-return]

    def clone(self: Any) -> Any:
        self._trace  # noqa: B018  # brings it up to date, which may change its class
        return VIEW_TYPES[type(self)].clone(self)  # type: ignore[attr-defined]

    def constant(self: Any) -> Any:
        self._trace  # noqa: B018
        return VIEW_TYPES[type(self)].constant(self)  # type: ignore[attr-defined]

    # They never change, and asking for them derives nothing.
    @property
    def shape(self: Any) -> Any:
        link = self._link
        if link.version != link.origin.version:
            return positions(self).shape
        return super().shape  # type: ignore[misc]

    @property
    def dtype(self: Any) -> Any:
        link = self._link
        if link.version != link.origin.version:
            dtype = link.root.dtype
            return dtype if link.part is None else np.zeros(0, dtype).real.dtype
        return super().dtype  # type: ignore[misc]


_VIEWS: dict[type, type] = {}
VIEW_TYPES: dict[type, type] = {}
"""Class of views → class of tracers that are none."""


def viewing(cls: type) -> type:
    """The class of views that otherwise are tracers of `cls`."""
    if cls not in _VIEWS:
        made = type(cls.__name__.replace("Array", "View"), (_Viewing, cls), {"__slots__": ()})
        _VIEWS[cls] = _VIEWS[made] = made
        VIEW_TYPES[made] = cls
    return _VIEWS[cls]


def is_view(x: Any) -> bool:
    """Whether `x` is a traced view."""
    return type(x) in VIEW_TYPES


def is_written(x: Tracer) -> bool:
    """Whether elements of `x`, or of the array that it is a view of, were ever assigned to."""
    return version_of(x) > 0


def version_of(x: Tracer) -> int:
    """How often elements of `x`, or of the array that it is a view of, were assigned to."""
    link = x._link
    if link is None:
        return 0
    return link.origin.version if isinstance(link, View) else link.version


def link_slice(out: Tracer, parent: Tracer, index: tuple[Any, ...]) -> Tracer:
    """Return ``out``, just read as ``parent[index]`` by a basic index, as a view of `parent`."""
    above = parent._link
    if isinstance(above, GeneralView):
        link: View = GeneralView(parent, itemgetter(index), None, True)
        link.index = index
    else:
        if not parent.shape and not is_array(parent):
            return out  # of a number, NumPy makes a new array
        link = View(parent, index)
    out._link = link
    cls = type(out)
    out.__class__ = _VIEWS.get(cls) or viewing(cls)
    if link.depth > _DEEP:
        positions(out)
    return out


def link_view(
    out: Any,
    parent: Any,
    function: Callable[[Any], Any],
    part: str | None = None,
    writeable: bool = True,
    copied: bool = False,
) -> Any:
    """Return `out`, just made by ``function(parent)``, as a view of `parent` (plain arrays stay as they are).

    `copied` says that the elements were copied on the way, so that `out` does not lie in memory as a view would.
    """
    if not isinstance(out, Tracer) or not isinstance(parent, Tracer):
        return out
    cls = type(out)
    if out is parent or cls in VIEW_TYPES:
        out = out.clone()
        cls = type(out)
    if not parent.shape and not is_array(parent):
        return out  # of a number, NumPy makes a new array
    link = GeneralView(parent, function, part, writeable)
    out._link = link
    out.__class__ = _VIEWS.get(cls) or viewing(cls)
    if link.depth > _DEEP or copied:
        positions(out)
    return out


def is_array(x: Any) -> bool:
    """Whether `x` of no dimensions stands for an array and not for a number."""
    if is_view(x) or getattr(type(x), "_is_array", False):
        return True
    return isinstance(value := concrete(x), np.ndarray) and not value.ndim


def _refresh(x: Any) -> None:
    """Bring the view `x` up to date with its root."""
    link = x._link
    root = link.root
    if link.depth > _DEEP:
        content = root.ravel()[link.positions]
        if link.part is not None:
            content = getattr(content, link.part)
    else:
        content = link.derive(link.parent)
    take(x, content)
    x.__class__ = viewing(x.__class__)
    link.version = link.origin.version


def is_stale(x: Any) -> bool:
    """Whether `x` is a view whose root has changed since."""
    return type(x) in VIEW_TYPES and x._link.version != x._link.origin.version


def release(x: Any) -> None:
    """Let the view `x` forget what it shows, so that its root can be changed in place."""
    x._link.version = -1
    for name in x._parts:
        setattr(x, name, None)


def positions(x: Tracer) -> Any:
    """The number of each element of `x` in its root, laid out in memory as the root is."""
    link = x._link
    if link is None:
        link = x._link = Root()
    if link.positions is None:
        if isinstance(link, View):
            above = positions(link.parent)
            link.positions = _halves(above) if link.part != _part_of(link.parent) else link.derive(above)
        else:
            link.positions = _numbered(x)
    return link.positions


def _halves(above: Any) -> Any:
    """A copy of `above` laid out as the real parts of an array of complex numbers are: every second place."""
    pairs = laid_out_like(above, np.dtype([("real", np.intp), ("imag", np.intp)]))
    pairs["real"] = above
    return pairs["real"]


def _part_of(x: Tracer) -> str | None:
    return x._link.part if isinstance(x._link, View) else None


def _numbered(x: Tracer) -> Any:
    shape = x.shape
    numbers = np.arange(x.size).reshape(shape)
    held = layout(x)
    if held is None or held.flags.c_contiguous:
        return numbers
    out = laid_out_like(held, np.intp)
    out[...] = numbers
    return out


def layout(x: Any) -> Any:
    """A plain array laid out in memory as NumPy would have `x` (one lane of a batch), or None if nothing is known."""
    if isinstance(x, Tracer) and x._link is not None:
        if x._link.positions is not None:
            return x._link.positions
        if is_view(x) and (is_written(x) or x._link.parent._link.positions is not None):
            return positions(x)
    value = concrete(x)
    shape = shape_of(x)
    if value is None or (type(value) is np.ndarray and value.ndim == len(shape)):
        return value
    extra = np.ndim(value) - len(shape)
    if 0 in np.shape(value)[:extra]:
        return np.empty(shape)
    return np.asarray(value[(0,) * extra] if extra else value)


def take(x: Tracer, new: Tracer) -> None:
    """Let the handle `x` hold what `new` holds; its link stays."""
    trace = new._trace
    kind = type(new)
    x.__class__ = VIEW_TYPES.get(kind, kind)
    x._trace = trace
    for name in new._state:
        setattr(x, name, getattr(new, name))
