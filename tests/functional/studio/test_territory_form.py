"""How an editor says where a release is sold."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows
from support.shop import offer

from app.accounts.models import Account
from app.audit.models import AuditEntry
from app.catalog.models import Release
from app.catalog.territory import BadTerritory
from app.core.db import db
from app.pricing.rates import EU
from app.studio import territory_form
from tests.functional.studio.test_studio_pages import filled


@pytest.fixture
def release(editor: Account) -> Release:
    """Priced, and sold everywhere."""
    made = rows.release("Tides")
    offer(release=made)
    return made


def save(client: FlaskClient, release: Release, **typed: str) -> tuple[int, str]:
    """Send the page's form with these fields; status and page."""
    at = f"/studio/releases/{release.id}"
    answer = client.post(at, data=filled(client.get(at).text, **typed))
    db.session.expire_all()
    return answer.status_code, answer.text


def test_countries_are_typed_kept_shown_and_logged(editor: Account, client: FlaskClient, release: Release) -> None:
    assert save(client, release, sold="only", countries="Germany, at\nJP")[0] == 303
    assert (release.territories, release.territories_barred) == (["AT", "DE", "JP"], False)
    page = client.get(f"/studio/releases/{release.id}").text
    assert "AT, DE, JP</textarea>" in page
    assert '<option selected value="only">' in page
    assert "Sold only in: Austria, Germany, Japan." in page
    assert save(client, release, title="Tides II")[0] == 303
    assert release.territories == ["AT", "DE", "JP"], "another change leaves them"
    assert save(client, release, sold="barred", countries="FR")[0] == 303
    assert (release.territories, release.territories_barred) == (["FR"], True)
    assert "Not sold in: France." in client.get(f"/studio/releases/{release.id}").text
    assert save(client, release, sold="everywhere", countries="")[0] == 303
    assert (release.territories, release.territories_barred) == (None, False)
    logged = db.session.execute(
        select(AuditEntry.actor_id, AuditEntry.subject, AuditEntry.facts)
        .where(AuditEntry.action == "release.territory")
        .order_by(AuditEntry.seq)
    ).all()
    assert [(row.actor_id, row.subject) for row in logged] == [(editor.id, f"release:{release.id}")] * 3
    nowhere_kept = {"countries": [], "barred": True}
    only = {"countries": ["AT", "DE", "JP"], "barred": False}
    but = {"countries": ["FR"], "barred": True}
    assert [row.facts for row in logged] == [
        {"from": nowhere_kept, "to": only},
        {"from": only, "to": but},
        {"from": but, "to": nowhere_kept},
    ]


@pytest.mark.parametrize(
    ("sold", "typed", "said"),
    [
        ("only", "Germany, Atlantis, QQ", "No country is called so: Atlantis, QQ."),
        ("only", " , ", "Name the countries, or choose that it is sold everywhere."),
        ("barred", "", "Name the countries, or choose that it is sold everywhere."),
        ("everywhere", "DE", "Choose what these countries mean, or empty the field"),
        ("only", "<b>", "No country is called so: &lt;b&gt;."),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field_and_nothing_is_lost(
    client: FlaskClient, release: Release, sold: str, typed: str, said: str
) -> None:
    status, page = save(client, release, sold=sold, countries=typed, title="Typed over")
    assert status == 422
    assert said in page
    assert 'href="#countries"' in page
    assert 'aria-describedby="countries-help countries-error"' in page
    assert 'value="Typed over"' in page
    assert f'<option selected value="{sold}">' in page
    assert (release.title, release.territories) == ("Tides", None)
    assert db.session.query(AuditEntry).filter_by(action="release.territory").count() == 0


def test_a_choice_that_is_none_is_refused(client: FlaskClient, release: Release) -> None:
    assert save(client, release, sold="nowhere", countries="DE")[0] == 422
    assert release.territories is None


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("de fr; JP", {"DE", "FR", "JP"}),
        ("Hong Kong SAR China，日本、CI", {"HK", "JP", "CI"}),
        ("united  kingdom, UK", {"GB"}),
        ("EU, Norway", EU | {"NO"}),
    ],
)
def test_names_and_codes_are_read(app: Flask, typed: str, codes: set[str]) -> None:
    with app.test_request_context(headers={"Accept-Language": "zh-CN"}):
        assert territory_form.read(territory_form.ONLY, typed).countries == codes
        with pytest.raises(BadTerritory):
            territory_form.read(territory_form.BARRED, "日本 and France")


def test_another_labels_release_is_not_there(client: FlaskClient, release: Release, editor: Account) -> None:
    editor.role = "editor"
    db.session.commit()
    at = f"/studio/releases/{release.id}"
    assert client.post(at, data={"title": "Tides", "sold": "only", "countries": "DE"}).status_code == 404
    db.session.expire_all()
    assert release.territories is None
