"""From IR text to functions: what comes out, what it may call, what it costs in memory, and what is refused."""

import ctypes
import gc
import mmap
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from covector.compiler.native import llvm

WIDE = 'attributes #0 = { nounwind "prefer-vector-width"="512" }'

LOOP = """
define {result} @{name}(ptr noalias %x, ptr noalias %y, i64 %n, double %a) #0 {{
entry:
  %any = icmp sgt i64 %n, 0
  br i1 %any, label %loop, label %done
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %sum = phi double [0.0, %entry], [%total, %loop]
  %px = getelementptr inbounds double, ptr %x, i64 %i
  %vx = load double, ptr %px
  %py = getelementptr inbounds double, ptr %y, i64 %i
  %vy = load double, ptr %py
  {body}
  %next = add nuw nsw i64 %i, 1
  %end = icmp eq i64 %next, %n
  br i1 %end, label %done, label %loop
done:
  %out = phi double [0.0, %entry], [%total, %loop]
  ret {value}
}}
"""
SAXPY = LOOP.format(
    name="saxpy",
    result="void",
    value="void",
    body="""%product = fmul contract double %vx, %a
  %total = fadd contract double %product, %vy
  store double %total, ptr %py""",
)
DOT = LOOP.format(
    name="dot",
    result="double",
    value="double %out",
    body="""%product = fmul contract double %vx, %vy
  %total = fadd reassoc contract double %product, %sum""",
)
SUM = LOOP.format(
    name="sum",
    result="double",
    value="double %out",
    body="%total = fadd reassoc double %vx, %sum",
)
KERNELS = f"{SAXPY}{DOT}{WIDE}\n"

SCALAR = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
KERNEL = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_double)

# It has constants, a table, a variable of its own and calls out of the program.
MIXED = """
declare double @{outside}(double)
declare double @sin(double)
@table = private constant [4 x double] [double 1.0, double 2.0, double 3.5, double 4.25]
@calls = internal global i64 0
define double @mixed(double %x) {{
  %outer = call double @{outside}(double %x)
  %i = fptosi double %x to i64
  %at = getelementptr [4 x double], ptr @table, i64 0, i64 %i
  %entry = load double, ptr %at
  %s = call double @sin(double %entry)
  %before = load i64, ptr @calls
  %after = add i64 %before, 1
  store i64 %after, ptr @calls
  %count = sitofp i64 %after to double
  %a = fadd double %outer, %s
  %b = fadd double %a, %count
  %c = fadd double %b, 0.3125
  ret double %c
}}
"""


def expected(outer: float, x: float, calls: int) -> float:
    return outer + np.sin([1.0, 2.0, 3.5, 4.25][int(x)]) + calls + 0.3125


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 1000])
def test_kernels_compute(level: int, n: int) -> None:
    code = llvm.compile_ir(KERNELS, ["saxpy", "dot"], level=level)
    x, y = np.arange(n) / 8, np.arange(n)[::-1] / 4
    z = y.copy()
    assert KERNEL(code.address("dot"))(x.ctypes.data, y.ctypes.data, n, 0.0) == x @ y  # exact: these are dyadic
    KERNEL(code.address("saxpy"))(x.ctypes.data, z.ctypes.data, n, 2.0)
    np.testing.assert_array_equal(z, y + 2 * x)


def test_loops_are_vectorised_as_wide_as_they_ask() -> None:
    features = llvm.target().features
    if "+avx512f" in features:
        register = "zmm"
    elif "+avx2" in features:
        register = "ymm"
    else:
        pytest.skip("the registers of this processor have other names")
    for kernel, operation in ((SAXPY, "vfmadd"), (DOT, "vfmadd")):
        listing = llvm.assembly(f"{kernel}{WIDE}\n")
        wide = [line for line in listing.splitlines() if operation in line and register in line]
        assert len(wide) >= 2  # several accumulators, or several elements per round
        assert register in llvm.assembly(f"{kernel}{WIDE}\n", level=1)
        assert register not in llvm.assembly(f"{kernel}{WIDE}\n", level=0)
    narrow = llvm.assembly(f"{SAXPY}{WIDE.replace('512', '128')}\n")
    assert "zmm" not in narrow and "ymm" not in narrow
    assert re.search(r"<\d+ x double>", llvm.optimised(KERNELS))
    # A sum in the order written: only what is marked as reassociable may be.
    assert not re.search(f"vaddpd.*{register}", llvm.assembly(f"{SUM}{WIDE}\n".replace("reassoc ", "")))
    assert re.search(f"vaddpd.*{register}", llvm.assembly(f"{SUM}{WIDE}\n"))


