"""A progress bar on the terminal; plain lines where there is none to draw on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def bar(label: str) -> Iterator[Callable[[float, float, str], None]]:
    """Yield `report(done, total, name)`; in a log it prints a line each tenth of the way instead of drawing."""
    console = Console()
    if not console.is_terminal:
        yield _lines(label)
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[name]}", style="dim"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=None, name="")

        def report(done: float, total: float, name: str = "") -> None:
            progress.update(task, completed=done, total=total, name=name[-40:])

        yield report


def _lines(label: str) -> Callable[[float, float, str], None]:
    said = -1

    def report(done: float, total: float, name: str = "") -> None:
        nonlocal said
        tenth = int(10 * done / total) if total else 0
        if tenth > said:
            said = tenth
            print(f"{label}: {tenth * 10} %", flush=True)

    return report
