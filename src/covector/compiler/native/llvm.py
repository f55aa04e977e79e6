"""LLVM IR text to machine code in this process, through llvmlite.

`compile_ir` parses, optimises for the processor it runs on, emits an object and links it; `load_object` links an
object emitted earlier, perhaps by another process. Both return a `Code`, whose functions live as long as it does.
What an object calls but does not define is looked up among the symbols given to `add_symbol` and then in the process
(memcpy, malloc, the C library's mathematics); a name found in neither is an error here, not a crash later.

Objects are position independent and linked by LLVM's JITLink, one engine per object: its code and its constants are
neighbours, so that constants are operands relative to the instruction pointer, and calls go through stubs, so that
what is called may lie anywhere in the address space. Closing the engine gives every byte back.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import llvmlite
import llvmlite.binding as binding

__all__ = ["Code", "Target", "add_symbol", "assembly", "compile_ir", "has_symbol", "load_object", "optimised", "target"]

# One program at a time is compiled: llvmlite serialises LLVM's calls anyway. Reentrant, because the collector may run
# anything anywhere. A fork waits for it, so that a child never inherits LLVM in the middle of something.
_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)

_SYMBOLS: dict[str, int] = {}


@dataclass(frozen=True)
class Target:
    """The processor that code is made for.

    Attributes
    ----------
    cpu, features
        As LLVM names them. A virtual machine may hide the model, so `features` decides.
    triple, datalayout
        As they stand at the head of a module.
    version
        One line that changes whenever the same text could give another object; part of every cache key.
    """

    cpu: str
    features: str
    triple: str
    datalayout: str
    version: str


class Code:
    """Functions in memory; they must not be called after this object is gone.

    Attributes
    ----------
    object : bytes
        The linkable object, from which `load_object` makes the same functions in another process.
    seconds : dict of str to float
        What was spent on ``parse``, ``optimise``, ``codegen`` and ``link``.
    """

    __slots__ = ("__weakref__", "_tracker", "object", "seconds")

    def __init__(self, tracker: Any, data: bytes, seconds: dict[str, float]) -> None:
        self._tracker = tracker
        self.object = data
        self.seconds = seconds

    def address(self, name: str) -> int:
        """Return the address of one of the functions asked for when the code was made."""
        address: int = self._tracker[name]
        return address


def add_symbol(name: str, address: int) -> None:
    """Make `address` what code linked from now on finds under `name`."""
    if not address:
        raise ValueError(f"add_symbol: the address of {name!r} is zero")
    with _LOCK:
        _SYMBOLS[name] = address


def has_symbol(name: str) -> bool:
    """Tell whether code that refers to `name` can be linked."""
    if name in _SYMBOLS or binding.address_of_symbol(name) is not None:
        return True
    return os.name == "posix" and hasattr(ctypes.CDLL(None), name)  # LLVM looks there only when it links


@cache
def target() -> Target:
    """Describe the processor of this process."""
    triple = binding.get_process_triple()
    cpu, features = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    version = ".".join(map(str, binding.llvm_version_info))
    return Target(
        cpu=cpu,
        features=features,
        triple=triple,
        datalayout=str(_machine().target_data),
        version=f"llvmlite {llvmlite.__version__}, LLVM {version}, {triple}, {cpu}, {features}",
    )


@cache
def _machine() -> Any:
    """Return LLVM's code generator for this processor."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
        jit=True,
    )