def test_seconds_say_where_the_time_went() -> None:
    code = llvm.compile_ir(KERNELS, ["dot"])
    assert set(code.seconds) == {"parse", "optimise", "codegen", "link"}
    assert all(seconds > 0 for seconds in code.seconds.values())
    assert llvm.load_object(code.object, ["dot"]).seconds["optimise"] == 0


def test_an_object_gives_the_same_functions_again() -> None:
    callback = SCALAR(lambda x: 10 * x)
    llvm.add_symbol("cv_test_outside", ctypes.cast(callback, ctypes.c_void_p).value)
    first = llvm.compile_ir(MIXED.format(outside="cv_test_outside"), ["mixed"])
    assert SCALAR(first.address("mixed"))(2.0) == pytest.approx(expected(20.0, 2.0, 1), rel=1e-15)
    assert SCALAR(first.address("mixed"))(2.0) == pytest.approx(expected(20.0, 2.0, 2), rel=1e-15)
    second = llvm.load_object(first.object, ["mixed"])
    assert second.address("mixed") != first.address("mixed")
    # Variables are the program's own: the second program has not been called yet.
    assert SCALAR(second.address("mixed"))(1.0) == pytest.approx(expected(10.0, 1.0, 1), rel=1e-15)


@pytest.mark.skipif("x86_64" not in llvm.target().triple, reason="writes the machine code of an x86-64 function")
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks the system for memory at a given place")
def test_what_is_called_may_lie_anywhere() -> None:
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    place = 0x1000_0000_0000  # 16 TiB, far below everything that the system places by itself
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    address = libc.mmap(place, 4096, everything, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    ctypes.memmove(address, b"\xf2\x0f\x58\xc0\xc3", 5)  # addsd xmm0, xmm0; ret
    llvm.add_symbol("cv_test_far", address)
    code = llvm.compile_ir(MIXED.format(outside="cv_test_far"), ["mixed"])
    assert abs(code.address("mixed") - address) > 2**31
    assert SCALAR(code.address("mixed"))(3.0) == pytest.approx(expected(6.0, 3.0, 1), rel=1e-15)


def test_what_cannot_be_compiled_is_an_error_that_names_it() -> None:
    with pytest.raises(RuntimeError, match=r"expected instruction opcode"):
        llvm.compile_ir("define void @f() {\n  nonsense\n}\n", ["f"])
    with pytest.raises(RuntimeError, match=r"dominate"):
        llvm.compile_ir("define i64 @f() {\n  %a = add i64 %b, 1\n  %b = add i64 1, 1\n  ret i64 %a\n}\n", ["f"])
    with pytest.raises(RuntimeError, match=r"refers to cv_test_nowhere, which nothing in this process defines"):
        llvm.compile_ir(MIXED.format(outside="cv_test_nowhere"), ["mixed"])
    with pytest.raises(RuntimeError, match=r"does not define absent"):
        llvm.compile_ir("define void @f() {\n  ret void\n}\n", ["f", "absent"])
    with pytest.raises(RuntimeError, match=r"cannot be linked"):
        llvm.load_object(b"not an object", ["f"])
    with pytest.raises(ValueError, match=r"zero"):
        llvm.add_symbol("cv_test_null", 0)
    # After all of that, the next one works.
    assert llvm.compile_ir("define void @f() {\n  ret void\n}\n", ["f"]).address("f")


def test_symbols_of_the_process_are_known() -> None:
    assert llvm.has_symbol("memcpy")
    assert llvm.has_symbol("pthread_create") is (os.name == "posix")
    assert not llvm.has_symbol("cv_test_never_defined")


def executable_mappings() -> int:
    return sum(" r-xp 00000000 00:00 0 " in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts mappings as Linux shows them")
def test_memory_goes_with_the_code() -> None:
    data = llvm.compile_ir(KERNELS, ["dot"]).object
    gc.collect()
    before = executable_mappings()
    codes = [llvm.load_object(data, ["dot"]) for _ in range(20)]
    held = executable_mappings()
    codes.clear()
    gc.collect()
    assert executable_mappings() <= before
    assert held > before


def test_many_threads_compile_at_once() -> None:
    results: dict[int, float] = {}

    def work(k: int) -> None:
        text = f"define double @f(double %x) {{\n  %y = fadd double %x, {float(k)}\n  ret double %y\n}}\n"
        code = llvm.compile_ir(text, ["f"])
        results[k] = SCALAR(code.address("f"))(1.0)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: k + 1.0 for k in range(16)}


def test_the_target_is_this_processor() -> None:
    here = llvm.target()
    assert here is llvm.target()
    assert here.features in here.version and here.cpu in here.version and "LLVM" in here.version
