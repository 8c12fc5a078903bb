"""What every page shares: headers, error pages, template filters and globals."""

from __future__ import annotations

import re
from time import monotonic
from typing import Any

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException

from app.core import health, i18n, ids, logs, metrics, proxies
from app.core.auth import Access, access, declared_access
from app.core.db import db
from app.core.errors import Forbidden, WavecrateError
from app.core.money import Money
from app.core.store import media_store, settings
from app.payments import stripe_gateway

REQUEST_ID = "wavecrate.request_id"  # in the WSGI environment, where gunicorn's access log finds it
_BEGAN = "wavecrate.began"
# What a page of ours never asks a browser for; passkeys and full screen are ours alone.
_PERMISSIONS = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(),"
    " midi=(), payment=(), serial=(), usb=(), fullscreen=(self), publickey-credentials-create=(self),"
    " publickey-credentials-get=(self)"
)
_FOR_ANYBODY = (None, Access.PUBLIC, Access.SIGNATURE)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def init_app(app: Flask) -> None:
    """Attach it all to the app."""
    networks = app.extensions["settings"].trusted_networks
    app.wsgi_app = proxies.TrustedProxies(app.wsgi_app, networks)  # type: ignore[method-assign]
    app.add_url_rule("/healthz", "healthz", _healthz)
    app.add_url_rule("/readyz", "readyz", _readyz)
    app.add_url_rule("/metrics", "metrics", _metrics)
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)  # before anything that may refuse
    app.after_request(_end)
    app.teardown_request(lambda _error: logs.end())
    app.after_request(_security_headers)
    app.register_error_handler(WavecrateError, _our_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DataError, _not_storable)
    app.jinja_env.filters["money"] = lambda money: money.format(i18n.locale_code())
    app.jinja_env.filters["duration"] = duration
    app.jinja_env.filters["title"] = lambda thing: thing.title_in(i18n.locale_code())
    app.jinja_env.filters["name"] = lambda thing: thing.name_in(i18n.locale_code())
    app.jinja_env.globals.update(locale_code=i18n.locale_code, LOCALES=i18n.LOCALES, Money=Money, image_url=image_url)
    app.jinja_env.globals["html_lang"] = lambda: {"zh_Hans": "zh-Hans"}.get(i18n.locale_code(), "en")


@access(Access.PUBLIC)
def _healthz() -> str:
    """That this process answers; it asks nothing of the engines."""
    return "ok"


@access(Access.PUBLIC)
def _readyz() -> tuple[Response, int]:
    """Whether this process can serve: 200, or 503 with what is wrong."""
    found = health.readiness(settings(), media_store())
    answer = jsonify(found)
    answer.headers["Cache-Control"] = "no-store"
    return answer, 200 if all(said == health.OK for said in found.values()) else 503


@access(Access.SIGNATURE)
def _metrics() -> Response:
    """What Prometheus is told: to who knows METRICS_TOKEN; without one, to this machine itself."""
    token = settings().metrics_token
    # A proxy on this machine has a local address too, but says for whom it asks.
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"))
    local = request.remote_addr in ("127.0.0.1", "::1") and not forwarded
    if not metrics.may_read(
        token.get_secret_value() if token else None, request.headers.get("Authorization"), local=local
    ):
        raise Forbidden(_("Metrics are for the shop's own monitoring. Send METRICS_TOKEN as a bearer token."))
    told, content_type = metrics.exposition(shop_wide=True)
    return Response(told, content_type=content_type, headers={"Cache-Control": "no-store"})


def _begin() -> None:
    """Number the request: by the proxy's number where a proxy of ours gave a sane one."""
    given = request.headers.get("X-Request-ID", "")
    number = given if _SANE_ID.fullmatch(given) and proxies.BELIEVED in request.environ else ids.new_id()
    request.environ[REQUEST_ID], request.environ[_BEGAN] = number, monotonic()
    logs.begin(request_id=number)


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = request.environ[REQUEST_ID]
    route = request.url_rule.rule if request.url_rule else None
    took = monotonic() - request.environ[_BEGAN]
    metrics.request_answered(request.method, route, response.status_code, took)
    return response


def duration(milliseconds: int | None) -> str:
    """A length as people write it: 4:05, or 1:02:03."""
    seconds = round((milliseconds or 0) / 1000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def image_url(key: str | None) -> str | None:
    """The public address of a cover, poster or thumbnail strip."""
    return f"/{key}" if key else None


def _security_headers(response: Response) -> Response:
    store = settings().s3_public_endpoint_url or settings().s3_endpoint_url
    # media-src data: hls.js gives the subtitle tracks it makes an empty file of that kind, for Chrome's own menu.
    # The checkout form is answered with a redirect to the payment page, which Chromium holds against form-action too.
    payment_page = stripe_gateway.page_origin()
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob: data:; worker-src 'self' blob:;"
        f" connect-src 'self' {store}; style-src 'self'; script-src 'self'; object-src 'none';"
        f" base-uri 'none'; frame-ancestors 'none'; form-action 'self' {payment_page}",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if settings().base_url.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint and declared_access(current_app, request.endpoint) not in _FOR_ANYBODY:
        response.headers.setdefault("Cache-Control", "private, no-store")  # the next to sit here must not go back to it
    return response


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


def _error_page(status: int, message: str) -> tuple[Any, int]:
    db.session.rollback()
    if _wants_json():
        return jsonify(error=message), status
    return render_template("error.html", status=status, message=message), status


def _our_error(error: WavecrateError) -> Any:
    answer = make_response(_error_page(error.status, str(error)))
    retry_after = getattr(error, "retry_after", None)  # what is limited says in how many seconds
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _not_storable(_error: DataError) -> tuple[Any, int]:
    """PostgreSQL was sent what no column can hold: a NUL in an id, a number with too many digits."""
    return _error_page(400, _("The shop cannot read this address or what was typed. Check it for stray characters."))


def _http_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    messages = {
        404: _("There is nothing at this address. It may have moved, or the link is incomplete."),
        405: _("This address does not answer that kind of request."),
        413: _("That is more than this page takes at once."),
        500: _("Something broke on our side. Try again in a moment."),
    }
    if isinstance(error, CSRFError):
        return _error_page(400, _("This page was open too long. Load it again and repeat what you did."))
    return _error_page(error.code, messages.get(error.code, error.description or error.name))
