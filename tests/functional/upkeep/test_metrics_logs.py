"""The processes as they run: their logs hold no secret, and what they counted adds up over all of them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask
from media_samples import make_audio
from prometheus_client.parser import text_string_to_metric_families
from support import letters, rows
from support.instance import Instance, eventually, running
from support.shop import Browser, offer

from app.core import logs, queue
from app.core.db import db, transaction
from app.engines.processes import free_ports
from app.media import queries, service
from app.media.models import JobState
from app.orders.models import Order, OrderState
from app.settings import Settings
from media_store import keys
from media_store.s3 import S3Store
from transcoder.package import file_sha256
from transcoder.probe import probe_file

PASSWORD = "a-quiet-harbour-at-night"
EMAIL = "ada.of.the.harbour@example.org"
TOKEN = "a-token-of-the-monitoring"


def told(text: str, name: str, **labels: str) -> float:
    """The sum over the samples of that name whose labels are these, whatever others they have."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


@contextmanager
def shop(settings: Settings, directory: Path, **more: object) -> Iterator[Instance]:
    changed = Settings.model_validate(settings.model_dump() | more)
    with running(changed, directory) as instance:
        yield instance


def token_of(browser: Browser) -> str:
    return browser.get("/cart").text.split('name="csrf-token" content="')[1].split('"')[0]


def test_a_play_a_checkout_a_download_and_jobs_leave_no_secret_in_any_log(
    app: Flask, settings: Settings, store: S3Store, tmp_path: Path
) -> None:
    [metrics_port] = free_ports(1)
    secret = {
        "log_format": "json",
        "metrics_token": TOKEN,
        "metrics_port": metrics_port,
        "signing_secret_previous": "an-earlier-signing-secret",
    }
    release = rows.release("Tides", tracks=1)
    track, offered = release.tracks[0], offer(release=release)
    master = make_audio(tmp_path / "tides.wav", seconds=3)
    digest = file_sha256(master)
    store.put_file(keys.master(digest), master, "audio/wav")
    with transaction():
        service.enqueue_master(
            track, sha256=digest, size=master.stat().st_size, filename=master.name, probe=probe_file(master)
        )
        # Fails with a traceback, and the queue's own line names the arguments.
        queue.defer("downloads.archive", args={"link": "https://s3/key?X-Amz-Signature=deadbeefdeadbeef"})
    seen: set[str] = {PASSWORD, EMAIL, TOKEN, "deadbeefdeadbeef"}
    with shop(settings, tmp_path, **secret) as instance:
        browser = Browser(instance.url)
        browser.get("/sign-up")
        browser.submit("/sign-up", email=EMAIL)
        link = letters.invitation(EMAIL)
        seen.add(link.rpartition("/")[2])
        browser.get(link)
        browser.submit(link, name="Ada", password=PASSWORD)
        csrf = token_of(browser)
        browser.session.post(
            f"{instance.url}/cart/items", data={"offer_id": offered.id, "csrf_token": csrf}, timeout=30
        )
        browser.get("/cart")
        browser.submit("/checkout")
        pay(browser, seen)

        def paid() -> bool:
            db.session.rollback()
            return db.session.query(Order).one().state == OrderState.PAID

        eventually(paid)
        eventually(lambda: done(track.id))

        play = browser.session.post(
            f"{instance.url}/play/{track.id}", headers={"X-CSRFToken": csrf, "Accept": "application/json"}, timeout=30
        )
        assert play.status_code == 200, play.text
        playlist = play.json()["playlist"]
        signature = playlist.split("/")[2].split(".")[2]
        seen |= {csrf, signature, *browser.session.cookies.values()}
        folder = instance.url + playlist.rpartition("/")[0]
        listed = browser.session.get(instance.url + playlist, timeout=30)
        assert listed.status_code == 200
        rung = next(line for line in listed.text.splitlines() if line.endswith("index.m3u8"))
        media = browser.session.get(f"{folder}/{rung}", timeout=30).text
        key = re.findall(r'URI="\.\./(key/[0-9]+\.key)"', media)[0]
        given = browser.session.get(f"{folder}/{key}", timeout=30)
        assert given.status_code == 200
        assert requests.get(f"{folder}/{key}", timeout=30).status_code == 403, "a stranger with the address"
        for content_key in (given.content, queries.segment_key(track.id, 0)):
            seen |= {content_key.hex(), base64.b64encode(content_key).decode()}
        forged = playlist.replace(signature, signature[::-1])
        requests.get(instance.url + forged, timeout=30)
        requests.get(instance.url + playlist.replace("streams", "%73treams"), timeout=30)
        seen.add(signature[::-1])

        file = browser.session.get(f"{instance.url}/downloads/{track.id}/flac", allow_redirects=False, timeout=30)
        presigned = file.headers["Location"]
        seen.add(presigned.split("X-Amz-Signature=")[1].split("&")[0])
        assert requests.get(presigned, timeout=30).content
        requests.post(
            f"{instance.url}/webhooks/stripe",
            data=b"{}",
            headers={"Stripe-Signature": "t=1,v1=made-up-proof"},
            timeout=30,
        )
        seen.add("made-up-proof")
        numbered = requests.get(
            f"{instance.url}/nowhere?token=what-a-person-typed", headers={"X-Request-ID": "edge-number-1"}, timeout=30
        )
        assert numbered.headers["X-Request-ID"] == "edge-number-1"
        seen.add("what-a-person-typed")

        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert requests.get(f"{instance.url}/metrics", timeout=30).status_code == 403
        counted = requests.get(f"{instance.url}/metrics", headers=bearer, timeout=30).text
        at_work = f"http://127.0.0.1:{metrics_port}/metrics"
        assert requests.get(at_work, timeout=30).status_code == 403
        jobs = requests.get(at_work, headers=bearer, timeout=30).text

    assert told(counted, "wavecrate_plays_begun_total") == 1
    assert told(counted, "wavecrate_keys_total", outcome="given") == 1
    assert told(counted, "wavecrate_keys_total", outcome="refused") == 1
    assert told(counted, "wavecrate_webhook_lag_seconds_count") >= 1
    assert told(counted, "wavecrate_request_seconds_count", route="/play/<track_id>", status="200") == 1
    assert told(counted, "wavecrate_queue_jobs", state="failed") == 1
    assert told(jobs, "wavecrate_jobs_total", task="media.transcode", outcome="done") == 1
    assert told(jobs, "wavecrate_jobs_total", task="downloads.archive", outcome="failed") == 1
    assert told(jobs, "wavecrate_transcodes_total", kind="audio", outcome="done") == 1
    assert told(jobs, "wavecrate_encoded_media_seconds_total", kind="audio") == pytest.approx(3, abs=0.1)
    assert told(jobs, "wavecrate_encoding_wall_seconds_total", kind="audio") > 0

    everything = "\n".join(instance.lines("shop") + instance.lines("worker"))
    config = Settings.model_validate(settings.model_dump() | secret)
    for hidden in seen | logs.secrets_of(config):
        assert hidden not in everything, f"{hidden!r} is in the logs"
    lines = [json.loads(line) for line in instance.lines("shop") + instance.lines("worker")]
    assert all(line["timestamp"] and line["level"] and line["message"] for line in lines)
    [nowhere] = [line for line in lines if line.get("path") == "/nowhere"]
    assert (nowhere["request_id"], nowhere["status"], nowhere["method"]) == ("edge-number-1", 404, "GET")
    played = [line for line in lines if str(line.get("path", "")).startswith("/media/")]
    assert len(played) >= 6
    assert all(logs.HIDDEN in line["path"] for line in played)
    failed = [line for line in lines if line.get("task") == "downloads.archive" and "Traceback" in str(line)]
    assert failed, "what went wrong is still told"
    assert failed[0]["job"].isdigit()


