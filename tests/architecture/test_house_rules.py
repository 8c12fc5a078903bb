"""Rules of the house that import-linter cannot see, read from the source."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from app import models
from app.settings import ROOT

SOURCES = [*sorted((ROOT / "app").rglob("*.py")), *sorted((ROOT / "transcoder").rglob("*.py"))]
# Who may look at the request: where it enters.
ENTRY_POINTS = {
    "routes.py",
    "web.py",
    "login.py",
    "auth.py",
    "i18n.py",
    "serving.py",
    "server.py",
    "pages.py",
    "visitor.py",
    "api.py",
    "people.py",
    "second.py",
    "control.py",
    "after_sales.py",
    "staff_pages.py",
    "case_pages.py",
}


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def _table_owners() -> dict[str, str]:
    owners = {}
    for room in models.ROOMS:
        for name, thing in inspect.getmembers(room, inspect.isclass):
            if hasattr(thing, "__tablename__") and thing.__module__ == room.__name__:
                owners[name] = room.__name__.split(".")[1]
    return owners


def _imported_from(tree: ast.Module) -> dict[str, str]:
    """Name in the module → the module it came from."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = node.module
    return found


def test_one_writer_per_table() -> None:
    owners = _table_owners()
    assert len(owners) > 15
    wrong = []
    for path, tree in _trees():
        origin = _imported_from(tree)
        room = path.parts[1] if path.parts[0] == "app" else ""
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            written = node.func
            if isinstance(written, ast.Name) and written.id in {"insert", "update", "delete"} and node.args:
                written = node.args[0]
            if isinstance(written, ast.Name) and written.id in owners:
                module = origin.get(written.id, "")
                if module.startswith("app.") and module.endswith(".models") and owners[written.id] != room:
                    wrong.append(f"{path}:{node.lineno} writes {written.id}")
    assert not wrong


def test_only_entry_points_touch_the_request() -> None:
    wrong = []
    for path, tree in _trees():
        if path.name in ENTRY_POINTS:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "flask":
                taken = {alias.name for alias in node.names} & {"request", "g", "session"}
                wrong += [f"{path}:{node.lineno} imports {name}" for name in taken]
    assert not wrong


def test_services_never_commit() -> None:
    wrong = []
    for path, tree in _trees():
        if path.name != "service.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"}:
                wrong.append(f"{path}:{node.lineno}")
            if isinstance(node, ast.Name) and node.id == "transaction":
                wrong.append(f"{path}:{node.lineno}")
    assert not wrong


def test_every_package_carries_its_room_card() -> None:
    for init in sorted((ROOT / "app").glob("*/__init__.py")):
        package = importlib.import_module(f"app.{init.parent.name}")
        card = package.__doc__ or ""
        for line in ("Owns:", "Called by:", "May call:", "Never:"):
            assert line in card, f"{init} has no line {line!r}"


def test_no_module_has_outgrown_its_name() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_there_is_no_utils() -> None:
    assert not [path for path in SOURCES if path.stem in {"utils", "helpers", "misc", "common"}]
