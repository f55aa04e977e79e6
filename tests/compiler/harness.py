"""Compiles loops over the scalar functions of `covector.compiler.math`, with llvmlite alone."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm
import numpy as np

from covector.compiler.math import FUNCTIONS, module

DTYPES = {"f64": np.dtype(np.float64), "f32": np.dtype(np.float32)}
_IR = {"f64": "double", "f32": "float"}


def loop_text(name: str, ctype: str) -> str:
    """IR of ``void loop(ptr out, ptr in0, …, i64 n)``: out[i] = f(in0[i], …)."""
    arity = FUNCTIONS[name].arity
    type_, size = _IR[ctype], DTYPES[ctype].itemsize
    pointers = "".join(f", ptr noalias readonly %p{k}" for k in range(arity))
    loads = "".join(
        f"  %a{k} = getelementptr {type_}, ptr %p{k}, i64 %i\n  %x{k} = load {type_}, ptr %a{k}, align {size}\n"
        for k in range(arity)
    )
    operands = ", ".join(f"{type_} %x{k}" for k in range(arity))
    return f"""
define void @loop(ptr noalias %out{pointers}, i64 %n) #0 {{
entry:
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %body, label %done
body:
  %i = phi i64 [0, %entry], [%next, %body]
{loads}  %y = call {type_} @"cv.{name}.{ctype}"({operands})
  %o = getelementptr {type_}, ptr %out, i64 %i
  store {type_} %y, ptr %o, align {size}
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %body, label %done
done:
  ret void
}}
attributes #0 = {{ nounwind "prefer-vector-width"="512" }}
"""


@dataclass
class Loop:
    """A compiled loop over one function; call it with arrays."""

    name: str
    ctype: str
    optimised: str
    assembly: str
    engine: llvm.ExecutionEngine

    def __call__(self, *arrays: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        dtype = DTYPES[self.ctype]
        inputs = np.broadcast_arrays(*(np.asarray(a, dtype) for a in arrays))
        flat = [np.ascontiguousarray(a).ravel() for a in inputs]
        if out is None:
            out = np.empty(inputs[0].shape, dtype)
        address = self.engine.get_function_address("loop")
        pointers = [ctypes.c_void_p] * (1 + len(flat))
        function = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64)(address)
        function(out.ctypes.data, *(a.ctypes.data for a in flat), out.size)
        return out

    @property
    def vector_types(self) -> set[str]:
        """The vector types of the optimised loop, such as ``<8 x double>``."""
        return set(re.findall(r"<\d+ x (?:double|float|i64|i32)>", self.optimised))

    @property
    def calls(self) -> set[str]:
        """Functions that the machine code calls."""
        return set(re.findall(r"\bcallq?\s+\*?(\S+)", self.assembly))


def machine(cpu: str | None = None, features: str | None = None) -> llvm.TargetMachine:
    """The host, or a given x86 processor. An engine owns its machine, so each needs a new one."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    cpu = cpu or llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features().flatten() if features is None else features
    return target.create_target_machine(cpu=cpu, features=features, opt=3, jit=True)


@cache
def compiled(name: str, ctype: str) -> Loop:
    """A loop over function `name` for the host."""
    return build(name, ctype, machine())


def build(name: str, ctype: str, target: llvm.TargetMachine) -> Loop:
    """A loop over function `name` for `target`."""
    parsed = llvm.parse_assembly(module([(name, ctype)]) + loop_text(name, ctype))
    parsed.triple = llvm.get_process_triple()
    parsed.data_layout = str(target.target_data)
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(parsed, builder)
    optimised, assembly = str(parsed), target.emit_assembly(parsed)
    engine = llvm.create_mcjit_compiler(parsed, target)
    engine.finalize_object()
    return Loop(name, ctype, optimised, assembly, engine)
