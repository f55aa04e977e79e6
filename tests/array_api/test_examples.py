"""The examples in our own docstrings; most functions of the namespace carry NumPy's, which are not ours to test."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

import covector.numpy as cnp
from covector.numpy import polynomial, uniform


@pytest.mark.parametrize("documented", [cnp, polynomial, uniform.array_api], ids=["numpy", "polynomial", "array_api"])
def test_examples_run(documented: Any) -> None:
    (examples,) = doctest.DocTestFinder(recurse=False).find(documented, documented.__name__, module=False, globs={})
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(examples)
    assert runner.tries > 0
    assert runner.failures == 0
