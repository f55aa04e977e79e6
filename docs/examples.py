"""Run the Python examples of a Markdown page: the site's build and the tests both call `failures`."""

from __future__ import annotations

import doctest
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield (first line counted from 0, source) of every fenced block marked ``python``."""
    for match in FENCE.finditer(text):
        if match[1] == "python":
            yield text.count("\n", 0, match.start(2)), match[2]


def failures(path: Path) -> list[str]:
    """Run all examples of the page in one namespace and describe those that fail.

    Blocks with prompts are compared with the output they show; blocks without must run.
    """
    reports: list[str] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    parser = doctest.DocTestParser()
    for line, source in blocks(path.read_text(encoding="utf-8")):
        if ">>> " in source:
            # The parser takes a copy of the namespace; sharing it is what makes a page one session. The name is unique,
            # because tracebacks look up the lines of an earlier block's functions by it.
            test = parser.get_doctest(source, {}, f"{path.name}:{line}", str(path), line)
            test.globs = namespace
            runner.run(test, out=reports.append, clear_globs=False)
        else:
            try:
                exec(compile("\n" * line + source, str(path), "exec"), namespace)
            except Exception:
                reports.append(traceback.format_exc())
    return reports
