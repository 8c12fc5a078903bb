from sqlalchemy import select

from app.core.db import db
from app.media.models import Rendition


def previews_of(ids):
    rows = db.session.scalars(select(Rendition).where(Rendition.track_id.in_(ids), Rendition.kind == "preview"))
    return {r.track_id: r for r in rows}


def posters_of(ids):
    rows = db.session.scalars(select(Rendition).where(Rendition.track_id.in_(ids), Rendition.kind == "poster"))
    return {r.track_id: r for r in rows}


def stream_of(track_id):
    return db.session.scalars(select(Rendition).where(Rendition.track_id == track_id, Rendition.kind == "stream")).first()
