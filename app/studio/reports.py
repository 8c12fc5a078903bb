"""The ingest report on a release's page: what was found in each track's master, and what it sounds like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, render_template

from app.catalog.models import Release, Track
from app.core.auth import Permission, access
from app.media import ingest, ingest_words, sound_words, sounds
from app.media.models import Sound
from app.studio import desk

blueprint = Blueprint("reports", __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One track and what is to be said of its master."""

    track: Track
    mark: Literal["waiting", "bad", "plain", "good"]
    summary: str
    told: list[ingest_words.Told]
    sound: list[str]


def rows(release: Release) -> list[Row]:
    """The release's tracks that have a master, in order, and their reports in the reader's language."""
    ids = [track.id for track in release.tracks]
    reports, heard = ingest.reports_of(ids), sounds.of_tracks(ids)
    return [_row(track, reports[track.id], heard.get(track.id)) for track in release.tracks if track.id in reports]


@blueprint.get("/releases/<release_id>/ingest")
@access(Permission.STUDIO)
def section(release_id: str) -> str:
    """The report by itself, for the page that waits for it."""
    release = desk.release(release_id)
    return render_template("studio/_ingest_report.html", release=release, ingest=rows(release))


def _row(track: Track, report: ingest.Report, sound: Sound | None) -> Row:
    mark: Literal["waiting", "bad", "plain", "good"] = "good"
    if report.state == "waiting":
        mark = "waiting"
    elif report.shames:
        mark = "bad"
    elif report.notes or report.state == "failed":
        mark = "plain"
    return Row(
        track, mark, ingest_words.summary(report), ingest_words.told(report), sound_words.told(sound) if sound else []
    )
