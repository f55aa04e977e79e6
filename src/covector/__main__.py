"""The command line: ``python -m covector COMMAND``.

A command is one function in `COMMANDS`. It adds its own parser and says, by `run`, what to do with the arguments.
What a command needs is imported when it runs, so that ``--help`` stays immediate.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

Parsers = Any  # what add_subparsers returns; argparse gives it no public name


class Parser(argparse.ArgumentParser):
    """A parser whose complaint about an unknown command says what was probably meant."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.dest == "command" and action.choices is not None and value not in action.choices:
            close = get_close_matches(value, action.choices, n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            self.error(f"there is no command {value!r}.{meant} The commands are: {', '.join(action.choices)}.")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where help is, and leave with status 2."""
        self.exit(2, f"{self.prog}: {message}\nTry `{self.prog} --help`.\n")


def demo(parsers: Parsers) -> None:
    """Fit real models with exact derivatives and compare with certified answers."""
    parser = parsers.add_parser(
        "demo",
        help="fit real models with exact derivatives and compare with certified answers",
        description="Fits four models of the NIST StRD archive with scipy.optimize.least_squares and Jacobians from "
        "covector, compares with the certified values and with finite differences, then shows a Hessian-vector "
        "product and a batched Jacobian. Exit status 1 if a result is less exact than it must be.",
    )
    parser.add_argument("--plot", metavar="FILE", type=Path, help="save the fits as a picture (needs matplotlib)")

    def run(arguments: argparse.Namespace) -> int:
        from .demo import PlotError, run_demo

        try:
            status: int = run_demo(arguments.plot, lambda text: print(text, flush=True))
        except PlotError as reason:
            parser.error(str(reason))
        return status

    parser.set_defaults(run=run)


def coverage(parsers: Parsers) -> None:
    """Say of every function of NumPy and scipy.special whether it is differentiable."""
    parser = parsers.add_parser(
        "coverage",
        help="say of every function of NumPy and scipy.special whether it is differentiable",
        description="Lists the public functions of NumPy, the methods of arrays and the ufuncs of scipy.special, each "
        "differentiable (by jvp, vjp, vmap), without derivative by nature, or refused with what works instead. "
        "Exit status 1 if one of them is unknown.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--missing", action="store_true", help="only what is refused or unknown")

    def run(arguments: argparse.Namespace) -> int:
        from .coverage import REFUSED, UNKNOWN, as_json, as_text, summary, table

        rows = table()
        shown = [r for r in rows if r.verdict in (REFUSED, UNKNOWN)] if arguments.missing else rows
        print(as_json(shown) if arguments.json else as_text(shown, summary(rows)))
        return int(any(r.verdict == UNKNOWN for r in rows))

    parser.set_defaults(run=run)


def cache(parsers: Parsers) -> None:
    """Show or empty the place where compiled code is kept."""
    parser = parsers.add_parser(
        "cache",
        help="show or empty the place where compiled code is kept",
        description="Compiled code is kept on disk for the next process. COVECTOR_CACHE_DIR names another directory, "
        "COVECTOR_CACHE=0 switches this off. Exit status 1 if there is something to clear that is not safe to touch.",
    )
    parser.add_argument("action", choices=("info", "clear"), help="say where it is and what it holds, or remove that")

    def run(arguments: argparse.Namespace) -> int:
        from .compiler.disk.cache import Cache

        store = Cache()
        if arguments.action == "info":
            print(store.report())
            return 0
        try:
            print(f"Removed {store.clear()} entries.")
        except OSError as reason:
            print(f"Nothing was removed. {reason}", file=sys.stderr)
            return 1
        return 0

    parser.set_defaults(run=run)


COMMANDS: tuple[Callable[[Parsers], None], ...] = (demo, coverage, cache)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; without a command, show the help."""
    parser = Parser(prog="python -m covector", description="Derivatives of plain NumPy code.")
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for add in COMMANDS:
        add(parsers)
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        status: int = chosen.run(chosen)
    except BrokenPipeError:
        # The reader of a pipe has gone, as in `| head`; the rest must not go to the closed pipe at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
