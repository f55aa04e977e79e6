"""``python -m benchmarks``: the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .compiled.options import add_options
from .loops.options import add_loop_options
from .threads import limit_threads

# The commands import their modules late: threads must be limited before NumPy loads.


def _eager(options: argparse.Namespace) -> int:
    limit_threads(options.threads)
    from . import report
    from .eager import Disagreement, measure
    from .peers import load_peers
    from .workloads import all_workloads

    workloads = [workload for workload in all_workloads() if options.only in workload.name]
    if not workloads:
        names = ", ".join(dict.fromkeys(workload.name for workload in all_workloads()))
        print(f"error: --only {options.only!r} is in no workload's name; there are: {names}", file=sys.stderr)
        return 2
    peers, missing = load_peers(options.threads)
    facts = report.environment(peers, missing, options.threads)
    print(*report.environment_lines(facts), "", sep="\n")
    names = report.columns(peers)
    rounds, seconds = (7, 0.004) if options.quick else (options.rounds, 0.01)
    print(report.header(names), flush=True)
    rows = []
    for workload in workloads:
        try:
            rows.append(measure(workload, peers, rounds=rounds, seconds=seconds))
        except Disagreement as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(report.line(rows[-1], names), flush=True)
    print(f"\nMedians of {rounds} interleaved rounds; 'x': the time as a multiple of covector's, paired by round.")
    busy = {name: report.busy_cores(rows, name) for name in names}
    print("Cores kept busy: " + ", ".join(f"{name} {value:.2f}" for name, value in busy.items() if value is not None))
    print(*report.notes(rows, names), sep="\n")
    print("\nTargets", *report.verdicts(rows), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(report.data(rows, facts), indent=1), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(report.markdown(rows, names, facts), encoding="utf-8")
    return 1 if any(row.failures for row in rows) else 0


def _accuracy(options: argparse.Namespace) -> int:
    limit_threads(1)
    from .accuracy import main

    return main(options.only, options.points, options.markdown)


def _compiled_accuracy(options: argparse.Namespace) -> int:
    limit_threads(1)
    from .compiled_accuracy import main

    return main(options.only, options.points, options.markdown)


def _compiled(options: argparse.Namespace) -> int:
    limit_threads(1)  # for this process, which only waits: those that measure have their own numbers
    from .compiled.command import main

    return main(options)


def _loops(options: argparse.Namespace) -> int:
    limit_threads(1)  # for this process, which only waits
    from .loops.command import main

    return main(options)


def _coverage(options: argparse.Namespace) -> int:
    limit_threads(1)
    from .coverage import main

    return main()


def _imports(options: argparse.Namespace) -> int:
    from .imports import main

    return main(options.processes)


def _memory(options: argparse.Namespace) -> int:
    limit_threads(1)
    from .memory import main

    return main(options.calls, options.seed)


def _in_place(options: argparse.Namespace) -> int:
    limit_threads(1)
    from .in_place import main

    return main(options.rounds, options.largest)


def _profile(options: argparse.Namespace) -> int:
    limit_threads(1)
    from .profile import main

    return main(options.only, options.lines)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmarks of covector.")
    commands = top.add_subparsers(dest="command", required=True)

    eager = commands.add_parser("eager", help="derivatives against torch.func, autograd, JAX without jit, and by hand")
    eager.add_argument("--threads", type=_positive, default=1, help="threads for every library (default: 1)")
    eager.add_argument("--rounds", type=_positive, default=31, help="interleaved rounds (default: 31)")
    eager.add_argument("--quick", action="store_true", help="fewer and shorter rounds: rough figures in seconds")
    eager.add_argument("--only", metavar="TEXT", default="", help="only the workloads with TEXT in their name")
    eager.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    eager.add_argument("--markdown", type=Path, metavar="FILE", help="write the table for the documentation")
    eager.set_defaults(run=_eager)

    accuracy = commands.add_parser("accuracy", help="first derivatives of all ufuncs against mpmath, in ulp")
    accuracy.add_argument("--only", metavar="TEXT", default="", help="only the functions with TEXT in their name")
    accuracy.add_argument("--points", type=_positive, default=30, help="points per argument (default: 30)")
    accuracy.add_argument("--markdown", type=Path, metavar="FILE", help="write the table for the documentation")
    accuracy.set_defaults(run=_accuracy)

    functions = commands.add_parser(
        "compiled-accuracy", help="scalar functions of compiled programs against mpmath, NumPy and SciPy"
    )
    functions.add_argument("--only", metavar="TEXT", default="", help="only the functions with TEXT in their name")
    functions.add_argument("--points", type=_positive, default=200, help="points per region (default: 200)")
    functions.add_argument("--markdown", type=Path, metavar="FILE", help="write the table for the documentation")
    functions.set_defaults(run=_compiled_accuracy)

    compiled = commands.add_parser("compiled", help="`jit` against jax.jit, torch, autograd, and C written by hand")
    add_options(compiled)
    compiled.set_defaults(run=_compiled)

    loops = commands.add_parser("loops", help="scan, while_loop, fori_loop and cond against jax.lax, torch, and C")
    add_loop_options(loops)
    loops.set_defaults(run=_loops)

    coverage = commands.add_parser(
        "coverage", help="what autograd, JAX and PyTorch differentiate and covector does not"
    )
    coverage.set_defaults(run=_coverage)

    imports = commands.add_parser("imports", help="time of `import covector` against NumPy and optree")
    imports.add_argument("--processes", type=_positive, default=15, help="fresh processes each (default: 15)")
    imports.set_defaults(run=_imports)

    memory = commands.add_parser("memory", help="resident memory over many random calls of nested transforms")
    memory.add_argument("--calls", type=_positive, default=200_000, help="number of calls (default: 200,000)")
    memory.add_argument("--seed", type=int, default=0, help="seed of the random programs (default: 0)")
    memory.set_defaults(run=_memory)

    in_place = commands.add_parser(
        "in-place", help="derivatives of code that fills arrays, against autograd with lists"
    )
    in_place.add_argument("--rounds", type=_positive, default=15, help="interleaved rounds (default: 15)")
    in_place.add_argument("--largest", type=_positive, default=100_000, help="most steps of a loop (default: 100,000)")
    in_place.set_defaults(run=_in_place)

    profile = commands.add_parser("profile", help="Python frames per operation and where the time goes")
    profile.add_argument("--only", metavar="TEXT", default="", help="only the cases with TEXT in their name")
    profile.add_argument("--lines", type=_positive, default=12, help="functions listed per case (default: 12)")
    profile.set_defaults(run=_profile)
    return top


def main() -> int:
    """Run the command line."""
    options = parser().parse_args()
    result: int = options.run(options)
    return result


if __name__ == "__main__":
    sys.exit(main())
