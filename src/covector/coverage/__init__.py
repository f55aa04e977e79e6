"""What is differentiable: one table of all of NumPy and scipy.special, read from the registries and from sample calls.

The table is behind ``python -m covector coverage`` and the page of the documentation. Nothing in it is a verdict that
somebody typed: a rule is found in the registries of `covector.core`, and what is only registered as a function, or is
ordinary Python that NumPy lets traced values through, is called on a sample under each transform.
"""

from .catalog import SECTIONS, Entry, entries
from .report import as_json, as_markdown, as_text, summary
from .table import CONSTANT, DIFFERENTIABLE, REFUSED, UNKNOWN, Row, row, table

__all__ = [
    "CONSTANT",
    "DIFFERENTIABLE",
    "REFUSED",
    "SECTIONS",
    "UNKNOWN",
    "Entry",
    "Row",
    "as_json",
    "as_markdown",
    "as_text",
    "entries",
    "row",
    "summary",
    "table",
]
