"""Options of the test run, and a place of its own for the code that it compiles."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

_made = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="compose transforms on every sample of every primitive, not on a seeded choice (as COVECTOR_FULL=1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Cases are chosen while test modules are imported, where no option is known yet.
    if config.getoption("--full"):
        os.environ["COVECTOR_FULL"] = "1"
    # No test reads or fills the user's cache. Workers of a parallel run share the directory of the process that
    # started them.
    if not hasattr(config, "workerinput"):
        config.stash[_made] = os.environ["COVECTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="covector-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    made = config.stash.get(_made, None)
    if made is not None:
        shutil.rmtree(made, ignore_errors=True)
