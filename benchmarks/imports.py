"""Time of ``import covector`` against ``import numpy`` and ``import optree``, each in fresh processes."""

from __future__ import annotations

import importlib.util
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

LIMIT = 1.5
# libraries that must wait for their first use
_LATE = ("scipy", "llvmlite", "matplotlib", "unittest", "numpy.testing")
_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|(\s+)(\S+)")


@dataclass(frozen=True)
class Import:
    """One module of a ``-X importtime`` report; times in microseconds."""

    module: str
    own: int
    cumulative: int
    depth: int


def import_times(program: str) -> list[Import]:
    """The imports of `program`, run in a fresh interpreter.

    Parameters
    ----------
    program
        Python source for ``python -c``.

    Returns
    -------
    list
        In the order of completion, as ``python -X importtime`` reports them.

    Raises
    ------
    RuntimeError
        If the program fails.
    """
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", program], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"`python -c {program!r}` failed:\n{done.stderr.strip().splitlines()[-1]}")
    found = (_LINE.match(line) for line in done.stderr.splitlines())
    return [Import(m[4], int(m[1]), int(m[2]), len(m[3]) // 2) for m in found if m]


def total(imports: list[Import], *modules: str) -> int:
    """Microseconds spent on the top-level imports of `modules`, with everything they load."""
    return sum(entry.cumulative for entry in imports if entry.depth == 0 and entry.module in modules)


def _package(module: str) -> str:
    return module.partition(".")[0]


def own_modules(runs: list[list[Import]], baseline: set[str]) -> list[tuple[float, str]]:
    """What covector loads beyond the baseline: median of each module's own time, the slowest first."""
    times: dict[str, list[int]] = {}
    for run in runs:
        for entry in run:
            if entry.module not in baseline:
                times.setdefault(entry.module, []).append(entry.own)
    return sorted(((statistics.median(own), module) for module, own in times.items()), reverse=True)


def main(processes: int) -> int:
    """Measure and print.

    Parameters
    ----------
    processes
        Fresh processes for either side, alternating.

    Returns
    -------
    int
        Exit status: 1 if covector cannot be imported.
    """
    if importlib.util.find_spec("covector") is None:
        print("covector: not installed", file=sys.stderr)
        return 1
    programs = {"numpy + optree": "import numpy; import optree", "covector": "import covector"}
    for program in programs.values():
        import_times(program)  # writes the byte code
    runs: dict[str, list[list[Import]]] = {name: [] for name in programs}
    for _ in range(processes):
        for name, program in programs.items():
            runs[name].append(import_times(program))
    ours = [total(run, "covector") for run in runs["covector"]]
    theirs = [total(run, "numpy", "optree") for run in runs["numpy + optree"]]
    ratio = statistics.median(mine / base for mine, base in zip(ours, theirs, strict=True))
    print(f"medians of {processes} fresh processes, python -X importtime")
    print(f"  import numpy; import optree  {statistics.median(theirs) / 1000:8.1f} ms")
    print(f"  import covector              {statistics.median(ours) / 1000:8.1f} ms   {ratio:.2f}x")
    baseline = {entry.module for run in runs["numpy + optree"] for entry in run}
    extra = own_modules(runs["covector"], baseline)
    own_total = sum(own for own, _ in extra) / 1000
    print(f"\n{len(extra)} modules beyond NumPy's and optree's, {own_total:.1f} ms; the slowest:")
    print(*(f"  {own / 1000:8.2f} ms  {module}" for own, module in extra[:15]), sep="\n")
    loaded = {entry.module for run in runs["covector"] for entry in run} - baseline
    early = sorted(name for name in _LATE if name in loaded)
    print(f"\nloaded too early: {', '.join(early) or 'nothing'}")
    print(f"{'yes' if ratio <= LIMIT else 'no'}  at most {LIMIT}x numpy + optree: {ratio:.2f}x")
    return 0
