"""Making a failing random program smaller: leaving out lines, and putting parts in the place of expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from control.random_programs import Program

__all__ = ["smaller"]


def smaller(program: Program, fails: Callable[[Program], bool], most: int = 3000) -> Program:
    """Leave out and shorten lines as long as `fails` holds, which it does not for programs that do not run."""
    tries = 0
    changed = True
    while changed:
        changed = False
        for lines in _variants(program.lines):
            candidate = program._replace(lines=tuple(lines))
            tries += 1
            if tries > most:
                return program
            if fails(candidate):
                program, changed = candidate, True
                break
    return program


def _variants(lines: Sequence[str]) -> Iterator[list[str]]:
    for i in reversed(range(len(lines) - 1)):
        end = i + 1
        while end < len(lines) and _depth(lines[end]) > _depth(lines[i]):
            end += 1
        yield [*lines[:i], *lines[end:]]
    for i, line in enumerate(lines):
        for less in _shorter(line.strip()):
            yield [*lines[:i], " " * _depth(line) + less, *lines[i + 1 :]]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shorter(line: str) -> Iterator[str]:
    """The line with one expression replaced by one of its parts, or without the keyword arguments of a call."""
    if line.startswith("def"):
        return
    whole = ast.parse(f"def f():\n {line}")
    for node in ast.walk(whole):
        parts: list[ast.AST] = []
        if isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            parts = [node.operand]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = [x for x in node.args if not isinstance(x, ast.Constant)] if len(node.args) < 3 else node.args[1:]
            if node.keywords:
                parts.append(ast.Call(node.func, node.args, []))
        for part in parts:
            text = ast.unparse(whole).replace(ast.unparse(node), ast.unparse(part), 1)
            yield text.removeprefix("def f():\n").strip()
