"""`wavecrate shelves`: what trials on shelves found out, for a terminal and for other programs."""

from __future__ import annotations

import json

import click

from app.settings import load_settings


@click.group()
def shelves() -> None:
    """Look into shelves."""


@shelves.command()
@click.argument("experiment")
def report(experiment: str) -> None:
    """Print what came of EXPERIMENT, a trial's name, as JSON."""
    from app.factory import create_app
    from app.shelves import experiments, reports

    with create_app(load_settings()).app_context():
        found = experiments.named(experiment)
        if found is None:
            names = ", ".join(each.name for each in experiments.all_trials()) or "none yet"
            raise click.ClickException(f"There is no trial “{experiment}”. There are: {names}.")
        click.echo(json.dumps(reports.of(found).to_dict(), ensure_ascii=False, indent=2))
