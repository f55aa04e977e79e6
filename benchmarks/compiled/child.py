"""What runs in a process of its own: ``python -m benchmarks.compiled.child '{"task": …}'``.

The request is one JSON object, the answer the last line of the output. The parent has set the environment.
"""

from __future__ import annotations

import time

_STARTED = time.perf_counter()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

SEED = 2024
MOST_ROUNDS = 31
FEWEST_ROUNDS = 3
COMPARED = ("jax", "c", "covector-stored")  # of whose times everybody's are multiples


def pin(threads: int) -> None:
    """Keep the process on as many processors as it may use threads."""
    if hasattr(os, "sched_setaffinity"):
        # the last ones: the system's own interrupts prefer the first
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def find(request: dict[str, Any]) -> Any:
    """The case that a request names."""
    for case in family(request):
        if case.size == request["size"]:
            return case
    raise ValueError(f"{request['family']} has no size {request['size']}")


def family(request: dict[str, Any]) -> Any:
    """The cases of the family that a request names, smallest first."""
    import importlib

    return importlib.import_module(f"benchmarks.{request['suite']}.families").cases(request["family"])


def arguments(case: Any) -> tuple[Any, ...]:
    """The inputs of a case, the same in every process."""
    import numpy as np

    inputs: tuple[Any, ...] = case.inputs(np.random.default_rng(SEED))
    return inputs


ROUND_SECONDS = 0.01


def _rounds(calls: dict[str, Any], budget: float, most: int) -> int:
    """How many rounds of everybody fit the budget."""
    total = 0.0
    for call in calls.values():
        start = time.perf_counter()
        call()
        total += max(time.perf_counter() - start, ROUND_SECONDS)
    return max(FEWEST_ROUNDS, min(most, int(budget / total)))


def _words(error: Exception) -> str:
    """The error, and where it was raised."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}".strip()[:2000] + place


def compare(request: dict[str, Any]) -> dict[str, Any]:
    """Check all contestants against each other and time them, interleaved."""
    from ..timing import interleave
    from .check import difference
    from .contestants import CONTESTANTS

    case, threads = find(request), request["threads"]
    inputs = arguments(case)
    calls: dict[str, Any] = {}
    failures: dict[str, str] = {}
    results: dict[str, Any] = {}
    for name in request["contestants"]:
        contestant = CONTESTANTS[name](threads)
        try:
            contestant.load()
            call = contestant.prepare(case, inputs)
            results[name] = [leaf.copy() for leaf in contestant.numpy(call())]
        except Exception as error:  # one library's error must not hide the figures of the others
            failures[name] = _words(error)
            continue
        calls[name] = call
    preferred = [name for name in ("jax", "c", "c-fast", "autograd", "torch") if name in results]
    reference = next(iter([*preferred, *results]), None)
    for name in list(results):
        wrong = difference(results[name], results[str(reference)], case.tolerance)
        if wrong is not None:
            failures[name] = f"wrong result, compared with {reference}: {wrong}"
            del calls[name]
    results.clear()
    if not request.get("time", True) or not calls:
        return {"failures": failures, "reference": reference, "right": list(calls), "timings": {}}
    rounds = _rounds(calls, request["budget"], request["rounds"])
    timings = interleave(calls, rounds=rounds, seconds=ROUND_SECONDS)
    return {
        "failures": failures,
        "reference": reference,
        "right": list(calls),
        "rounds": rounds,
        "timings": {
            name: {
                "median": timing.median,
                "quartiles": list(timing.quartiles),
                "busy_cores": timing.busy_cores,
                **({"to_covector": timing.ratio_to(timings["covector"])} if "covector" in timings else {}),
                **{f"to_{peer}": timing.ratio_to(timings[peer]) for peer in COMPARED if peer in timings},
            }
            for name, timing in timings.items()
        },
    }


def first(request: dict[str, Any]) -> dict[str, Any]:
    """The first call of one contestant in this fresh process, and how long the process took to get there."""
    from .contestants import CONTESTANTS

    (name,) = request["contestants"]
    contestant = CONTESTANTS[name](request["threads"])
    case = find(request)
    inputs = arguments(case)
    start = time.perf_counter()
    contestant.load()
    loaded = time.perf_counter()
    call = contestant.prepare(case, inputs)
    call()
    done = time.perf_counter()
    # The parent's clock stops when this line arrives.
    print("first result", flush=True)
    call()
    second = time.perf_counter()
    answer = {
        "loading": loaded - start,
        "first_call": done - loaded,
        "second_call": second - done,
        "inside": done - _STARTED,
        "peak_bytes": _peak(),
    }
    report = getattr(getattr(contestant, "function", None), "compile_report", None)
    if report is not None:
        answer["compile_report"] = str(report())
    return answer


def _peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {field}")


def _trim() -> None:
    """Give memory that is free, but kept by the C library, back to the system."""
    import ctypes
    import gc

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def memory(request: dict[str, Any]) -> dict[str, Any]:
    """How much memory inputs, outputs and everything between take while one call runs.

    The library is loaded and warmed up on the smallest case of the family before counting begins, and the call that is
    watched is the third: what counts is what a program in steady state occupies, with all pools.
    """
    from .contestants import CONTESTANTS, leaves

    (name,) = request["contestants"]
    contestant = CONTESTANTS[name](request["threads"])
    contestant.load()
    warm = family(request)[0]
    contestant.prepare(warm, arguments(warm))()
    case = find(request)
    _trim()
    before = _status("VmRSS")
    inputs = arguments(case)
    taken = sum(leaf.nbytes for leaf in leaves(inputs))
    call = contestant.prepare(case, inputs)
    del inputs
    given = sum(leaf.nbytes for leaf in contestant.numpy(call()))
    call()
    _trim()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak so far
    result = call()
    peak = _status("VmHWM")
    del result
    return {"bytes": peak - before, "arrays": taken + given, "peak_bytes": _peak()}


TASKS = {"compare": compare, "first": first, "memory": memory}


def main() -> None:
    """Answer the request on the command line."""
    request = json.loads(sys.argv[1])
    pin(request["threads"])
    print(json.dumps(TASKS[request["task"]](request)))


if __name__ == "__main__":
    main()
