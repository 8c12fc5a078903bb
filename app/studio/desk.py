"""What lies on the signed-in editor's desk: the one way by which the studio's pages come to a release or a track.

What is another label's is not there at all: whoever may not work on it is not told that it exists.
"""

from __future__ import annotations

from typing import cast

from flask_babel import gettext as _
from flask_login import current_user

from app.accounts.models import Account
from app.catalog import queries as catalog
from app.catalog import rights
from app.catalog.models import Release, Track
from app.core.errors import NotFound


def editor() -> Account:
    """Whose desk it is."""
    return cast(Account, current_user._get_current_object())


def release(release_id: str) -> Release:
    """The release, if it is one of the editor's to work on; else NotFound."""
    found = catalog.release(release_id, include_drafts=True)
    if found is None or not rights.may_edit(editor(), found):
        raise NotFound(_("There is no such release."))
    return found


def track(track_id: str) -> Track:
    """The track, if it is on such a release; else NotFound."""
    found = catalog.track(track_id, include_drafts=True)
    if found is None or not rights.may_edit(editor(), found.release):
        raise NotFound(_("There is no such track."))
    return found
