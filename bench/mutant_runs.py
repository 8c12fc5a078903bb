"""Runs tests on mutants: servers started once, and for each mutant a fork that has imported all but what is ours.

A fork imports the shop afresh with the one module's source replaced, and runs pytest on the tests that reached the
changed statement when nothing was changed, quickest first, until one fails.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import coverage
import psycopg
import pytest

from app.engines.postgres import Postgres
from app.engines.s3 import SeaweedFS

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_SECONDS = 3600  # for the tests to run once as things are
TEMPLATE = "wavecrate_template"
_OURS = ("app", "media_store", "transcoder", "bench", "support", "conftest", "tests", "test_", "__main__")
# No garbage is collected at the end: that would go through all that was imported, each time.
_OPTIONS = (
    "-p",
    "no:unraisableexception",
    "-p",
    "no:threadexception",
    "-q",
    "-x",
    "-n0",
    "-p",
    "no:cacheprovider",
    "--no-header",
    "--tb=short",
    "-W",
    "ignore",
)


@dataclass
class Baseline:
    """What the tests do when nothing is changed: seconds by test, and the tests by file and line (none: on import)."""

    seconds: dict[str, float]
    reached: dict[str, dict[int, list[str]]]


@dataclass
class Laboratory:
    """The servers, and a folder of this run's own."""

    folder: Path
    postgres: Postgres
    s3: SeaweedFS
    last: str | None = None  # the test that ran last: the one that failed, if any did

    def baseline(self, tests: Sequence[str], files: Sequence[str]) -> Baseline:
        """Run the tests on what is there; SystemExit where one fails."""
        told = self._fork(lambda told: _measure(tests, files, _Plugin(self, told)), seconds=_PATIENCE_SECONDS)
        if told.get("exit") != 0:
            raise SystemExit(f"The tests fail before anything is changed:\n{self.output[-4000:]}")
        for name in told["modules"]:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        reached = {file: {int(line): found for line, found in lines.items()} for file, lines in told["reached"].items()}
        return Baseline(told["seconds"], reached)

    def survives(self, name: str, path: Path, source: str, tests: Sequence[str], seconds: float) -> bool | None:
        """Whether all these tests pass with the module's source replaced; None: they did not end in time."""
        code = compile(source, str(path), "exec", dont_inherit=True)

        def run(told: dict[str, Any]) -> None:
            sys.meta_path.insert(0, _Replacing(name, path, code))
            told["exit"] = int(pytest.main([*_OPTIONS, *tests], plugins=[_Plugin(self, told)]))

        told = self._fork(run, seconds)
        self.last = told.get("last")
        return None if "late" in told else told.get("exit") == 0

    @property
    def output(self) -> str:
        """What the last run printed."""
        return (self.folder / "output.txt").read_text(errors="replace")

    def _prepare(self) -> None:
        """Migrate the database that the tests clone, and make the bucket; in a fork, for it imports every model."""

        def run(told: dict[str, Any]) -> None:
            sys.path.insert(0, str(ROOT / "tests"))
            from support import ground

            from app.core import migrate
            from app.core.store import open_store

            settings = ground.settings_on(self.postgres.url(TEMPLATE), self.s3, prefix="")
            migrate.upgrade(settings.sqlalchemy_url)
            open_store(settings).ensure_bucket()
            told["exit"] = 0

        self.postgres.ensure_database(TEMPLATE)
        if self._fork(run, seconds=300).get("exit") != 0:
            raise SystemExit(f"The database cannot be prepared:\n{self.output[-2000:]}")

    def _fork(self, run: Callable[[dict[str, Any]], None], seconds: float) -> dict[str, Any]:
        """What a fork noted of itself. Whatever it left running or lying about is gone after."""
        answer, scratch = self.folder / "answer.json", self.folder / "scratch"
        answer.unlink(missing_ok=True)
        scratch.mkdir()
        child = os.fork()
        if child == 0:
            _be_a_child(scratch, self.folder / "output.txt")
            noted: dict[str, Any] = {}
            try:
                run(noted)
                answer.write_text(json.dumps(noted))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = _wait(child, seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        shutil.rmtree(scratch, ignore_errors=True)
        told: dict[str, Any] = {"late": True} if status is None else {}
        if status == 0:
            told = json.loads(answer.read_text())
        if "finished" not in told:
            self._drop_databases()
        return told

    def _drop_databases(self) -> None:
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as admin:
            rows = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'").fetchall()
            for (name,) in rows:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class _Plugin:
    """In a fork's pytest: the servers are there already; how long each test took, and what it reached."""

    def __init__(
        self, laboratory: Laboratory, told: dict[str, Any], measuring: coverage.Coverage | None = None
    ) -> None:
        self._laboratory, self._told, self.measuring = laboratory, told, measuring
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        if fixturedef.argname != "engines":
            return None
        found = SimpleNamespace(postgres=self._laboratory.postgres, s3=self._laboratory.s3)
        fixturedef.cached_result = (found, fixturedef.cache_key(request), None)
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._told["last"] = item.nodeid
        if self.measuring is not None:
            self.measuring.switch_context(item.nodeid)
        began = time.monotonic()
        answer = yield
        self.seconds[item.nodeid] = time.monotonic() - began
        if self.measuring is not None:
            self.measuring.switch_context("")
        return answer

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._told["finished"] = int(exitstatus)


class _Replacing(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds one module, and nothing else, in other code than the file's."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self._path))

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def get_source(self, fullname: str) -> str:
        return self._path.read_text()

    def exec_module(self, module: Any) -> None:
        module.__file__ = str(self._path)
        exec(self._code, module.__dict__)  # noqa: S102 - what this is about


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """Start the servers and migrate the database that the tests clone."""
    with tempfile.TemporaryDirectory(prefix="wavecrate-mutants-") as name:
        folder = Path(name)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
        postgres, s3 = Postgres(folder, durable=False), SeaweedFS(folder)
        try:
            postgres.start()
            s3.start()
            made = Laboratory(folder, postgres, s3)
            made._prepare()
            yield made
        finally:
            s3.stop()
            postgres.stop()


def _measure(tests: Sequence[str], files: Sequence[str], plugin: _Plugin) -> None:
    measuring = coverage.Coverage(data_file=None, config_file=False, include=[str(ROOT / file) for file in files])
    plugin.measuring = measuring
    told = plugin._told
    measuring.start()
    told["exit"] = int(pytest.main([*_OPTIONS, *tests], plugins=[plugin]))
    measuring.stop()
    data = measuring.get_data()
    told["seconds"] = plugin.seconds
    told["reached"] = {
        file: {
            line: [each for each in found if each] for line, found in data.contexts_by_lineno(str(ROOT / file)).items()
        }
        for file in files
    }
    told["modules"] = [name for name in list(sys.modules) if not name.startswith(_OURS)]


def _be_a_child(scratch: Path, log: Path) -> None:
    os.setpgid(0, 0)
    gc.freeze()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    # What the tests and pytest leave lying about lies there.
    tempfile.tempdir = str(scratch)
    os.environ["TMPDIR"] = str(scratch)


def _wait(child: int, seconds: float) -> int | None:
    """Its exit code; None where it had to be killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
