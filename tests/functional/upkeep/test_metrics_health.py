"""What monitoring sees: whether the shop lives, whether it could serve, and what it counted."""

from __future__ import annotations

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from support import rows

from app.core import metrics, queue
from app.core.db import db, transaction
from app.factory import create_app
from app.orders import cases
from app.orders.models import Case, CaseKind
from app.settings import Settings, SettingsError, load_settings

TOKEN = "a-token-of-the-monitoring"


def told(text: bytes | str, name: str, **labels: str) -> float:
    """The sum over the samples of that name whose labels are these, whatever others they have."""
    families = text_string_to_metric_families(text if isinstance(text, str) else text.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_a_shop_with_its_engines_is_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").text == "ok"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"database": "ok", "migrations": "ok", "store": "ok"}


def test_an_older_schema_is_named_and_a_newer_one_served(client: FlaskClient, settings: Settings) -> None:
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "wavecrate migrate" in answer.json["migrations"]
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of_tomorrow'")
    assert client.get("/readyz").status_code == 200, "old code serves on while an upgrade is under way"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"database_url": "postgresql://nobody:hidden-word@127.0.0.1:9/nothing"}, "database"),
        ({"s3_endpoint_url": "http://127.0.0.1:9"}, "store"),
        ({"s3_bucket": "no-such-bucket"}, "store"),
    ],
)
def test_what_is_gone_is_named_and_nothing_is_told_of_it(settings: Settings, change: dict, part: str) -> None:
    answer = create_app(settings.model_copy(update=change)).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json[part] != "ok"
    assert "hidden-word" not in answer.text
    assert [name for name, said in answer.json.items() if said == "ok"] or part == "database"


def test_requests_are_counted_by_template_and_never_by_address(client: FlaskClient) -> None:
    before = metrics.exposition(shop_wide=False)[0]
    for number in range(3):
        client.get(f"/images/{number}.jpg")
    client.get("/nowhere/at/all")
    client.open("/healthz", method="BREW")
    after = client.get("/metrics").text
    route = {"route": "/images/<name>", "status": "404", "method": "GET"}
    counted = "wavecrate_request_seconds_count"
    assert told(after, counted, **route) - told(before, counted, **route) == 3
    assert (
        told(after, counted, route="(none)", method="other") - told(before, counted, route="(none)", method="other")
        == 1
    )
    assert "/nowhere" not in after
    assert "BREW" not in after


def test_the_queue_is_told_by_depth_and_age(app: Flask, client: FlaskClient) -> None:
    with transaction():
        queue.defer("nobody.does.this")
        queue.defer("nobody.does.this", queue_name=queue.TRANSCODE)
    text = client.get("/metrics").text
    assert told(text, "wavecrate_queue_jobs", queue="default", state="waiting") == 1
    assert told(text, "wavecrate_queue_jobs", queue="transcode", state="waiting") == 1
    assert told(text, "wavecrate_queue_jobs", queue="default", state="running") == 0
    assert told(text, "wavecrate_queue_oldest_seconds", queue="default") > 0
    assert told(text, "wavecrate_database_up") == 1


def test_cases_that_wait_for_a_person_are_told(app: Flask, client: FlaskClient) -> None:
    mo = rows.account("Mo")
    with transaction():
        for number in range(2):
            cases.raise_case(CaseKind.COUNTRY, f"country:{number}")
        cases.raise_case(CaseKind.BOOKS, "books:1")
        closed = db.session.scalars(select(Case).where(Case.kind == CaseKind.BOOKS)).one()
        cases.close(closed, "Done", mo.id)
    text = client.get("/metrics").text
    assert "# HELP wavecrate_open_cases Cases that wait for a person, by kind.\n" in text
    assert told(text, "wavecrate_open_cases", kind="country") == 2
    assert told(text, "wavecrate_open_cases", kind="books") == 0
    assert told(text, "wavecrate_open_cases", kind="mismatch") == 0


def test_without_a_database_the_rest_is_told(settings: Settings) -> None:
    gone = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:9/nothing"})
    text = create_app(gone).test_client().get("/metrics").text
    assert told(text, "wavecrate_database_up") == 0
    assert "wavecrate_request_seconds" in text


def test_without_a_token_only_this_machine_reads_metrics(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403, "a proxy beside us"


def test_with_a_token_anybody_who_knows_it(settings: Settings) -> None:
    app = create_app(Settings.model_validate(settings.model_dump() | {"metrics_token": TOKEN}))
    client, far = app.test_client(), {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, environ_base=far).status_code == 200


def test_a_request_keeps_the_number_a_proxy_of_ours_gave_it(client: FlaskClient) -> None:
    def number(given: str, caller: str = "127.0.0.1") -> str:
        answer = client.get("/healthz", headers={"X-Request-ID": given}, environ_base={"REMOTE_ADDR": caller})
        return answer.headers["X-Request-ID"]

    assert number("from-the-edge-1") == "from-the-edge-1"
    assert number("from-the-edge-1", caller="192.0.2.7") != "from-the-edge-1"
    for insane in ("short", "x" * 65, "with space and more", 'quo"ted-or-worse'):
        assert number(insane) != insane
    assert number("") != number("")


def test_a_proxy_list_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1,the-edge")
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES: 'the-edge' is no address"):
        load_settings()
