"""Whose releases a person may work on: those of the labels they were given, or all. The one place that says so."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, delete, false, select, true
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Account
from app.catalog.models import EditorLabel, Label, Release
from app.core import clock
from app.core.auth import Permission
from app.core.db import db
from app.core.errors import Forbidden


class NotYourLabel(Forbidden):
    """The person may not put anything out on that label; the message names those they may."""


def may_edit(account: Account | None, release: Release) -> bool:
    """Whether the person may change the release, and hear it before others do."""
    if account is None or not account.may(Permission.STUDIO):
        return False
    if account.may(Permission.EVERY_LABEL):
        return True
    return release.label_id is not None and release.label_id in label_ids(account)


def editable(account: Account) -> ColumnElement[bool]:
    """The releases for which `may_edit` is true, as a condition of a query."""
    if not account.may(Permission.STUDIO):
        return false()
    if account.may(Permission.EVERY_LABEL):
        return true()
    return Release.label_id.in_(select(EditorLabel.label_id).where(EditorLabel.account_id == account.id))


def label_ids(account: Account) -> set[str]:
    """The labels the person was given, by id."""
    return set(db.session.scalars(select(EditorLabel.label_id).where(EditorLabel.account_id == account.id)))


def labels(account: Account) -> list[Label]:
    """The labels the person was given, by name."""
    given = select(EditorLabel.label_id).where(EditorLabel.account_id == account.id)
    return list(db.session.scalars(select(Label).where(Label.id.in_(given)).order_by(Label.name)))


def label_for(account: Account, name: str | None) -> str | None:
    """The name of the label that the person's release may carry, who asked for `name`; None is for no label.

    Raises NotYourLabel where it is none of theirs. Labels are told apart as they are kept, upper and lower case alike.
    """
    if account.may(Permission.EVERY_LABEL):
        return name
    own = labels(account)
    wanted = (name or "").strip().casefold()
    for label in own:
        if wanted == label.name.casefold():
            return label.name
    some_label(account)
    raise NotYourLabel(
        _("Your releases come out on a label of yours: %(labels)s.", labels=", ".join(label.name for label in own))
    )


def some_label(account: Account) -> None:
    """Raise NotYourLabel for somebody who may put out nothing at all."""
    if not account.may(Permission.EVERY_LABEL) and not label_ids(account):
        raise NotYourLabel(_("You have no label yet. Ask the people who run the shop to give you yours."))


def give_label(account: Account, label: Label) -> bool:
    """Let an editor work on a label's releases; True if they could not before."""
    given = db.session.execute(
        insert(EditorLabel)
        .values(account_id=account.id, label_id=label.id, given_at=clock.now())
        .on_conflict_do_nothing()
        .returning(EditorLabel.label_id)
    )
    return given.first() is not None


def take_label(account: Account, label: Label) -> bool:
    """End that; True if they could before."""
    taken = db.session.execute(
        delete(EditorLabel)
        .where(EditorLabel.account_id == account.id, EditorLabel.label_id == label.id)
        .returning(EditorLabel.label_id)
    )
    return taken.first() is not None
