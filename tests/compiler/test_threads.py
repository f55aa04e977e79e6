"""The pool of native threads."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from covector.compiler.native import llvm, pool, threads

I = ctypes.c_int64
BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, I, I)
FOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, I, I, I)
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# Adds i to element i, and the number of the chunk to the element after n; `nested` does that through the pool again.
TEXT = """
declare void @cv_parallel_for(ptr, ptr, i64, i64, i64)
define void @add(ptr %ctx, i64 %lo, i64 %hi) {
entry:
  br label %loop
loop:
  %i = phi i64 [%lo, %entry], [%next, %loop]
  %p = getelementptr i64, ptr %ctx, i64 %i
  %v = load i64, ptr %p
  %w = add i64 %v, %i
  store i64 %w, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}
define void @nested(ptr %ctx, i64 %lo, i64 %hi) {
entry:
  br label %loop
loop:
  %i = phi i64 [%lo, %entry], [%next, %loop]
  %start = mul i64 %i, 100
  %p = getelementptr i64, ptr %ctx, i64 %start
  call void @cv_parallel_for(ptr @add, ptr %p, i64 100, i64 7, i64 4)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}
define void @twice(ptr %ctx, i64 %n, i64 %chunk, i64 %threads, i64 %times) {
entry:
  br label %loop
loop:
  %k = phi i64 [0, %entry], [%next, %loop]
  call void @cv_parallel_for(ptr @add, ptr %ctx, i64 %n, i64 %chunk, i64 %threads)
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %times
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


class Native:
    """Loops over the pool, compiled on first use."""

    def __init__(self) -> None:
        self.parallel_for = FOR(threads.install())
        self.code = llvm.compile_ir(TEXT, ["add", "nested", "twice"])
        self.add = self.code.address("add")
        self.nested = self.code.address("nested")
        self.twice = ctypes.CFUNCTYPE(None, ctypes.c_void_p, I, I, I, I)(self.code.address("twice"))


@pytest.fixture(scope="module")
def native() -> Native:
    return Native()


def seen(native: Native, n: int, chunk: int, count: int, pause: float = 0.0) -> tuple[list[tuple[int, int]], set[int]]:
    """Return the ranges that a Python body is called with, in order, and the threads that called it."""
    ranges, idents = [], set()

    def body(ctx: int, lo: int, hi: int) -> None:
        ranges.append((lo, hi))
        idents.add(threading.get_ident())
        if pause:
            time.sleep(pause)

    callback = BODY(body)
    native.parallel_for(ctypes.cast(callback, ctypes.c_void_p), None, n, chunk, count)
    return sorted(ranges), idents


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 3, 8])
@pytest.mark.parametrize(
    ("n", "chunk"), [(0, 1), (-3, 2), (1, 1), (1, 5), (10, 3), (10, 10), (10, 11), (9, 3), (5, 0), (5, -1), (100, 1)]
)
def test_every_chunk_once(native: Native, n: int, chunk: int, count: int) -> None:
    size = chunk if chunk > 0 else max(n, 1)
    ranges, _ = seen(native, n, chunk, count)
    assert ranges == [(lo, min(lo + size, n)) for lo in range(0, n, size)]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_exactly_as_many_threads_as_asked_for(native: Native, count: int) -> None:
    _, idents = seen(native, 40, 1, count, pause=0.005)  # long enough for everybody to arrive
    assert len(idents) == count
    assert threading.get_ident() in idents


def test_fewer_threads_after_more(native: Native) -> None:
    seen(native, 40, 1, 6, pause=0.001)
    assert threads.workers() >= 5
    _, idents = seen(native, 40, 1, 2, pause=0.005)
    assert len(idents) == 2


