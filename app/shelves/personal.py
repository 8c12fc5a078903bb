"""What shelves hold of a person: what they were shown and followed, under their pseudonym."""

from __future__ import annotations

from typing import Any

from app.accounts import leaving
from app.accounts.models import Account
from app.discovery import choices
from app.shelves import exposures


def _export(account: Account) -> list[dict[str, Any]]:
    return [
        {
            "at": one.at.isoformat(),
            "what": one.what,
            "shelf": one.shelf,
            "release": one.release_id,
            "place": one.place,
            "put_there_by": one.source,
            "trial": one.trial_id,
            "variant": one.variant,
        }
        for one in exposures.of_person(account.id)
    ]


def _forget(account: Account) -> None:
    exposures.forget(account.id)


leaving.on_export["shelves"] = _export
leaving.on_close.append(_forget)
choices.on_withdrawn.append(exposures.forget)
