"""A letter's facts, put into words: its subject, its text, its HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import current_app
from flask_babel import force_locale, format_date, format_datetime, gettext
from jinja2 import Environment, StrictUndefined

from app.core.money import Money
from app.core.store import settings
from app.letters.kinds import kind_of
from app.letters.models import Letter

_SUBJECT_MAX = 150
_DAY = {"en": "d MMMM y", "zh_Hans": "y年M月d日"}
_MOMENT = {"en": "d MMMM y, HH:mm", "zh_Hans": "y年M月d日 HH:mm"}


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says."""

    subject: str
    text: str
    html: str


def write(letter: Letter) -> Words:
    """Put the letter into words in its reader's language.

    Raises jinja2.UndefinedError where its context lacks something the templates ask for.
    """
    name = kind_of(letter.kind).name
    environment = _environment()
    with force_locale(letter.locale):
        context = _context(letter)
        template = environment.get_template(f"letters/{name}.txt")
        subject = one_line("".join(template.blocks["subject"](template.new_context(context))), _SUBJECT_MAX)
        text = template.render(context)
        html = environment.get_template(f"letters/{name}.html").render(context, subject=subject)
    return Words(subject, _tidy(text), html.strip() + "\n")


def one_line(text: str, most: int) -> str:
    """The text on one line, without what cannot be seen, cut to so many characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _environment() -> Environment:
    """The app's, except that a word that is missing is an error; made once."""
    if "letters_environment" not in current_app.extensions:
        made = current_app.jinja_env.overlay(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        current_app.extensions["letters_environment"] = made
    found: Environment = current_app.extensions["letters_environment"]
    return found


def _context(letter: Letter) -> dict[str, Any]:
    """What templates may say: the letter's facts, and how its reader writes amounts and times."""
    facts, locale, shop = letter.context, letter.locale, settings()

    def money(amount: Mapping[str, Any]) -> str:
        return Money(amount["minor"], amount["currency"]).format(locale)

    def moment(at: str) -> str:
        """A time, in UTC, for nobody knows where the letter is read."""
        return f"{format_datetime(datetime.fromisoformat(at), _MOMENT[locale], rebase=False)} UTC"

    def day(on: str) -> str:
        return str(format_date(date.fromisoformat(on), _DAY[locale], rebase=False))

    return {
        **facts,
        "rows": [
            (line["title"], money(line["amount"]) if line.get("amount") else "") for line in facts.get("lines", [])
        ],
        "attached": bool(letter.attachments),
        "_": gettext,
        "money": money,
        "moment": moment,
        "day": day,
        "lang": locale.replace("_", "-"),
        "base_url": shop.base_url,
        "seller": [shop.seller_name, *shop.seller_lines],
    }


def _tidy(text: str) -> str:
    """No spaces at the ends of lines, and never two empty lines in a row; the mark of a signature keeps its space."""
    lines = "\n".join(line if line == "-- " else line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"
