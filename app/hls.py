"""`wavecrate hls`: hold a stream against the rules it should keep, from a terminal and from outside, over HTTP."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import click

if TYPE_CHECKING:
    import requests

    from transcoder.authoring.lint import Report

_SECONDS = 30


@click.group()
def hls() -> None:
    """Look into streams."""


@hls.command()
@click.argument("url", required=False)
@click.option("--track", help="Play this track of the shop at --shop, instead of a URL.")
@click.option("--shop", help="Where the shop is; by default, where this machine's is.")
@click.option("--email", help="Sign in as this account, which must own what is looked into, to get the keys.")
@click.option("--password-stdin", is_flag=True, help="Read the account's password from standard input.")
@click.option("--segments", type=click.IntRange(1), help="Fetch only so many segments of each playlist.")
@click.option("--seconds", type=click.IntRange(1), default=900, show_default=True, help="Give up after so long.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def lint(
    url: str | None,
    track: str | None,
    shop: str | None,
    email: str | None,
    password_stdin: bool,
    segments: int | None,
    seconds: int,
    as_json: bool,
) -> None:
    """Check the stream at URL against Apple's HLS Authoring Specification and RFC 8216bis.

    Exit code 1: a MUST is broken. 2: none is, as far as could be seen, but something that a MUST speaks of could not
    be read (a sealed stream without --email, segments that are not fMP4).
    """
    import requests

    from transcoder.authoring.lint import FetchFailed
    from transcoder.authoring.lint import lint as judge

    if (url is None) == (track is None):
        raise click.UsageError("Name a URL, or a track with --track: one of them.")
    if (email is None) == password_stdin:
        raise click.UsageError("--email and --password-stdin go together.")
    if track and not email:
        raise click.UsageError("--track needs --email and --password-stdin: only owners may play.")
    session = requests.Session()
    try:
        if track:
            shop = shop or _own_shop()
        origin = shop or "{0.scheme}://{0.netloc}/".format(urlsplit(url or ""))
        if email:
            _sign_in(session, origin, email, sys.stdin.readline().rstrip("\n"))
        address = url or _play(session, origin, track or "")
        report = judge(address, session=session, segments=segments, seconds=seconds)
    except FetchFailed as error:
        raise click.ClickException(str(error)) from error
    except requests.RequestException as error:
        raise click.ClickException(f"{error} Is the address right, and does anything answer there?") from error
    if as_json:
        click.echo(report.to_json())
    else:
        _print(report)
    sys.exit(1 if report.failed else 2 if report.incomplete else 0)


def _own_shop() -> str:
    from app.settings import load_settings

    return load_settings().base_url


def _token(session: requests.Session, origin: str, path: str) -> dict[str, str]:
    page = session.get(urljoin(origin, path), timeout=_SECONDS)
    found = re.search(r'<meta name="csrf-token" content="([^"]+)"', page.text)
    if not found:
        raise click.ClickException(f"{page.url} is not a page of this shop. Name it with --shop.")
    return {"X-CSRFToken": found[1], "Referer": page.url}


def _sign_in(session: requests.Session, origin: str, email: str, password: str) -> None:
    headers = _token(session, origin, "/sign-in")
    form = {"email": email, "password": password}
    answer = session.post(urljoin(origin, "/sign-in"), data=form, headers=headers, timeout=_SECONDS)
    if not answer.ok or urlsplit(answer.url).path == "/sign-in":
        raise click.ClickException("The shop does not know this e-mail address with this password.")


def _play(session: requests.Session, origin: str, track: str) -> str:
    """Begin a play; where its playlist is."""
    headers = _token(session, origin, "/") | {"Accept": "application/json"}
    answer = session.post(urljoin(origin, f"/play/{track}"), headers=headers, timeout=_SECONDS)
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    if not answer.ok or "playlist" not in told:
        raise click.ClickException(told.get("error") or f"{answer.url} answered {answer.status_code}.")
    return urljoin(origin, told["playlist"])


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from transcoder.authoring.lint import Status

    colours = {Status.PASSED: "green", Status.FAILED: "red", Status.EXPLAINED: "yellow", Status.UNCHECKED: "magenta"}
    table = Table("rule", "level", "result", "what", pad_edge=False)
    for verdict in report.verdicts:
        colour = colours.get(verdict.status, "dim")
        said = f"{escape(verdict.rule.title)}\n[dim]{escape(verdict.found)}[/dim]"
        table.add_row(verdict.rule.id, verdict.rule.level, f"[{colour}]{verdict.status}[/{colour}]", said)
    console = Console(highlight=False)
    console.print(table)
    for verdict in report.verdicts:
        if verdict.status == Status.FAILED:
            console.print(
                f"[red]{verdict.rule.level} {verdict.rule.id}[/red] {escape(verdict.rule.title)}.\n"
                f"   Found: {escape(verdict.found)}\n   Remedy: {escape(verdict.rule.remedy)}",
                soft_wrap=True,
            )
    counts = {status: sum(v.status == status for v in report.verdicts) for status in Status}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items() if count) + ".")
