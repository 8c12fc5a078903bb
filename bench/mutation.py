"""Mutants of a module: mutmut's operators on the whole source, decorators and constants too, and two of our own.

Left out are annotations, imports, docstrings, what stands under `TYPE_CHECKING`, and the declarations of tables: the
tests' databases come from the migrations, which a test holds against those (tests/architecture/test_migrations.py).
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

_DECLARING = ("mapped_column", "relationship")
_DECLARED = ("__table_args__", "__tablename__")
_NEITHER = ("None", "True", "False")


@dataclass(frozen=True)
class Mutant:
    """One change to a module. `first` and `last` are the lines of the statement it is in; `code` is what they said."""

    module: str
    first: int
    last: int
    code: str
    becomes: str
    source: str

    @property
    def label(self) -> str:
        """As the list of survivors names it."""
        return f"{self.module}:{self.first}: {self.code}  →  {self.becomes}"


def mutants(module: str, source: str) -> list[Mutant]:
    """Every mutant that compiles and is a program of its own."""
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    collector = _Collector()
    wrapper.module.visit(collector)
    statements = _statements(source)
    seen, made = {ast.dump(ast.parse(source))}, []
    for node, other in collector.found:
        changed = wrapper.module.deep_replace(node, other)
        assert isinstance(changed, cst.Module)
        try:
            same = ast.dump(ast.parse(changed.code))
            compile(changed.code, module, "exec")
        except SyntaxError:
            continue
        if same in seen:
            continue
        seen.add(same)
        line = positions[node].start.line
        first, last = min(
            ((first, last) for first, last in statements if first <= line <= last),
            key=lambda lines: lines[1] - lines[0],
        )
        code, becomes = _difference(source, changed.code)
        made.append(Mutant(module, first, last, code, becomes, changed.code))
    return made


class _Collector(cst.CSTVisitor):
    """Pairs of a node and what it becomes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _left_out(node):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                self.found += [(node, other) for other in operator(node)]
        self.found += [(node, other) for other in _ours(node)]
        return super().on_visit(node)


def _left_out(node: cst.CSTNode) -> bool:
    match node:
        case cst.Annotation() | cst.Import() | cst.ImportFrom():
            return True
        case cst.If(test=cst.Name("TYPE_CHECKING")):
            return True
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString())]):
            return True
        case cst.AnnAssign(value=cst.Call(func=cst.Name(name))) if name in _DECLARING:
            return True
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(name))]) if name in _DECLARED:
            return True
    return False


def _ours(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What mutmut doesn't do: a statement is left out, a value is not returned, a condition is turned round."""
    match node:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call()) | cst.Raise()]):
            yield node.with_changes(body=[cst.Pass()])
        case cst.Return(value=cst.BaseExpression() as value):
            if not (isinstance(value, cst.Name) and value.value in _NEITHER):
                yield node.with_changes(value=cst.Name("None"))
        case cst.If(test=test) | cst.While(test=test) | cst.CompIf(test=test):
            turned = isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not)
            simple = isinstance(test, cst.Comparison) and len(test.comparisons) == 1
            if not turned and not simple:
                inner = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
                yield node.with_changes(test=cst.UnaryOperation(cst.Not(), inner))


def _statements(source: str) -> list[tuple[int, int]]:
    """The lines of every statement; of a compound one those before its body."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)):
            first = getattr(node, "lineno", None) or node.pattern.lineno  # type: ignore[union-attr]
            decorators = getattr(node, "decorator_list", [])
            first = min([first, *(each.lineno for each in decorators)])
            body = getattr(node, "body", None)
            last = max(first, body[0].lineno - 1) if body else node.end_lineno  # type: ignore[union-attr]
            found.append((first, last))
    return found


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines that went and the lines that came, each as one."""
    gone, came = [], []
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith("- "):
            gone.append(line[2:].strip())
        elif line.startswith("+ "):
            came.append(line[2:].strip())
    return " ".join(gone) or "(nothing)", " ".join(came) or "(nothing)"