@cache
def _linker_target() -> Any:
    """Return a description of the platform alone: a linker does not care for features, which take long to parse."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_triple(binding.get_process_triple())


def _optimise(text: str, level: int, seconds: dict[str, float]) -> Any:
    """Parse and optimise `text` in a context of its own, so that its types and constants go with it."""
    start = perf_counter()
    module = binding.parse_assembly(text, binding.create_context())
    module.verify()
    here = target()
    module.triple = here.triple
    module.data_layout = here.datalayout
    parsed = perf_counter()
    tuning = binding.create_pipeline_tuning_options(speed_level=level)
    tuning.loop_vectorization = tuning.loop_interleaving = tuning.loop_unrolling = level > 0
    tuning.slp_vectorization = level > 1
    builder = binding.create_pass_builder(_machine(), tuning)
    builder.getModulePassManager().run(module, builder)
    seconds["parse"] = parsed - start
    seconds["optimise"] = perf_counter() - parsed
    return module


def compile_ir(text: str, names: Iterable[str], *, level: int = 3) -> Code:
    """Turn IR into functions.

    Parameters
    ----------
    text : str
        A module. It needs neither triple nor data layout. The width of vectors is up to its function attributes
        (``"prefer-vector-width"="512"``).
    names : iterable of str
        The functions whose addresses are wanted.
    level : int
        LLVM's optimisation level, 0 to 3. Loops are vectorised and unrolled from level 1, which takes a tenth less
        time than level 3 and gives the same loops; straight-line code is vectorised from level 2.

    Returns
    -------
    Code

    Raises
    ------
    RuntimeError
        If the text is not valid IR, or refers to a function that does not exist, or does not define one of `names`.
    """
    with _LOCK:
        seconds: dict[str, float] = {}
        module = _optimise(text, level, seconds)
        start = perf_counter()
        data = _machine().emit_object(module)
        seconds["codegen"] = perf_counter() - start
        return _link(data, names, seconds, text)


def load_object(data: bytes, names: Iterable[str]) -> Code:
    """Turn ``Code.object`` of an earlier compilation into functions.

    Only for bytes that this user's covector made for a processor with these features: they will be executed.
    """
    with _LOCK:
        return _link(data, names, {"parse": 0.0, "optimise": 0.0, "codegen": 0.0})


def _link(data: bytes, names: Iterable[str], seconds: dict[str, float], text: str = "") -> Code:
    start = perf_counter()
    machine = _linker_target().create_target_machine(reloc="pic", codemodel="small", jit=True)
    engine = binding.create_lljit_compiler(machine, use_jit_link=True, suppress_errors=True)
    library = binding.JITLibraryBuilder().add_object_img(data).add_current_process()
    wanted = tuple(names)
    for name, address in _SYMBOLS.items():
        if name not in wanted:  # what the object itself defines
            library.import_symbol(name, address)
    for name in wanted:
        library.export_symbol(name)
    try:
        tracker = library.link(engine, "covector")
    except RuntimeError as reason:
        raise RuntimeError(_unlinkable(text, wanted, str(reason))) from reason
    # The engine goes when the tracker has gone, in this order.
    tracker.engine = engine
    seconds["link"] = perf_counter() - start
    return Code(tracker, data, seconds)


def _unlinkable(text: str, names: tuple[str, ...], reason: str) -> str:
    """Say which symbols are missing; LLVM says only what could not be made."""
    missing = [name for name in re.findall(r'^declare [^@]*@"?([\w.$-]+)', text, re.M) if not has_symbol(name)]
    missing = sorted(name for name in missing if not name.startswith("llvm."))
    absent = [name for name in names if text and not re.search(rf'^define [^@]*@"?{re.escape(name)}"?\(', text, re.M)]
    parts = [f"it refers to {', '.join(missing)}, which nothing in this process defines"] if missing else []
    parts += [f"it does not define {', '.join(absent)}"] if absent else []
    return f"compiled code cannot be linked: {'; '.join(parts) or reason}"


def optimised(text: str, *, level: int = 3) -> str:
    """Return the IR that LLVM makes of `text`, for people to read."""
    with _LOCK:
        return str(_optimise(text, level, {}))


def assembly(text: str, *, level: int = 3) -> str:
    """Return the assembly that LLVM makes of `text`, for people to read."""
    with _LOCK:
        listing: str = _machine().emit_assembly(_optimise(text, level, {}))
        return listing