def pay(browser: Browser, seen: set[str]) -> None:
    """Pay on the sandbox's page with the card that always works."""
    assert "/pay/cs_test_" in browser.page.url
    browser.submit(None)


def done(track_id: str) -> bool:
    db.session.rollback()
    job = queries.job_of(track_id)
    assert job is not None
    assert job.state != JobState.FAILED, job.reason
    return job.state == JobState.DONE


@pytest.mark.parametrize(
    ("said", "kept", "lost"),
    [
        ("GET /media/1795.bcdfghjkmnpqrstv.AbC-_1/streams/ff/a.m3u8 404", "/streams/ff/a.m3u8 404", "AbC-_1"),
        ("at /media/17959.x%2Fy/streams", "/streams", "x%2Fy"),
        ("https://s3/b/k?X-Amz-Credential=AK%2F1&X-Amz-Signature=abc123&y=2", "&y=2", "abc123"),
        ("postgresql://shop:hidden@db.internal/wavecrate", "@db.internal/wavecrate", "hidden"),
        ("Authorization: Basic YWRhOmhpZGRlbg==", "Authorization", "YWRhOmhpZGRlbg"),
        ("sent {'Cookie': 'wavecrate=eyJfd', 'Host': 'x'}", "sent", "eyJfd"),
        ("with key sk_live_51Habcdefgh gone", "gone", "51Habc"),
        ("mail to ada+shop@mail.example.org bounced", "bounced", "ada"),
        ("the secret is open-sesame-1234!", "the secret is", "open-sesame-1234"),
        ("in a URL: ?n=a%2Fb%3D1234 done", "done", "a%2Fb%3D1234"),
    ],
)
def test_what_must_not_be_read_is_blotted_out(said: str, kept: str, lost: str) -> None:
    redacted = logs.Redactor({"open-sesame-1234", "a%2Fb%3D1234"})(said)
    assert lost not in redacted
    assert kept in redacted


def test_a_traceback_keeps_the_names_of_our_files() -> None:
    said = 'File "/srv/app/media/service.py", line 3, in publish\n  File "/srv/media_store/s3.py", line 9'
    assert logs.Redactor({"whatever"})(said) == said
