"""A download with other tags: the same sound under a new address."""

from __future__ import annotations

import tempfile
from pathlib import Path

from app.media.service import StaleDownload
from media_store import keys
from media_store.interface import MediaStore
from transcoder import downloads, tags
from transcoder.contract import MadeRendition


def retagged(stale: StaleDownload, store: MediaStore, workdir: Path) -> MadeRendition:
    """Fetch the file, write its tags and cover anew, store it; return it as the transcoder would have made it."""
    rendition = stale.rendition
    workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workdir, prefix="retag-") as folder:
        path = Path(folder) / f"file.{rendition.suffix}"
        store.get_file(rendition.key, path)
        tags.write_tags(path, stale.tags, store.get_bytes(stale.cover_key) if stale.cover_key else None)
        digest, crc = downloads.digests(path)
        made = MadeRendition(
            "download",
            rendition.name,
            keys.download(digest, rendition.suffix),
            rendition.content_type,
            rendition.suffix,
            path.stat().st_size,
            rendition.facts | {"sha256": digest, "crc32": crc, "tagged": stale.fingerprint},
        )
        store.put_file(made.key, path, made.content_type)
    return made