def test_no_more_threads_than_chunks(native: Native) -> None:
    program = """
import ctypes
from covector.compiler.native import threads
address = threads.install()
assert threads.workers() == 0  # they start when there is something to do
I = ctypes.c_int64
body = ctypes.CFUNCTYPE(None, ctypes.c_void_p, I, I)(lambda ctx, lo, hi: None)
run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, I, I, I)(address)
run(ctypes.cast(body, ctypes.c_void_p), None, 10, 10, 8)
run(ctypes.cast(body, ctypes.c_void_p), None, 10, 1, 1)
assert threads.workers() == 0
run(ctypes.cast(body, ctypes.c_void_p), None, 10, 4, 8)
assert threads.workers() == 2
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_many_short_loops(native: Native) -> None:
    for count in (2, 3, 4):
        for n, chunk in ((2, 1), (17, 2), (1000, 50)):
            values = np.zeros(n, np.int64)
            native.twice(values.ctypes.data, n, chunk, count, 3000)
            np.testing.assert_array_equal(values, 3000 * np.arange(n))


def test_loops_after_pauses(native: Native) -> None:
    values = np.zeros(64, np.int64)
    for k in range(60):
        native.parallel_for(native.add, values.ctypes.data, 64, 1, 3)
        time.sleep([0, 2e-5, 7e-5, 1e-4, 1e-3][k % 5])  # workers are awake, about to sleep, asleep
    np.testing.assert_array_equal(values, 60 * np.arange(64))


def test_a_loop_in_a_loop_runs_alone(native: Native) -> None:
    values = np.zeros((50, 100), np.int64)
    native.parallel_for(native.nested, values.ctypes.data, 50, 3, 4)
    np.testing.assert_array_equal(values, np.broadcast_to(np.arange(100), (50, 100)))


def test_many_python_threads_at_once(native: Native) -> None:
    results = [np.zeros(500, np.int64) for _ in range(16)]
    start = threading.Barrier(16)

    def work(k: int) -> None:
        start.wait()
        for _ in range(20):
            native.twice(results[k].ctypes.data, 500, 11, 1 + k % 5, 10)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result in results:
        np.testing.assert_array_equal(result, 200 * np.arange(500))


def test_a_worker_that_finishes_last_wakes_the_caller(native: Native) -> None:
    caller = threading.get_ident()
    done = []

    def body(ctx: int, lo: int, hi: int) -> None:
        time.sleep(0.001 if threading.get_ident() == caller else 0.05)
        done.append(lo)

    callback = BODY(body)
    for _ in range(3):
        done.clear()
        native.parallel_for(ctypes.cast(callback, ctypes.c_void_p), None, 4, 1, 3)
        assert sorted(done) == [0, 1, 2, 3]


def test_idle_workers_cost_nothing(native: Native) -> None:
    values = np.zeros(64, np.int64)
    native.parallel_for(native.add, values.ctypes.data, 64, 1, 4)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.4)
    assert time.process_time() - before < 0.1  # one spinning worker alone would take 0.4


def run_loop(_: int) -> bool:
    values = np.zeros(300, np.int64)
    native = Native()
    native.twice(values.ctypes.data, 300, 7, 3, 50)
    return bool((values == 50 * np.arange(300)).all()) and threads.workers() == 2


@forking
def test_a_child_makes_its_own_workers(native: Native) -> None:
    seen(native, 40, 1, 4, pause=0.001)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork where threads run
        with multiprocessing.get_context("fork").Pool(3) as processes:
            assert processes.map(run_loop, range(6), chunksize=1) == [True] * 6
    ranges, _ = seen(native, 10, 1, 4)  # and the parent keeps its own
    assert len(ranges) == 10


@forking
def test_forks_while_other_threads_run_loops(native: Native) -> None:
    stop = threading.Event()

    def busy() -> None:
        values = np.zeros(5000, np.int64)
        while not stop.is_set():
            native.twice(values.ctypes.data, 5000, 100, 3, 20)

    worker = threading.Thread(target=busy)
    worker.start()
    try:
        for _ in range(10):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                values = np.zeros(300, np.int64)
                native.twice(values.ctypes.data, 300, 7, 3, 20)
                os._exit(0 if (values == 20 * np.arange(300)).all() else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        worker.join()


def test_processes_end_cleanly() -> None:
    program = f"""
import ctypes, threading
import numpy as np
from covector.compiler.native import llvm, threads
threads.install()
code = llvm.compile_ir({TEXT!r}, ["twice"])
I = ctypes.c_int64
twice = ctypes.CFUNCTYPE(None, ctypes.c_void_p, I, I, I, I)(code.address("twice"))
values = np.zeros(10000, np.int64)
def forever():
    while True:
        twice(values.ctypes.data, 10000, 10, 4, 1000)
threading.Thread(target=forever, daemon=True).start()
twice(np.zeros(100, np.int64).ctypes.data, 100, 1, 4, 5)
print("end")
"""
    for _ in range(5):
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert (run.returncode, run.stdout, run.stderr) == (0, "end\n", "")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_signals_go_to_python_threads(native: Native) -> None:
    seen(native, 40, 1, 4, pause=0.001)
    status = Path("/proc/self/task")
    if not status.exists():
        pytest.skip("looks at threads as Linux shows them")
    python = {str(thread.native_id) for thread in threading.enumerate()}
    interrupt = 1 << (signal.SIGINT - 1)
    segfault = 1 << (signal.SIGSEGV - 1)
    blocked = []
    for task in status.iterdir():
        if task.name not in python:
            line = next(line for line in (task / "status").read_text().splitlines() if line.startswith("SigBlk"))
            blocked.append(int(line.split()[1], 16))
    assert sum(bool(mask & interrupt) and not mask & segfault for mask in blocked) >= threads.workers()
    # A shell that starts the tests in the background has them ignore this signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen(native, 10, 1, 4)[0]) == 10


@pytest.mark.parametrize("text", [pool.serial(), pool.pool("riscv64-unknown-linux-gnu")])
def test_systems_without_threads_and_other_processors(text: str) -> None:
    names = ["cv_parallel_for", "cv_pool_reset", "cv_pool_rest", "cv_pool_patience", "cv_pool_workers"]
    code = llvm.compile_ir(text, names)
    ctypes.CFUNCTYPE(None)(code.address("cv_pool_reset"))()
    ranges = []
    callback = BODY(lambda ctx, lo, hi: ranges.append((lo, hi)))
    FOR(code.address("cv_parallel_for"))(ctypes.cast(callback, ctypes.c_void_p), None, 10, 4, 1)
    assert ranges == [(0, 4), (4, 8), (8, 10)]
