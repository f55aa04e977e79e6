"""The pass from a planned program to LLVM IR: one function for the program, one for each loop nest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.graph import Var
from .. import math as functions
from ..linalg import blas
from ..linalg.gemm import write_dot
from ..loops.definitions import Branch, Capacity, Check, Dot, Failure, Host, Lapack, Repeat, Scan, Update
from ..loops.kernels import Kernel
from ..loops.plan import Place, Plan
from .branch import write_branch
from .entry import entry_text, layout
from .outline import call_nest
from .repeat import write_repeat
from .writes import write_scan, write_update

__all__ = ["Module", "emit"]

PROGRAM = '@"cv.program.1"'
_RELEASE = 20_000  # loop iterations from which other Python threads may run meanwhile
_ATTRIBUTES = 'nounwind "prefer-vector-width"="512" "no-trapping-math"="true"'


class Module:
    """LLVM IR text and what it needs at run time.

    Attributes
    ----------
    text : str
        Defines
        ``i64 cv.main(ptr inputs, ptr outputs, ptr arena, ptr constants, ptr host, ptr error, i64 threads)``, which
        returns 0, k > 0 for the k-th entry of `checks`, or -1 for an error in a host call.
    arena : int
        Bytes.
    constants : list of ndarray
    hosts : list of Equation
    checks : list of Check, Failure or Capacity
    """

    def __init__(self, plan: Plan, may_split: bool) -> None:
        self.plan = plan
        self.may_split = may_split
        self.parallel = False
        self.constants: list[Any] = []
        self.hosts: list[Any] = []
        self.checks: list[Check | Failure | Capacity] = []
        self.functions: list[str] = []
        self.declared: set[str] = set()
        self.wanted: set[tuple[str, str]] = set()
        self.metadata: list[str] = ["!0 = !{}"]
        self.bodies: dict[tuple[int, bool], Function] = {}
        self._numbers: dict[int, int] = {}
        self.names = 0
        self.kernels: dict[Any, str] = {}
        self.arena = 0
        self.text = ""

    def blas_integer(self, routine: str) -> int:
        """Bits of the integers that a routine of BLAS takes."""
        blas.install([routine])
        return blas.integer()

    def name(self, what: str) -> str:
        self.names += 1
        return f'@"cv.{what}.{self.names}"'

    def inner(self, plan: Plan, again: bool) -> Function:
        """The function of a program inside this one, written once however often it is called.

        `again` says that a loop calls it, each time with the results of the time before.
        """
        function = self.bodies.get((id(plan), again))
        if function is None:
            function = self.bodies[id(plan), again] = Function(self, plan, "", again)
            function.write()
        return function

    def constant(self, array: Any) -> int:
        """The number of a constant array."""
        number = self._numbers.get(id(array))
        if number is None:
            number = self._numbers[id(array)] = len(self.constants)
            self.constants.append(array)
        return number

    def weights(self, often: tuple[int, int]) -> str:
        """The metadata that says how often a jump goes one way and the other."""
        text = f'!{{!"branch_weights", i32 {often[0]}, i32 {often[1]}}}'
        k = next((n for n, line in enumerate(self.metadata) if line.endswith(f"= {text}")), len(self.metadata))
        if k == len(self.metadata):
            self.metadata.append(f"!{k} = {text}")
        return f"!{k}"

    def independent(self, rows: bool = False) -> tuple[str, str]:
        """An access group, and the metadata of a loop whose accesses in it are independent.

        One over `rows` is not unrolled: it becomes a few instructions on vectors.
        """
        k = len(self.metadata)
        names = f"!{k + 2}, !{k + 1}, !{k + 3}" if rows else f"!{k + 2}, !{k + 1}"
        self.metadata += [
            f"!{k} = distinct !{{}}",
            f'!{k + 1} = !{{!"llvm.loop.parallel_accesses", !{k}}}',
            f"!{k + 2} = distinct !{{{names}}}",
            *([f'!{k + 3} = !{{!"llvm.loop.unroll.disable"}}'] if rows else []),
        ]
        return f"!{k}", f"!{k + 2}"


class Function:
    """The function of a program, or of the body of a loop: it has one pointer per input and output."""

    def __init__(self, module: Module, p: Plan, name: str, again: bool = False) -> None:
        self.module = module
        self.again = again
        self.plan = p
        self.name = name
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.count = 0
        self.pointers: dict[Place, str] = {}

    def fresh(self) -> str:
        self.count += 1
        return f"%p{self.count}"

    def put(self, text: str) -> str:
        out = self.fresh()
        self.lines.append(f"{out} = {text}")
        return out

    def pointer(self, place: Place) -> str:
        """The operand that points to a place."""
        if place.kind in ("in", "out"):
            return f"%{place.kind}{place.at}"
        known = self.pointers.get(place)
        if known is None:
            known = self.pointers[place] = f"%{place.kind}.{place.at}"
            if place.kind == "arena":
                if self.plan.small:
                    self.allocas.append(f"{known} = alloca [{self.plan.sizes[place.at]} x i8], align 64")
                else:
                    self.allocas.append(f"{known} = getelementptr inbounds i8, ptr %arena, i64 {place.at}")
            else:
                slot = f"{known}.slot"
                number = self.module.constant(self.plan.constants[place.at])
                self.allocas.append(f"{slot} = getelementptr inbounds ptr, ptr %const, i64 {number}")
                self.allocas.append(f"{known} = load ptr, ptr {slot}, !invariant.load !0")
        return known

    def constant(self, f: Function, kind: str, at: Any) -> str:
        """The operand that points, in the function `f`, to a constant that this program returns."""
        number = f.module.constant(self.plan.constants[at] if kind == "const" else np.asarray(at))
        slot = f.put(f"getelementptr inbounds ptr, ptr %const, i64 {number}")
        return f.put(f"load ptr, ptr {slot}, !invariant.load !0")

    def local(self, nbytes: int) -> str:
        """A local variable."""
        name = self.fresh()
        self.allocas.append(f"{name} = alloca [{max(nbytes, 1)} x i8], align 64")
        return name

    def label(self) -> int:
        """A number that makes labels unique."""
        self.count += 1
        return self.count

    def write(self) -> None:
        p = self.plan
        for k, step in enumerate(p.steps):
            if isinstance(step, Kernel):
                boxes = p.bodies[k] or []
                for box in boxes:
                    call_nest(self, box, math.prod(step.space), True)
            elif isinstance(step, Update):
                write_update(self, step)
            elif isinstance(step, Scan):
                write_scan(self, step)
            elif isinstance(step, Host):
                self._host(step)
            elif isinstance(step, Check):
                self._check(step)
            elif isinstance(step, Dot):
                write_dot(self, step)
            elif isinstance(step, Lapack):
                self._lapack(step)
            elif isinstance(step, Repeat):
                write_repeat(self, step, p.inner[k], p.scratch[k])
            elif isinstance(step, Branch):
                write_branch(self, step, p.inner[k], p.scratch[k])
        # Results have memory of their own, unless they are written to that of an input.
        ins = [f"ptr %in{k}" for k in range(len(p.fused.lowered.graph.inputs))]
        outs = [f"ptr noalias %out{k}" for k in range(len(p.outputs))]
        params = ", ".join([*ins, *outs, "ptr noalias %arena", "ptr %const", "ptr %host", "ptr %error", "i64 %threads"])
        body = "\n  ".join([*self.allocas, *self.lines, "ret i64 0"])
        text = f"({params}) {'alwaysinline ' if p.small else ''}#0 {{\n  {body}\n}}"
        self.name = self.name or self.module.kernels.get(text, "")
        if not self.name or self.name == PROGRAM:
            self.name = self.module.kernels[text] = self.name or self.module.name("body")
            self.module.functions.append(f"define internal i64 {self.name}{text}")

    # --- parts -------------------------------------------------------------------------------------------------------

    def clamped(self, x: str, high: int | None) -> str:
        """An integer brought into the range from 0 to `high`, if there is an upper end."""
        for name, edge in (("smin", high), ("smax", 0)):
            if edge is not None:
                self.module.declared.add(f"declare i64 @llvm.{name}.i64(i64, i64)")
                x = self.put(f"call i64 @llvm.{name}.i64(i64 {x}, i64 {edge})")
        return x

    def copy(self, to: str, source: str, nbytes: int) -> None:
        if nbytes and to != source:
            self.module.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
            self.lines.append(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {nbytes}, i1 false)")

    def counted(self, n: int, body: Any) -> None:
        """Write ``for (i = 0; i < n; i++) body(i)``."""
        k = self.label()
        self.lines += [f"br label %enter{k}", f"enter{k}:", f"br label %loop{k}", f"loop{k}:"]
        self.lines.append(f"%i{k} = phi i64 [ 0, %enter{k} ], [ %next{k}, %latch{k} ]")
        body(f"%i{k}")
        self.lines += [f"br label %latch{k}", f"latch{k}:", f"%next{k} = add nsw i64 %i{k}, 1"]
        self.lines += [f"%done{k} = icmp eq i64 %next{k}, {n}"]
        self.lines += [f"br i1 %done{k}, label %after{k}, label %loop{k}", f"after{k}:"]

    # --- other steps --------------------------------------------------------------------------------------------------

    def stop_if(self, condition: str, code: str, number: str = "") -> None:
        """Return `code` from the program, and the number that is wrong if given, when `condition` holds."""
        k = self.label()
        self.lines.append(f"br i1 {condition}, label %stop{k}, label %go{k}")
        wrong = [f"store i64 {number}, ptr %error"] if number else []
        self.lines += [f"stop{k}:", *wrong, f"ret i64 {code}", f"go{k}:"]

    def code_of(self, check: Check | Failure | Capacity) -> str:
        """The number by which the program tells that a check has failed."""
        self.module.checks.append(check)
        return str(len(self.module.checks))

    def _check(self, step: Check) -> None:
        code = self.code_of(step.failure or step)
        for var, op, edge in ((step.most, "sge", step.size), (step.least, "slt", -step.size)):
            x = self.put(f"load i64, ptr {self.pointer(self.plan.places[var.index])}")
            self.stop_if(self.put(f"icmp {op} i64 {x}, {edge}"), code, x)

    def fail_if(self, condition: str, failure: Failure) -> None:
        """Raise an error when `condition` holds."""
        self.stop_if(condition, self.code_of(failure), "0")

    def _lapack(self, step: Lapack) -> None:
        places = self.plan.places
        for old, new in step.takes:
            if places[old.index] != places[new.index]:
                nbytes = old.size * old.dtype.itemsize
                self.copy(self.pointer(places[new.index]), self.pointer(places[old.index]), nbytes)
        step.write(self, step)

    def _host(self, step: Host) -> None:
        eq = step.equation
        number = len(self.module.hosts)
        self.module.hosts.append(eq)
        where = [x for x in eq.inputs if type(x) is Var] + list(eq.outputs)
        table = self.fresh()
        self.allocas.append(f"{table} = alloca [{len(where)} x ptr]")
        for k, v in enumerate(where):
            slot = self.put(f"getelementptr inbounds ptr, ptr {table}, i64 {k}")
            place = self.plan.places.get(v.index)
            self.lines.append(f"store ptr {self.pointer(place) if place else '%error'}, ptr {slot}")
        done = self.put(f"call i64 %host(i64 {number}, ptr {table})")
        self.stop_if(self.put(f"icmp ne i64 {done}, 0"), "-1")


def emit(p: Plan, threads: int | None = None) -> Module:
    """Return the LLVM IR of a planned program, whose long loops may use several threads."""
    module = Module(p, threads != 1)
    main = Function(module, p, PROGRAM)
    main.write()
    module.arena = p.arena
    inputs = len(p.fused.lowered.graph.inputs)
    lines, args = [], []
    for table, n in (("inputs", inputs), ("outputs", len(p.outputs))):
        for k in range(n):
            lines.append(f"%{table}.s{k} = getelementptr inbounds ptr, ptr %{table}, i64 {k}")
            lines.append(f"%{table}{k} = load ptr, ptr %{table}.s{k}")
            args.append(f"ptr %{table}{k}")
    args += ["ptr %arena", "ptr %const", "ptr %host", "ptr %error", "i64 %threads"]
    lines += [f"%rc = call i64 {main.name}({', '.join(args)})", "ret i64 %rc"]
    body = "\n  ".join(lines)
    entry = (
        'define i64 @"cv.main"(ptr %inputs, ptr %outputs, ptr %arena, ptr %const, ptr %host, ptr %error, '
        "i64 %threads) #0 {\n"
        f"  {body}\n}}"
    )
    release = p.work > _RELEASE
    inputs_ = [v.aval for v in p.fused.lowered.graph.inputs]
    if layout() is not None:
        entry += "\n" + entry_text(inputs_, len(p.outputs), len(module.constants), p.arena, module.parallel, release)
    known = {line.split("@")[1].split("(")[0] for line in module.declared}
    library = functions.module(sorted(module.wanted), declared=known) if module.wanted else ""
    module.text = "\n".join(
        [
            *sorted(module.declared),
            library,
            *module.functions,
            entry,
            f"attributes #0 = {{ {_ATTRIBUTES} }}",
            *module.metadata,
        ]
    )
    return module
