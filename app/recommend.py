"""`wavecrate recommend`: what the recommender learnt from, and what it learnt, to and from other engines."""

from __future__ import annotations

from pathlib import Path

import click

from app.settings import load_settings


@click.group()
def recommend() -> None:
    """Look after the recommender."""


@recommend.command("export")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A new folder.")
def recommend_export(to: Path) -> None:
    """Write what people did with which releases as Parquet, as Spark MLlib's ALS reads it."""
    from app.core.db import transaction
    from app.core.errors import WavecrateError
    from app.discovery import exchange
    from app.factory import create_app

    with create_app(load_settings()).app_context():
        try:
            with transaction():
                told = exchange.export(to)
        except WavecrateError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{told['pairs']} pairs of {told['people']} people and {told['items']} releases are in {to}.")


@recommend.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--items", type=click.Path(path_type=Path), help="The export's items.parquet, for Spark's numbers.")
def recommend_import(source: Path, items: Path | None) -> None:
    """Take releases' factors from SOURCE (Spark's itemFactors as Parquet, or .npz) as a model.

    It is used only where it proves better than the one in use.
    """
    from app.core.db import transaction
    from app.core.errors import WavecrateError
    from app.discovery import exchange
    from app.factory import create_app

    with create_app(load_settings()).app_context():
        try:
            with transaction():
                model, used = exchange.take(source, items)
        except WavecrateError as error:
            raise click.ClickException(str(error)) from error
    state = "It is in use now." if used else "It is kept, and not in use."
    click.echo(f"Model {model.id}: {model.settings['releases']} releases, {model.settings['factors']} factors. {state}")
