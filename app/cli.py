"""`wavecrate`: the shop from a terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

# Before numpy is imported anywhere: implicit runs its own threads, and two pools fight over the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from app import hls, recommend, trials
from app.engines.processes import EngineError
from app.engines.supervisor import AlreadyRunning, Supervisor
from app.settings import SettingsError, load_settings, var_dir
from transcoder import isolation

DEFAULT_PORT = 8000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Wavecrate: a store for recorded music and film."""


cli.add_command(hls.hls)
cli.add_command(recommend.recommend)
cli.add_command(trials.shelves)

_port = click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65535), help="Where the shop answers."
)


@cli.command()
@_port
def up(port: int) -> None:
    """Start everything this machine needs, and stop it all on Ctrl-C."""
    _run_supervised(port, lambda supervisor: _announce(supervisor.base_url))


@cli.command()
@_port
@click.option("--check", is_flag=True, help="Run the main job without a person; exit 0 or 1.")
def demo(port: int, check: bool) -> None:
    """The shop with its demo catalogue."""
    from app.demo import check as demo_check
    from app.demo import seed

    def main_job(base_url: str) -> None:
        if not demo_check.run(base_url):
            sys.exit(1)

    def work(supervisor: Supervisor) -> bool:
        seed.run_in_child(supervisor.environ, var_dir())
        if check:
            main_job(supervisor.base_url)
            return False
        seed.announce(supervisor.base_url)
        return True

    # The demo's logins stand on the screen with their passwords: a second factor would only keep people from trying.
    os.environ.setdefault("STAFF_SECOND_FACTOR", "offered")
    try:
        _run_supervised(port, work)
    except AlreadyRunning as running:
        if not check:
            raise
        main_job(running.base_url)


@cli.command(hidden=True)
def demo_seed() -> None:
    """Fill the demo catalogue of the running shop."""
    from app.demo import seed

    seed.run()


@cli.command()
@click.option("--alone", is_flag=True, help="No other worker runs: take up what an earlier one left at once.")
def worker(alone: bool) -> None:
    """Work on the queue until stopped."""
    from app import worker as process

    process.run(alone=alone)


@cli.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--price", required=True, help="Price of each release, like 9.90.")
@click.option("--currency", required=True, help="ISO 4217 code, like EUR.")
@click.option("--track-price", help="Price of each track; by default a fair share of the release's.")
@click.option("--publish/--draft", default=True, show_default=True, help="Show the releases in the shop once ready.")
def import_masters(paths: tuple[Path, ...], price: str, currency: str, track_price: str | None, publish: bool) -> None:
    """Take masters from files and folders into the shop.

    WAV, AIFF, FLAC, ALAC, MP3, Ogg, Opus, MP4, MOV and MKV; a film's subtitles beside it, called like it:
    Film.en.srt, Film.zh-Hans.vtt, captions Film.en.sdh.srt. What is already there is left alone; what cannot be
    taken is named with the reason, the rest goes on, and the exit code is 1.
    """
    from app.core import progress
    from app.core.errors import WavecrateError
    from app.core.money import parse_money
    from app.factory import create_app
    from app.studio import importer

    try:
        release_price = parse_money(price, currency)
        each = parse_money(track_price, currency) if track_price else None
    except WavecrateError as error:
        raise click.UsageError(str(error)) from error
    with create_app(load_settings()).app_context(), progress.bar("Importing") as on_progress:
        report = importer.import_paths(
            list(paths), price=release_price, track_price=each, publish=publish, on_progress=on_progress
        )
    click.echo(f"{len(report.imported)} imported, {len(report.already_there)} already there.")
    for path, reason in report.refused:
        click.echo(f"refused {path}: {reason}", err=True)
    if report.refused:
        sys.exit(1)


@cli.command()
@click.argument("revision", default="head")
@click.option("--down", is_flag=True, help="Go down to the revision; `base` empties the database.")
def migrate(revision: str, down: bool) -> None:
    """Bring the database's schema up (or down) to REVISION."""
    from app.core import migrate as migrations

    url = load_settings().sqlalchemy_url
    (migrations.downgrade if down else migrations.upgrade)(url, revision)


@cli.command()
def prepare() -> None:
    """Before a release serves: bring the schema up, make the bucket, tell it about uploads."""
    _prepare()


@cli.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option(
    "--role",
    type=click.Choice(["customer", "editor", "support", "manager", "admin"]),
    default="customer",
    show_default=True,
)
@click.option("--label", "labels", multiple=True, help="A label an editor may work on; once for each.")
@click.password_option()
def account(email: str, name: str, role: str, labels: tuple[str, ...], password: str) -> None:
    """Make an account, such as the first admin's."""
    from app.accounts import service
    from app.accounts.models import Role
    from app.audit import service as audit
    from app.catalog import rights
    from app.catalog import service as catalog
    from app.core.db import transaction
    from app.core.errors import WavecrateError
    from app.factory import create_app

    with create_app(load_settings()).app_context():
        try:
            with transaction():
                made = service.register(email, password, name, role=Role(role))
                for label in labels:
                    rights.give_label(made, catalog.ensure_label(label))
                audit.record(None, "account.create", f"account:{made.id}", {"role": role, "labels": list(labels)})
        except WavecrateError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{email} can sign in as {role}.")


