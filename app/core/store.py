"""The shop's one media store, made from the settings."""

from __future__ import annotations

from flask import current_app

from app.core import metrics
from app.settings import Settings
from media_store.s3 import S3Store


def open_store(settings: Settings) -> S3Store:
    """A store on the bucket the settings name."""
    return S3Store(
        endpoint_url=settings.s3_endpoint_url,
        public_endpoint_url=settings.s3_public_endpoint_url,
        bucket=settings.s3_bucket,
        prefix=settings.s3_prefix,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        on_error=metrics.store_error,
    )


def media_store() -> S3Store:
    """The present app's store."""
    store: S3Store = current_app.extensions["media_store"]
    return store


def settings() -> Settings:
    """The present app's settings."""
    found: Settings = current_app.extensions["settings"]
    return found
