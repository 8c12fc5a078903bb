"""What staff type to pin, to boost, and to try something."""

from __future__ import annotations

from datetime import date, timedelta

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import DateField, IntegerField, RadioField, SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange
from wtforms.widgets import TextInput

from app.shelves import editing, experiments
from app.shelves import staff_words as words
from app.shelves.experiments import Metric, TrialWish, Variant
from app.shelves.models import PLACES
from app.shelves.ways import QUESTIONS, Question

_COUNT = {"inputmode": "numeric", "size": 6, "autocomplete": "off"}
_A_DAY = _("Give a day, like 2026-05-31.")
_EVERY = ""


class _DaysForm(FlaskForm):
    """From a day to a day."""

    from_on = DateField(_("First day (UTC)"), validators=[DataRequired(_A_DAY)])
    until_on = DateField(_("Last day (UTC)"), validators=[DataRequired(_A_DAY)])


class PinForm(_DaysForm):
    """A new pin."""

    shelf = SelectField(_("Shelf"))
    place = SelectField(_("Place"), coerce=int)

    @classmethod
    def fresh(cls, today: date) -> PinForm:
        """A form for a week from today; where it was sent, as it was filled in."""
        form = cls(prefix="pin", data={"from_on": today, "until_on": today + timedelta(days=6), "place": 1})
        form.shelf.choices = [SelectChoice(name, words.shelf(name)) for name in editing.PINNED_SHELVES]
        form.place.choices = [SelectChoice(place, str(place)) for place in range(1, PLACES + 1)]
        return form


class BoostForm(_DaysForm):
    """A new boost."""

    shelf = SelectField(_("Shelf"))
    halves = SelectField(_("How much"), coerce=int)

    @classmethod
    def fresh(cls, today: date) -> BoostForm:
        """A form for a week from today; where it was sent, as it was filled in."""
        form = cls(prefix="boost", data={"from_on": today, "until_on": today + timedelta(days=6), "halves": 1})
        names = [SelectChoice(name, words.shelf(name)) for name in editing.BOOSTED_SHELVES]
        form.shelf.choices = [SelectChoice(_EVERY, words.shelf(None)), *names]
        form.halves.choices = [SelectChoice(halves, words.boost(halves)) for halves in editing.HALVES]
        return form


class TrialForm(FlaskForm):
    """A new trial: the usual way against another."""

    name = StringField(
        _("Name"),
        description=_("Small letters, digits and hyphens, like more-diverse-2026: it stands in commands."),
        validators=[DataRequired(_("Give the trial a name, to find it by.")), Length(max=60)],
        render_kw={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"},
    )
    hypothesis = TextAreaField(
        _("What you expect, and why"),
        description=_("Written down before anybody looks, so that nothing found by chance passes for what was sought."),
        validators=[DataRequired(_("Say what you expect before you look.")), Length(max=2000)],
        render_kw={"rows": 3},
    )
    tried = RadioField(_("What is tried"), validators=[InputRequired(_("Choose what is to be tried."))])
    share = IntegerField(
        _("Share of people who get it, in per cent"),
        description=_("The rest get the usual way. Half and half finds out soonest."),
        validators=[InputRequired(_("Say how many per cent.")), NumberRange(1, 99)],
        widget=TextInput(),
        render_kw=_COUNT,
        default=50,
    )
    metric = RadioField(_("What decides"), default=Metric.CLICKS)
    days = IntegerField(
        _("For how many days"),
        description=_("Whole weeks, for people do other things on Sundays. Decide now, not when it looks good."),
        validators=[InputRequired(_("Say for how many days.")), NumberRange(1, experiments.MOST_DAYS)],
        widget=TextInput(),
        render_kw=_COUNT,
        default=28,
    )

    @classmethod
    def fresh(cls) -> TrialForm:
        """An empty form; where it was sent, as it was filled in."""
        form = cls()
        form.tried.choices = [
            SelectChoice(f"{question}/{way.name}", f"{choice.says}: {way.says}")
            for question, choice in QUESTIONS.items()
            for way in choice.ways[1:]
        ]
        form.metric.choices = [SelectChoice(metric, words.metric(metric)) for metric in Metric]
        return form

    def wish(self) -> TrialWish:
        """What was filled in, in the service's words."""
        question, _slash, way = self.tried.data.partition("/")
        share = self.share.data or 0
        usual = QUESTIONS[Question(question)].usual
        return TrialWish(
            name=(self.name.data or "").strip(),
            hypothesis=self.hypothesis.data or "",
            question=Question(question),
            variants=[Variant(usual.name, 100 - share), Variant(way, share)],
            metric=Metric(self.metric.data),
            days=self.days.data or 0,
        )
