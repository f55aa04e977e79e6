"""Options of the test run."""

from __future__ import annotations

import os

import pytest


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
