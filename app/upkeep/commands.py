"""What `wavecrate store` prints."""

from __future__ import annotations

import json

import click

from app.core import progress
from app.upkeep import rounds
from app.upkeep.rounds import Round

_SHOWN = 20


def verify(*, deep: bool, repair: bool, at_once: bool, as_json: bool) -> bool:
    """Survey the store, mend it where that is asked for, and print what was found; True where all is well now."""
    if as_json:
        made = rounds.look(deep=deep, at_once=at_once)
    else:
        with progress.bar("Reading the store" if deep else "Comparing the store") as report:
            made = rounds.look(deep=deep, at_once=at_once, on_progress=report)
    if repair:
        rounds.mend(made)
        rounds.clear_away(made, at_once=at_once)
    if as_json:
        click.echo(json.dumps(made.to_dict()))
    else:
        _tell(made, repair=repair)
    return made.clean


def _tell(made: Round, *, repair: bool) -> None:
    found = made.survey
    click.echo(f"{found.objects} objects, {_size(found.size)}; the database needs {found.needed} of them or folders.")
    for number, problem in enumerate(found.problems):
        done = f" – {made.mended[number]}" if number in made.mended else ""
        click.echo(f"{problem.fault}: {problem.key} ({problem.holding.name}): {problem.says}{done}")
    for orphan in made.due[:_SHOWN]:
        click.echo(f"nothing needs {orphan.key} ({orphan.objects} objects, {_size(orphan.size)})")
    if len(made.due) > _SHOWN:
        click.echo(f"… nor {len(made.due) - _SHOWN} more (--json names all of them)")
    if made.removed:
        click.echo(f"{len(made.removed)} removed, {_size(sum(each.size for each in made.removed))}.")
    if made.waiting:
        last = max(made.waiting.values())
        click.echo(f"{len(made.waiting)} that nothing needs are kept for now; from {last:%d %B %H:%M} UTC all may go.")
    if made.clean:
        click.echo("The store is clean.")
    elif not repair:
        click.echo("Run it again with --repair to mend what can be mended.")


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
