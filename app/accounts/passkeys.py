"""WebAuthn's two ceremonies, by the library; the challenges between their halves are rows."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import webauthn
from flask_babel import gettext as _
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.accounts import factors
from app.accounts.errors import BadAccount
from app.accounts.models import Account, Challenge
from app.core import clock
from app.core.db import db

_HOLDS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Site:
    """Which site the keys are for: its host (WebAuthn's relying party) and the origin its pages have."""

    host: str
    origin: str


def to_add(account: Account, session_id: str, site: Site) -> dict[str, Any]:
    """What the browser needs to make a passkey."""
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=factors.ISSUER,
        user_id=account.id.encode(),
        user_name=account.email,
        user_display_name=account.name,
        challenge=_challenge(session_id, "add"),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=_known(account),
    )
    told: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return told


def add(account: Account, session_id: str, site: Site, answer: dict[str, Any], name: str) -> list[str]:
    """Keep the passkey the browser made; returns recovery codes where they are the first. BadAccount where it is no
    answer to what was asked."""
    try:
        verified = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=_asked(session_id, "add"),
            expected_rp_id=site.host,
            expected_origin=site.origin,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise BadAccount(_("The passkey could not be kept. Try again.")) from None
    return factors.add_passkey(
        account,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name,
    )


def to_show(account: Account, session_id: str, site: Site) -> dict[str, Any]:
    """What the browser needs to show one of the person's passkeys."""
    options = webauthn.generate_authentication_options(
        rp_id=site.host, challenge=_challenge(session_id, "show"), allow_credentials=_known(account)
    )
    told: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return told


def check(account: Account, session_id: str, site: Site, answer: dict[str, Any]) -> bool:
    """Whether the browser showed one of the person's passkeys; what was asked is used up by this."""
    asked = _asked(session_id, "show")
    try:
        held = factors.passkey(account.id, base64url_to_bytes(answer["rawId"]))
        if held is None:
            return False
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=asked,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=held.public_key,
            credential_current_sign_count=held.sign_count,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return False
    factors.used_passkey(held, verified.new_sign_count)
    return True


def _known(account: Account) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=held.credential_id) for held in factors.passkeys(account.id)]


def _challenge(session_id: str, purpose: str) -> bytes:
    made = secrets.token_bytes(32)
    row = insert(Challenge).values(
        session_id=session_id, purpose=purpose, challenge=made, expires_at=clock.now() + _HOLDS
    )
    db.session.execute(
        row.on_conflict_do_update(
            index_elements=["session_id", "purpose"],
            set_={"challenge": row.excluded.challenge, "expires_at": row.excluded.expires_at},
        )
    )
    return made


def _asked(session_id: str, purpose: str) -> bytes:
    """What was asked, which can be answered no second time; something nobody can answer where nothing was."""
    found = db.session.execute(
        delete(Challenge)
        .where(Challenge.session_id == session_id, Challenge.purpose == purpose)
        .returning(Challenge.challenge, Challenge.expires_at)
    ).one_or_none()
    if found is None or found.expires_at <= clock.now():
        return secrets.token_bytes(32)
    return bytes(found.challenge)