@cli.command()
@click.argument("address")
def letter(address: str) -> None:
    """Send a trial letter to ADDRESS now, and say what the mail server answered."""
    from app.factory import create_app
    from app.letters import post
    from app.letters.message import BadAddress
    from app.letters.transports import NotSent

    with create_app(load_settings()).app_context():
        try:
            post.try_out(address)
        except (BadAddress, NotSent) as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"A letter to {address} was taken. Whether it arrives is in that mailbox.")


@cli.command()
def train() -> None:
    """Train the recommender now, on every event so far."""
    from app.core.db import transaction
    from app.discovery import service
    from app.factory import create_app
    from app.recommender.device import NoGpu

    made = load_settings()
    with create_app(made).app_context():
        try:
            with transaction():
                service.train(made.recommender_factors, made.recommender_device)
        except NoGpu as error:
            raise click.ClickException(str(error)) from error
    click.echo("The shelves follow the new model.")


@cli.group()
def store() -> None:
    """Look after the objects in the store."""


@store.command()
@click.option("--deep", is_flag=True, help="Read every object and compare checksums, too.")
@click.option("--repair", is_flag=True, help="Mend what can be mended, and remove what nothing needs and is due.")
@click.option(
    "--now", is_flag=True, help="Keep nothing back of what nothing needs. Only while no job and no play runs."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
def verify(deep: bool, repair: bool, now: bool, as_json: bool) -> None:
    """Compare what the database needs with what the store has, both ways.

    Exit code 0: all is there, whole, and nothing lies about that should have gone (after --repair: it is so now, or
    will be when the queue is done). 1: not so; what is printed says what to do.
    """
    from app.factory import create_app
    from app.upkeep import commands

    with create_app(load_settings()).app_context():
        clean = commands.verify(deep=deep, repair=repair, at_once=now, as_json=as_json)
    if not clean:
        sys.exit(1)


@cli.group()
def audit() -> None:
    """Look after the log of what staff did."""


@audit.command("verify")
@click.option("--head", help="NUMBER:HASH that an earlier run printed: shows that nothing was cut off since.")
def audit_verify(head: str | None) -> None:
    """Prove that no entry was changed or taken out: every hash is computed anew.

    Exit code 1, and the first entry that is broken, where one is. Keep the head that is printed outside the shop.
    """
    from app.audit import queries
    from app.factory import create_app

    anchor = None
    if head is not None:
        number, _colon, digest = head.partition(":")
        if not number.isdigit() or len(digest) != 64:
            raise click.UsageError("--head is a number and 64 hexadecimal digits with a colon between.")
        anchor = int(number), digest
    with create_app(load_settings()).app_context():
        proof = queries.verify(anchor)
    if proof.broken is not None:
        click.echo(f"Entry {proof.broken} is broken: {proof.why}. The {proof.entries} before it are whole.", err=True)
        sys.exit(1)
    click.echo(f"{proof.entries} entries, all whole." + (f" Head: {proof.entries}:{proof.head}" if proof.head else ""))


@cli.group()
def ledger() -> None:
    """Look after the books."""


@ledger.command("verify")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only orders paid and payments begun since that day (UTC)."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
def ledger_verify(since: datetime | None, as_json: bool) -> None:
    """Prove that the books balance, that licenses follow them, and that the payment gateway says the same.

    Exit code 1 where anything differs, with what to do about it. Nothing is changed.
    """
    from app.factory import create_app
    from app.orders import commands

    with create_app(load_settings()).app_context():
        clean = commands.verify(since=since.replace(tzinfo=UTC) if since else None, as_json=as_json)
    if not clean:
        sys.exit(1)


@ledger.command("follow")
@click.argument("names", nargs=-1, required=True)
def ledger_follow(names: tuple[str, ...]) -> None:
    """Bring the books of payments (by id) or orders (by number) to what the gateway says, and their licenses along."""
    from app.core.errors import WavecrateError
    from app.factory import create_app
    from app.orders import verifying

    with create_app(load_settings()).app_context():
        for name in names:
            try:
                verifying.follow(name)
            except WavecrateError as error:
                raise click.ClickException(f"{name}: {error}") from error
    click.echo("Done. “wavecrate ledger verify” says whether anything is left.")


def _run_supervised(port: int, work: Callable[[Supervisor], bool | None]) -> None:
    """Run everything; `work` runs once all is up. It may return False to stop at once instead of watching."""
    unprotected = isolation.notice()
    if unprotected:
        click.echo(unprotected, err=True)
    supervisor = Supervisor(var_dir(), port=port, environ=os.environ)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        # From here on a second Ctrl-C must not leave half of the children behind.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, interrupted)
    click.echo("Starting the database, the object store, the shop and the worker …")
    try:
        with supervisor.running(_prepare):
            if work(supervisor) is not False:
                supervisor.watch()
    except KeyboardInterrupt:
        pass
    click.echo("Stopped.")


def _prepare() -> None:
    """Schema and bucket, before anything uses them."""
    from app.core import migrate as migrations
    from app.core.store import open_store

    settings = load_settings()
    migrations.upgrade(settings.sqlalchemy_url)
    store = open_store(settings)
    store.ensure_bucket()
    # Our own sweep counts from the last part that moved; the store's rule, from the first, comes later.
    store.receive_uploads(settings.base_url, keep_days=4 * settings.upload_keep_days)


def _announce(base_url: str) -> None:
    click.echo(f"\nThe shop is open at {base_url}\nCtrl-C closes it.")


def main() -> None:
    """The entry point: what a person can mend is one line on stderr, exit code 1."""
    from media_store.errors import StoreError

    try:
        cli(standalone_mode=True)
    except (EngineError, SettingsError, StoreError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
