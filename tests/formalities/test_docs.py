"""The documentation holds: every public name explains itself, every example runs, every link leads somewhere."""

import doctest
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import covector

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
UNDERLINED = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)


def page_examples() -> ModuleType:
    """Load ``docs/examples.py``, which is not part of any package."""
    spec = importlib.util.spec_from_file_location("page_examples", ROOT / "docs" / "examples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXAMPLES = page_examples()


def public_objects() -> Iterator[tuple[str, Any]]:
    """Yield every public name with its object: the package's, then those that only its public modules have."""
    own = {name: getattr(covector, name) for name in covector.__all__}
    yield from own.items()
    for name, module in own.items():
        if inspect.ismodule(module):
            inner = {f"{name}.{part}": getattr(module, part) for part in module.__all__}
            yield from ((full, value) for full, value in inner.items() if not any(value is x for x in own.values()))


PUBLIC = dict(public_objects())
FUNCTIONS = {
    name: value
    for name, value in PUBLIC.items()
    if callable(value) and not (inspect.isclass(value) and issubclass(value, BaseException))
}


def sections(docstring: str) -> set[str]:
    """Return the titles of the underlined sections of a numpydoc docstring."""
    return set(UNDERLINED.findall(inspect.cleandoc(docstring)))


def own_parameters(value: Any) -> list[str]:
    """Return the names of the parameters that a caller of ``value`` passes."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return []
    return [name for name in signature.parameters if name not in ("self", "cls") and not name.startswith("_")]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_has_a_summary(name: str) -> None:
    docstring = PUBLIC[name].__doc__
    assert docstring, f"{name} has no docstring"
    summary = inspect.cleandoc(docstring).split("\n\n")[0]
    assert summary.endswith((".", ":")), f"the summary of {name} is not a sentence: {summary!r}"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_docstrings_have_the_sections_that_fit(name: str) -> None:
    value = FUNCTIONS[name]
    found = sections(value.__doc__)
    parameters = own_parameters(value)
    if parameters:
        assert found & {"Parameters", "Attributes"}, f"{name} takes {parameters} and describes none of them"
        described = inspect.cleandoc(value.__doc__)
        missing = [parameter for parameter in parameters if not re.search(rf"\b{parameter}\b", described)]
        assert not missing, f"{name} does not describe {missing}"
    if not inspect.isclass(value):
        assert "Returns" in found, f"{name} does not say what it returns"
    assert "Examples" in found, f"{name} shows no example"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_examples_run(name: str) -> None:
    value = PUBLIC[name]
    tests = doctest.DocTestFinder(recurse=inspect.isclass(value)).find(value, name, module=False, globs={})
    reports: list[str] = []
    for test in tests:
        doctest.DocTestRunner(verbose=False, optionflags=OPTIONS).run(test, out=reports.append)
    if name in FUNCTIONS:
        assert sum(len(test.examples) for test in tests), f"the example of {name} holds no >>> line"
    assert not reports, "".join(reports)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_examples_run(page: Path) -> None:
    reports = EXAMPLES.failures(page)
    assert not reports, "".join(reports)


def test_a_wrong_example_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n```\n\n```python\nx = 1 / 0\n```\n", encoding="utf-8")
    first, *_, last = EXAMPLES.failures(page)
    assert "line 2" in first and "Expected" in "".join(EXAMPLES.failures(page))
    assert "ZeroDivisionError" in last
    page.write_text("```python\nx = 2\n```\n\n```python\n>>> x + 1\n3\n```\n", encoding="utf-8")
    assert EXAMPLES.failures(page) == []


@pytest.mark.parametrize("name", sorted(name for name, value in PUBLIC.items() if not inspect.ismodule(value)))
def test_every_public_name_is_on_the_site(name: str) -> None:
    shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    directive = rf"auto(?:function|class|exception|data|decorator):: covector\.{re.escape(name)}\s"
    assert re.search(directive, shown), f"no page of docs/ shows covector.{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "", text)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http:", "https:")) and target.split("/")[-1] != "coverage.md":
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_ci_runs_the_readme_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    assert len(commands) == 2, "README shows exactly two commands to set everything up"
    demo, tests = (command.strip().split(" && ")[-1].removeprefix(".venv/bin/") for command in commands)
    assert demo == "python -m covector demo"
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
