"""The list of mutants that may live names code that is there, and says why."""

from __future__ import annotations

from app.settings import ROOT
from bench.mutants import LIST, SCOPE, listed


def test_each_survivor_on_the_list_is_of_code_that_is_there() -> None:
    rows = list(listed(LIST.read_text()))
    assert rows
    for file, code, becomes in rows:
        assert file in SCOPE, file
        source = " ".join(line.strip() for line in (ROOT / file).read_text().splitlines())
        assert code in source, f"{file} has no {code!r} any more: take the row out of {LIST.name}"
        assert becomes
        assert becomes != code


def test_the_list_has_no_row_that_the_bench_would_not_read() -> None:
    table = [line for line in LIST.read_text().splitlines() if line.startswith("| `")]
    assert len(table) == len(list(listed(LIST.read_text())))
