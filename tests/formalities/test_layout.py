"""The house rules of the source tree: who imports whom, how long things may get, what must not be in a file."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from covector.core.tracer import Tracer

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "covector"
MODULES = sorted(SOURCE.rglob("*.py"))

# Lower to higher. A folder imports itself and what stands before it.
LAYERS = ("core", "ops", "numpy_api", "transforms", "control", "compiler")
# These sit on top of the layers, next to each other; nothing in a layer may import them.
ON_TOP = ("sparse", "distributed", "scipy", "numpy", "functional", "testing", "coverage", "demo", "errors", "tree")
# The package's own face: it imports everything, and nothing in a layer may go through it.
FACE = ("__init__", "__main__")
# What may be imported when ``import covector`` runs. Everything else loads on first use.
EAGER = {"numpy", "optree"}
# Parts of NumPy that take long to load and that nobody needs for a derivative.
LAZY = {"numpy.random", "numpy.testing", "numpy.f2py", "numpy.polynomial"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".cfg", ".json", ".yml", ".yaml", ".css", ""}
TEXT_FOLDERS = ("src", "tests", "docs", "benchmarks", "examples", ".ci")


def house_part(path: Path) -> str:
    """Name the folder or top-level module of the package that ``path`` belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def package_of(path: Path) -> list[str]:
    """Return the dotted package that relative imports in ``path`` start from."""
    return ["covector", *path.relative_to(SOURCE).parent.parts]


def imported_modules(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) for every import, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            # ``from covector import core`` names a folder only in the alias.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported_parts(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, part of the package) for every import from covector itself."""
    for line, name in imported_modules(tree, package):
        first, *rest = name.split(".")
        if first == "covector":
            part = rest[0] if rest else ""
            known = (SOURCE / part).is_dir() or (SOURCE / f"{part}.py").is_file()
            yield line, part if part and known else "__init__"


def forbidden(part: str, target: str) -> bool:
    """Tell whether a module in ``part`` must not import from ``target``."""
    if part == target or part in FACE or part not in LAYERS:
        return False
    return target not in LAYERS or LAYERS.index(target) > LAYERS.index(part)


@pytest.mark.parametrize(
    ("part", "statement", "package", "wrong"),
    [
        ("core", "from covector.ops import sin", ["covector", "core"], True),
        ("core", "from ..ops import sin", ["covector", "core"], True),
        ("core", "from .. import ops", ["covector", "core"], True),
        ("core", "def f():\n    import covector.transforms", ["covector", "core"], True),
        ("ops", "from covector import testing", ["covector", "ops"], True),
        ("ops", "from covector import sin", ["covector", "ops"], True),
        ("core", "from .tree import flatten", ["covector", "core"], False),
        ("ops", "from covector.core.tree import flatten", ["covector", "ops"], False),
        ("transforms", "from ..numpy_api import ufuncs", ["covector", "transforms"], False),
        ("testing", "import covector", ["covector", "testing"], False),
    ],
)
def test_the_import_rule_sees_every_form(part: str, statement: str, package: list[str], wrong: bool) -> None:
    for name in (*LAYERS, "testing"):
        if name in statement and not (SOURCE / name).exists():
            pytest.fail(f"{name} named in the example is not in the package")
    found = [target for _, target in imported_parts(ast.parse(statement), package)]
    assert found
    assert any(forbidden(part, target) for target in found) is wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path: Path) -> None:
    part = house_part(path)
    assert part in LAYERS + ON_TOP + FACE, f"{part} has no place in the list of layers in {Path(__file__).name}"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [f"line {n}: {target}" for n, target in imported_parts(tree, package_of(path)) if forbidden(part, target)]
    assert not wrong, f"{part} must not import what stands above it: {wrong}"


def test_import_covector_loads_only_numpy_and_optree() -> None:
    program = (
        "import sys, numpy, optree; before = set(sys.modules); import covector;print(*(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r}); {program}"]
    modules = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    loaded = {name.split(".")[0] for name in modules}
    assert "covector" in loaded
    # Cython makes a module of this name without importing anything.
    third_party = {name for name in loaded - sys.stdlib_module_names - {"cython_runtime"} if not name.startswith("_")}
    assert third_party <= EAGER | {"covector"}
    assert not LAZY & modules


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < MAX_FILE_LINES
    too_long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and own_length(node) >= MAX_FUNCTION_LINES
    }
    assert not too_long


def subclasses(cls: type) -> Iterator[type]:
    """Yield ``cls`` and all classes derived from it."""
    yield cls
    for derived in cls.__subclasses__():
        yield from subclasses(derived)


def test_no_slot_of_a_tracer_hides_an_attribute_of_arrays() -> None:
    classes = set(subclasses(Tracer))
    assert len(classes) > 8
    hidden = {cls.__name__: set(cls.__dict__.get("__slots__", ())) & set(dir(np.ndarray)) for cls in classes}
    assert not {name: slots for name, slots in hidden.items() if slots}


def own_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function from ``def`` to its end without its docstring, which may be as long as it needs."""
    assert function.end_lineno is not None
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def text_files() -> list[Path]:
    """List the checkout's own text files, without environments and caches."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in TEXT_FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    skipped = {"__pycache__", "_build", "venv", "tmp"}
    return sorted(
        path
        for path in found
        if path.suffix in TEXT_SUFFIXES and not skipped & set(path.relative_to(ROOT).parts) and path.name != ".coverage"
    )


# Written so that this file does not contain what it looks for.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
OUTSIDE = re.compile(
    r"(?<![\w.])/(?:"
    + "|".join(
        ("ho" + "me", "ro" + "ot", "wo" + "rk", "tm" + "p", "us" + "r/local", "Us" + "ers", "o" + "pt", "m" + "nt")
    )
    + r")/\w|[A-Za-z]:\\\\Users|"
    + "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "conda" + r"\.anaconda", "index" + "-url"))
)


@pytest.mark.parametrize("path", text_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unfinished_and_nothing_outside_the_checkout(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        assert not UNFINISHED.search(line), f"line {number} is marked unfinished: {line.strip()}"
        assert not OUTSIDE.search(line), f"line {number} names a place outside the checkout: {line.strip()}"


def test_the_text_rules_catch_what_they_are_for() -> None:
    assert UNFINISHED.search("# " + "TO" + "DO: later")
    assert not UNFINISHED.search("a method")
    for bad in ("open('/" + "tmp/x')", "/ho" + "me/me/x", "https://py" + "pi.org/simple"):
        assert OUTSIDE.search(bad), bad
    for good in ("a/tmp/x", "src/work/x", "x / root", "d/dx"):
        assert not OUTSIDE.search(good), good


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 20
    assert {"README.md", "pyproject.toml", "LICENSE"} <= {path.name for path in text_files()}
