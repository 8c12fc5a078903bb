"""What `wavecrate ledger` prints."""

from __future__ import annotations

import json
from datetime import datetime

import click

from app.core import progress
from app.orders import verifying
from app.orders.verifying import Proof
from app.payments.contract import PaymentUnavailable


def verify(*, since: datetime | None, as_json: bool) -> bool:
    """Prove the books and hold them against the gateway's list; True where nothing differs."""
    unanswered = None
    if as_json:
        made = verifying.prove(since)
        unanswered = _compare(made)
        click.echo(json.dumps(made.to_dict() | {"unanswered": unanswered}))
    else:
        with progress.bar("Proving the books") as report:
            made = verifying.prove(since, report)
        with progress.bar("Asking the gateway") as report:
            unanswered = _compare(made, report)
        _tell(made, unanswered)
    return made.clean and unanswered is None


def _compare(made: Proof, report: verifying.Told = lambda _done, _total, _name: None) -> str | None:
    try:
        verifying.compare(made, report)
    except PaymentUnavailable as error:
        return str(error)
    return None


def _tell(made: Proof, unanswered: str | None) -> None:
    click.echo(f"{made.entries} entries, {made.orders} paid orders, {made.payments} payments at the gateway.")
    for each in made.differences:
        click.echo(f"{each.fault}: {each.subject}: {each.says} {each.remedy}", err=True)
    if made.under_way:
        click.echo(f"{made.under_way} payments are under way and differ for now: run this again in half an hour.")
    if unanswered is not None:
        click.echo(f"The books were not compared with the gateway. {unanswered}", err=True)
    elif made.clean:
        click.echo("Every entry balances, every license has its money behind it, and the gateway says the same.")
