"""`wavecrate recommend`: what the recommender learnt from, and what it learnt, to and from other engines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.settings import load_settings

if TYPE_CHECKING:
    from app.recommender.interactions import Interactions


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
@click.option("--data", type=click.Path(path_type=Path), help="Lines of person, item and a count; else the shop's own.")
@click.option("--at-least", default=0.0, help="Leave out counts (or ratings) below this.")
@click.option("--minutes", default=10.0, show_default=True, help="How long to search for settings.")
@click.option("--splits", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--to", type=click.Path(path_type=Path), help="A folder for report.md, plot.svg and report.json.")
def recommend_evaluate(data: Path | None, at_least: float, minutes: float, splits: int, to: Path | None) -> None:
    """Measure the recommender and what others use on DATA, or on the shop's own events, by held-out people (Liang et
    al. 2018).

    Settings are searched for on the first split's validation, never on test.
    """
    from app.recommender import evaluation, listening, report

    try:
        found = listening.dense_enough(listening.read(data, at_least=at_least) if data else _events())
    except (OSError, listening.UnreadableData) as error:
        raise click.ClickException(str(error)) from error
    done = evaluation.evaluate(found, seconds=minutes * 60, seeds=splits, tell=_tell)
    source = data.name if data else "the shop's own events"
    click.echo(report.markdown(done, source))
    if to is not None:
        for path in report.write(done, to, source):
            _tell(str(path))


def _events() -> Interactions:
    """What people did in the shop."""
    from app.discovery import reading
    from app.factory import create_app

    with create_app(load_settings()).app_context():
        return reading.interactions_so_far()


@recommend.command("report")
def recommend_report() -> None:
    """Measure how well people and releases of which little is known are served, on the shop's own events."""
    from app.core.errors import WavecrateError
    from app.discovery import measured, queries, reading, tuned
    from app.factory import create_app

    settings = load_settings()
    with create_app(settings).app_context():
        given = reading.interactions_so_far()
        recipe = tuned.wanted(queries.active_model(), given.matrix.shape, settings.recommender_factors)
        try:
            told = measured.measure(given, recipe)
        except WavecrateError as error:
            raise click.ClickException(str(error)) from error
    click.echo(told.markdown())


@recommend.command("tune")
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(min=0), help="How long to search.")
def recommend_tune(minutes: float) -> None:
    """Search for settings on the shop's own events, by people held out, and train with the best.

    Training goes on with what was found until the next search.
    """
    from app.core.db import transaction
    from app.core.errors import WavecrateError
    from app.discovery import queries, reading, service, tuned
    from app.factory import create_app
    from app.recommender.device import NoGpu

    settings = load_settings()
    most = settings.recommender_factors
    with create_app(settings).app_context():
        given = reading.interactions_so_far()
        now = tuned.wanted(queries.active_model(), given.matrix.shape, most)
        try:
            found = tuned.search(given, now, most_factors=most, seconds=minutes * 60, tell=_tell)
            click.echo(
                f"NDCG@100 {found.score:.4f} by {_described(found.recipe.settings())};"
                f" {found.before:.4f} by the settings in use, over {found.people} people."
            )
            if not found.is_better:
                click.echo("Nothing is better than the settings in use: they stay.")
                return
            with transaction():
                model = service.train(most, settings.recommender_device, found)
                told = model.id, model.active
        except (WavecrateError, NoGpu) as error:
            raise click.ClickException(str(error)) from error
    state = "is in use, and training goes on with its settings" if told[1] else "is broken, and the older one stays"
    click.echo(f"Model {told[0]} {state}.")


def _tell(said: str) -> None:
    click.echo(said, err=True)


def _described(settings: Mapping[str, Any]) -> str:
    """A model's settings in a few words; those of a foreign model may be fewer."""
    names = {"factors": "factors", "regularisation": "λ", "scaling": "ν", "alpha": "α", "power": "power"}
    said = [f"{name} {settings[key]:g}" for key, name in names.items() if key in settings]
    return ", ".join([*said, *(["even"] if settings.get("even") else [])])


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
            size = f"{facts['accounts']} people, {facts['releases']} releases, {_described(facts)}"
            how = f", tuned {facts['tuned']['at'][:10]}" if facts.get("tuned") else ""
            click.echo(f"{model.id}  {model.created_at:%Y-%m-%d %H:%M}  {state:<8}{size}{how}{compared}")


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
