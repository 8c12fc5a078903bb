"""Mutants of a module: mutmut's operators on the whole source, decorators and constants too, and two of our own.

Left out are annotations, imports, docstrings, what stands under `TYPE_CHECKING`, the wording of what is translated or
logged (not the call), and the declarations of tables: the tests' databases come from the migrations, which a test holds
against those (tests/architecture/test_migrations.py).
"""

from __future__ import annotations

import ast
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
    tree, positions, lines = wrapper.module, wrapper.resolve(PositionProvider), _statements(source)
    made, before = [], "".join(tree.code_for_node(each) for each in tree.header)
    for statement in tree.body:
        code = tree.code_for_node(statement)
        after = source[len(before) + len(code) :]
        assert before + code + after == source
        collector, seen = _Collector(), {_meaning(code)}
        statement.visit(collector)
        for node, other in collector.found:
            # The statement alone is made anew and read again, which is a tenth of the work for the whole module.
            changed = tree.code_for_node(statement.deep_replace(node, other))  # type: ignore[arg-type]
            meaning = _meaning(changed)
            if meaning is None or meaning in seen:
                continue
            seen.add(meaning)
            line = positions[node].start.line
            around = [each for each in lines if each[0] <= line <= each[1]]
            first, last = min(around, key=lambda each: each[1] - each[0])
            gone, came = _difference(code, changed)
            made.append(Mutant(module, first, last, gone, came, before + changed + after))
        before += code
    return made


def _meaning(code: str) -> str | None:
    """What is the same of two programs that differ only in how they are written; None where it is no program."""
    try:
        tree = ast.parse(code)
        compile(tree, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return None
    return ast.dump(tree)


class _Collector(cst.CSTVisitor):
    """Pairs of a node and what it becomes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []
        self._texts: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _left_out(node):
            return False
        if _says(node):
            self._texts.append(node)
        if self._texts and isinstance(node, cst.SimpleString):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                self.found += [(node, other) for other in operator(node)]
        self.found += [(node, other) for other in _ours(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._texts and self._texts[-1] is original_node:
            self._texts.pop()


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


def _says(node: cst.CSTNode) -> bool:
    """Whether it is a call whose strings are words for people: a translated text, a line in the log."""
    match node:
        case cst.Call(func=cst.Name("_" | "gettext" | "ngettext")):
            return True
        case cst.Call(func=cst.Attribute(value=cst.Name("log"))):
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
    gone, came = before.splitlines(), after.splitlines()
    while gone and came and gone[0] == came[0]:
        del gone[0], came[0]
    while gone and came and gone[-1] == came[-1]:
        del gone[-1], came[-1]
    return " ".join(each.strip() for each in gone) or "(nothing)", " ".join(
        each.strip() for each in came
    ) or "(nothing)"
