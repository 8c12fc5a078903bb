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


@recommend.command("evaluate")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Lines of person, item and a count.")
@click.option("--at-least", default=0.0, help="Leave out counts (or ratings) below this.")
@click.option("--minutes", default=10.0, show_default=True, help="How long to search for settings.")
@click.option("--splits", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--to", type=click.Path(path_type=Path), help="A folder for report.md, plot.svg and report.json.")
def recommend_evaluate(data: Path, at_least: float, minutes: float, splits: int, to: Path | None) -> None:
    """Measure the recommender and what others use on DATA, by held-out people (Liang et al. 2018).

    Settings are searched for on the first split's validation, never on test.
    """
    from app.recommender import evaluation, listening, report

    def tell(said: str) -> None:
        click.echo(said, err=True)

    try:
        found = listening.dense_enough(listening.read(data, at_least=at_least))
    except (OSError, listening.UnreadableData) as error:
        raise click.ClickException(str(error)) from error
    done = evaluation.evaluate(found, seconds=minutes * 60, seeds=splits, tell=tell)
    click.echo(report.markdown(done, data.name))
    if to is not None:
        for path in report.write(done, to, data.name):
            tell(str(path))


@recommend.command("models")
def recommend_models() -> None:
    """List the models that are kept, the newest first."""
    from app.discovery import queries
    from app.factory import create_app

    with create_app(load_settings()).app_context():
        for model in queries.models():
            facts, judged = model.settings, model.settings.get("judged")
            state = "in use" if model.active else "refused" if facts.get("refused") else "kept"
            compared = f", NDCG@100 {judged['new']:.3f} against {judged['old']:.3f} then in use" if judged else ""
            size = f"{facts['accounts']} people, {facts['releases']} releases, {facts['factors']} factors"
            click.echo(f"{model.id}  {model.created_at:%Y-%m-%d %H:%M}  {state:<8}{size}{compared}")


@recommend.command("use")
@click.argument("model_id", metavar="MODEL")
def recommend_use(model_id: str) -> None:
    """Put an earlier model back."""
    from app.core.db import transaction
    from app.core.errors import WavecrateError
    from app.discovery import promotion
    from app.factory import create_app

    with create_app(load_settings()).app_context():
        try:
            with transaction():
                promotion.put_back(model_id)
        except WavecrateError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"Model {model_id} is in use.")
