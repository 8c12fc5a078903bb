"""Pages for staff: what editors put forward, why a release is shown to how many, and trials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.audit import service as audit
from app.catalog import queries as catalog
from app.catalog import rights
from app.catalog.models import Release
from app.core import clock
from app.core.auth import Permission, access
from app.core.db import transaction
from app.core.errors import NotFound, WavecrateError
from app.core.queue import defer, waiting_args
from app.shelves import editing, experiments, reports
from app.shelves import staff_words as words
from app.shelves import standing as why
from app.shelves.forms import BoostForm, PinForm, TrialForm
from app.shelves.models import Boost, Pin, Trial
from app.shelves.shelf import ShelfName
from app.shelves.ways import QUESTIONS, Question

blueprint = Blueprint("staff", __name__, url_prefix="/admin/shelves")


@blueprint.get("")
@access(Permission.SHELVES_READ)
def index() -> str:
    """What is pinned and boosted now and in the days to come, and the way to a release."""
    return render_template(
        "shelves/index.html",
        pins=editing.pins(),
        boosts=editing.boosts(),
        may_edit=lambda release: rights.may_edit(current_user, release),
        today=_today(),
        words=words,
    )


@blueprint.get("/find")
@access(Permission.SHELVES_READ)
def find() -> Any:
    """To the page about the release whose address was typed."""
    typed = request.args.get("release", "").strip()
    found = catalog.release_at(typed)
    if found is None or not rights.may_edit(current_user, found):
        flash(
            _("There is no release of your labels at “%(line)s”. Copy its page’s address.", line=typed[:100]), "error"
        )
        return redirect(url_for("shelves.staff.index"), 303)
    return redirect(url_for("shelves.staff.release", release_id=found.id), 303)


@blueprint.get("/releases/<release_id>")
@access(Permission.SHELVES_READ)
def release(release_id: str) -> str:
    """Why a release is shown to how many; and where it is put forward."""
    return _release_page(_release(release_id))


@blueprint.post("/releases/<release_id>/pins")
@access(Permission.SHELVES_PIN)
def pin(release_id: str) -> Any:
    """Pin the release."""
    found, form = _release(release_id), PinForm.fresh(_today())
    if not form.validate_on_submit():
        return _release_page(found, pin_form=form), 422
    shelf, place = ShelfName(form.shelf.data), form.place.data
    try:
        with transaction():
            made = editing.pin(current_user, found, shelf, place, form.from_on.data, form.until_on.data)
            audit.record(current_user.id, "shelf.pin", f"release:{found.id}", _facts(made))
    except (editing.BadChoice, editing.TooMuch) as error:
        form.shelf.errors = [*form.shelf.errors, str(error)]
        return _release_page(found, pin_form=form), error.status
    flash(_("Pinned."), "success")
    return redirect(url_for("shelves.staff.release", release_id=found.id), 303)


@blueprint.post("/releases/<release_id>/boosts")
@access(Permission.SHELVES_BOOST)
def boost(release_id: str) -> Any:
    """Boost the release."""
    found, form = _release(release_id), BoostForm.fresh(_today())
    if not form.validate_on_submit():
        return _release_page(found, boost_form=form), 422
    shelf = ShelfName(form.shelf.data) if form.shelf.data else None
    try:
        with transaction():
            made = editing.boost(current_user, found, shelf, form.halves.data, form.from_on.data, form.until_on.data)
            audit.record(current_user.id, "shelf.boost", f"release:{found.id}", _facts(made))
    except (editing.BadChoice, editing.TooMuch) as error:
        form.shelf.errors = [*form.shelf.errors, str(error)]
        return _release_page(found, boost_form=form), error.status
    flash(_("Boosted."), "success")
    return redirect(url_for("shelves.staff.release", release_id=found.id), 303)


@blueprint.post("/pins/<pin_id>/take-off")
@access(Permission.SHELVES_PIN)
def unpin(pin_id: str) -> Any:
    """Take a pin off."""
    return _take_off(Pin, pin_id, "shelf.unpin", _("The pin is off."))


@blueprint.post("/boosts/<boost_id>/take-off")
@access(Permission.SHELVES_BOOST)
def unboost(boost_id: str) -> Any:
    """Take a boost off."""
    return _take_off(Boost, boost_id, "shelf.unboost", _("The boost is off."))


@blueprint.post("/count")
@access(Permission.SHELVES_READ)
def count() -> Any:
    """Have it counted again where releases stand."""
    with transaction():
        if not waiting_args("shelves.count"):
            defer("shelves.count")
    flash(_("It is being counted again. Load the page in a minute."), "success")
    return redirect(url_for("shelves.staff.index"), 303)


@blueprint.get("/trials")
@access(Permission.SHELVES_TRIALS)
def trials() -> str:
    """Every trial, the newest first."""
    return render_template(
        "shelves/trials.html",
        trials=[(each, experiments.state(each)) for each in experiments.all_trials()],
        says=_question_says,
        words=words,
    )


@blueprint.get("/trials/new")
@access(Permission.SHELVES_TRIALS)
def new_trial() -> str:
    """An empty form."""
    return render_template("shelves/new_trial.html", form=TrialForm.fresh())


@blueprint.post("/trials/new")
@access(Permission.SHELVES_TRIALS)
def create_trial() -> Any:
    """Write a trial down, without beginning it."""
    form = TrialForm.fresh()
    if not form.validate_on_submit():
        return render_template("shelves/new_trial.html", form=form), 422
    try:
        with transaction():
            made = experiments.create(form.wish())
            facts = {"name": made.name, "question": made.question, "variants": made.variants, "days": made.days}
            audit.record(current_user.id, "trial.create", f"trial:{made.id}", facts)
    except experiments.BadTrial as error:
        form.name.errors = [*form.name.errors, str(error)]
        return render_template("shelves/new_trial.html", form=form), 422
    flash(_("The trial is written down. Begin it when you are ready."), "success")
    return redirect(url_for("shelves.staff.trial", trial_id=made.id), 303)


@blueprint.get("/trials/<trial_id>")
@access(Permission.SHELVES_TRIALS)
def trial(trial_id: str) -> str:
    """A trial and its report."""
    found = _trial(trial_id)
    report = reports.of(found)
    return render_template(
        "shelves/trial.html",
        trial=found,
        state=experiments.state(found),
        report=report,
        says=reports.says(report),
        question=_question_says(found.question),
        ways=_ways(found.question),
        least=why.LEAST_PEOPLE,
        words=words,
    )


@blueprint.post("/trials/<trial_id>/start")
@access(Permission.SHELVES_TRIALS)
def start_trial(trial_id: str) -> Any:
    """Begin it."""
    return _step(trial_id, experiments.start, "trial.start", _("The trial has begun."))


@blueprint.post("/trials/<trial_id>/stop")
@access(Permission.SHELVES_TRIALS)
def stop_trial(trial_id: str) -> Any:
    """End it now."""
    told = _("The trial has ended. Everybody gets the usual way again.")
    return _step(trial_id, experiments.stop, "trial.stop", told)


@blueprint.post("/trials/<trial_id>/discard")
@access(Permission.SHELVES_TRIALS)
def discard_trial(trial_id: str) -> Any:
    """Throw away one that was never begun."""
    to_all = url_for("shelves.staff.trials")
    return _step(trial_id, experiments.discard, "trial.discard", _("The trial is thrown away."), onward=to_all)


def _step(trial_id: str, take: Callable[[Trial], None], action: str, told: str, onward: str | None = None) -> Any:
    """Change how a trial stands, in the log; then back to it, or, where that was done, `onward`."""
    found = _trial(trial_id)
    here = url_for("shelves.staff.trial", trial_id=trial_id)
    try:
        with transaction():
            take(found)
            audit.record(current_user.id, action, f"trial:{trial_id}", {"name": found.name})
    except WavecrateError as error:
        flash(str(error), "error")
        return redirect(here, 303)
    flash(told, "success")
    return redirect(onward or here, 303)


def _take_off(table: type[editing.Put], one_id: str, action: str, told: str) -> Any:
    with transaction():
        gone = editing.take_off(current_user, table, one_id)
        audit.record(current_user.id, action, f"release:{gone.release_id}", _facts(gone))
    flash(told, "success")
    if request.form.get("back") == "release":
        return redirect(url_for("shelves.staff.release", release_id=gone.release_id), 303)
    return redirect(url_for("shelves.staff.index"), 303)


def _release_page(found: Release, pin_form: PinForm | None = None, boost_form: BoostForm | None = None) -> str:
    return render_template(
        "shelves/release.html",
        release=found,
        standing=why.of(found.id),
        lately=why.lately(found.id),
        pins=[each for each in editing.pins() if each.release_id == found.id],
        boosts=[each for each in editing.boosts() if each.release_id == found.id],
        pin_form=pin_form or PinForm.fresh(_today()),
        boost_form=boost_form or BoostForm.fresh(_today()),
        limits=editing,
        why=why,
        today=_today(),
        words=words,
    )


def _facts(put: Pin | Boost) -> dict[str, str | int | None]:
    facts = {"shelf": put.shelf, "from": put.from_on.isoformat(), "until": put.until_on.isoformat()}
    return facts | ({"place": put.place} if isinstance(put, Pin) else {"halves": put.halves})


def _release(release_id: str) -> Release:
    found = catalog.release(release_id, include_drafts=True)
    if found is None or not rights.may_edit(current_user, found):
        raise NotFound(_("There is no such release among those of your labels."))
    return found


def _trial(trial_id: str) -> Trial:
    found = experiments.of_id(trial_id)
    if found is None:
        raise NotFound(_("There is no such trial."))
    return found


def _question_says(question: str) -> str:
    return str(QUESTIONS[Question(question)].says) if question in set(Question) else question


def _ways(question: str) -> dict[str, str]:
    """What each way says, by name; none of a question the code asks no more."""
    return {way.name: str(way.says) for way in QUESTIONS[Question(question)].ways} if question in set(Question) else {}


def _today() -> Any:
    return clock.now().date()
