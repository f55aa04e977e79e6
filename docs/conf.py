"""Sphinx configuration. Building the site runs the examples of its pages; one that fails is a warning."""

import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import examples  # noqa: E402
import generate_coverage  # noqa: E402

project = "covector"
author = "covector developers"
copyright = "2026, covector developers"
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "literal"
html_theme = "furo"
html_title = f"covector {release}"
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Shapes", "Cost"]
myst_heading_anchors = 3


def run_examples(app: Sphinx, docname: str, source: list[str]) -> None:
    """Run the examples of a page as Sphinx reads it."""
    path = Path(app.env.doc2path(docname))
    for report in examples.failures(path):
        logging.getLogger(__name__).warning("an example fails:\n%s", report, location=docname)


def setup(app: Sphinx) -> None:
    """Write the coverage page, and run every page's examples."""
    (HERE / "coverage.md").write_text(generate_coverage.render(), encoding="utf-8")
    app.connect("source-read", run_examples)
