"""What a bench stands on: a PostgreSQL and an S3 server of its run's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core import migrate
from app.core.store import open_store
from app.engines import instance
from app.engines.postgres import Postgres
from app.engines.s3 import SeaweedFS
from app.settings import Settings, load_settings


@dataclass
class Ground:
    """The engines, and the settings of a shop on them; `directory` goes with them."""

    directory: Path
    postgres: Postgres
    settings: Settings


@contextmanager
def engines(*, durable: bool = True) -> Iterator[Ground]:
    """Engines with an empty shop on them, which the environment then names: processes started within find it.

    Without `durable` the database doesn't wait for the disk.
    """
    with tempfile.TemporaryDirectory(prefix="wavecrate-bench-") as name:
        directory = Path(name)
        postgres, s3 = Postgres(directory, durable=durable), SeaweedFS(directory)
        try:
            postgres.start()
            s3.start()
            postgres.ensure_database()
            os.environ |= instance.with_secrets({}) | {
                "WAVECRATE_VAR": name,
                "DATABASE_URL": postgres.url(),
                "S3_ENDPOINT_URL": s3.endpoint_url,
                "S3_ACCESS_KEY": s3.access_key,
                "S3_SECRET_KEY": s3.secret_key,
            }
            settings = load_settings()
            migrate.upgrade(settings.sqlalchemy_url)
            open_store(settings).ensure_bucket()
            yield Ground(directory, postgres, settings)
        finally:
            s3.stop()
            postgres.stop()
