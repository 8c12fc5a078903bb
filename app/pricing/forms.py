"""What staff type to make a coupon, read and checked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateTimeLocalField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectChoice,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import DataRequired, Length, NumberRange, Optional
from wtforms.widgets import TextInput

from app.accounts.models import Account
from app.catalog import queries as catalog
from app.catalog.models import Label
from app.core.db import db
from app.core.money import SOLD_IN, BadAmount, parse_money
from app.pricing.contract import CurrencyTerms
from app.pricing.coupons import MOST_CODES, CouponWish

_AMOUNT = {"inputmode": "decimal", "size": 8, "autocomplete": "off"}
_COUNT = {"inputmode": "numeric", "size": 6, "autocomplete": "off"}


class TermsRow(Form):
    """What holds in one currency."""

    currency = HiddenField()
    off = StringField(_("Amount off"), render_kw=_AMOUNT)
    least = StringField(_("Least order"), render_kw=_AMOUNT)


class CouponForm(FlaskForm):
    """A new coupon."""

    name = StringField(
        _("Name"),
        description=_("For you, to find it by: buyers don’t see it."),
        validators=[DataRequired(_("Give the coupon a name, to find it by.")), Length(max=80)],
    )
    code = StringField(
        _("Code"),
        description=_("What everybody types, like SUMMER25. Empty: only codes made in bulk."),
        validators=[Length(max=60)],
        render_kw={"autocapitalize": "characters", "autocomplete": "off"},
    )
    takes = RadioField(
        _("What it takes off"),
        choices=[
            SelectChoice("percent", _("A percentage")),
            SelectChoice("amount", _("An amount, in each currency below")),
        ],
        default="percent",
    )
    percent = StringField(_("Per cent"), render_kw=_AMOUNT)
    terms = FieldList(FormField(TermsRow))
    releases = TextAreaField(
        _("Only for these releases"),
        description=_("Addresses of their pages, one a line. Empty: for every release."),
        render_kw={"rows": 3},
    )
    labels = SelectMultipleField(_("Only for these labels"), render_kw={"size": 4})
    customers = TextAreaField(
        _("Only for these customers"),
        description=_("E-mail addresses of their accounts, one a line. Empty: for everybody."),
        render_kw={"rows": 3},
    )
    first_order_only = BooleanField(_("Only for a customer’s first order"))
    max_uses = IntegerField(
        _("Uses in all"), validators=[Optional(), NumberRange(1, 99_999_999)], widget=TextInput(), render_kw=_COUNT
    )
    max_uses_each = IntegerField(
        _("Uses per customer"),
        validators=[Optional(), NumberRange(1, 99_999_999)],
        widget=TextInput(),
        render_kw=_COUNT,
    )
    starts_at = DateTimeLocalField(_("From (UTC)"), validators=[Optional()])
    ends_at = DateTimeLocalField(_("Until (UTC)"), validators=[Optional()])

    @classmethod
    def fresh(cls, labels: list[Label]) -> CouponForm:
        """An empty form; where it was sent, as it was filled in."""
        form = cls(data={"takes": "percent", "terms": [{"currency": code} for code in SOLD_IN]})
        form.labels.choices = [SelectChoice(label.id, label.name) for label in labels]
        return form

    def validate_percent(self, field: StringField) -> None:
        """A percentage between nothing and all, where one is to be taken off."""
        if self.takes.data == "percent":
            self._percent()

    def validate_terms(self, field: FieldList) -> None:
        """Each amount is one of its row's currency, and there is one where amounts are to be taken off."""
        wrong = False
        for row in field:
            for cell in (row.form.off, row.form.least):
                try:
                    _amount(cell, row.form.currency.data)
                except ValidationError as error:
                    cell.errors = [str(error)]
                    wrong = True
        if wrong:
            raise ValidationError(_("Some amounts cannot be read."))
        if self.takes.data == "amount" and not any((row.form.off.data or "").strip() for row in field):
            raise ValidationError(_("Give the amount in one currency at least."))

    def validate_releases(self, field: TextAreaField) -> None:
        """Every line names a release there is."""
        self._releases()

    def validate_customers(self, field: TextAreaField) -> None:
        """Every line is the e-mail of an account there is."""
        self._customers()

    def wish(self) -> CouponWish:
        """What was filled in, in the service's words."""
        amounts = self.takes.data == "amount"
        terms = [
            CurrencyTerms(
                row.form.currency.data,
                _amount(row.form.off, row.form.currency.data) if amounts else None,
                _amount(row.form.least, row.form.currency.data),
            )
            for row in self.terms
        ]
        return CouponWish(
            name=self.name.data or "",
            percent=None if amounts else self._percent(),
            terms=[term for term in terms if term.off is not None or term.least is not None],
            release_ids=self._releases(),
            label_ids=self.labels.data or [],
            account_ids=self._customers(),
            first_order_only=bool(self.first_order_only.data),
            max_uses=self.max_uses.data,
            max_uses_each=self.max_uses_each.data,
            starts_at=_utc(self.starts_at.data),
            ends_at=_utc(self.ends_at.data),
        )

    def _percent(self) -> Decimal:
        text = (self.percent.data or "").strip().removesuffix("%").strip().replace(",", ".")
        try:
            percent = Decimal(text)
        except InvalidOperation:
            percent = Decimal("NaN")
        if not percent.is_finite() or not 0 < percent <= 100 or percent != percent.quantize(Decimal("0.01")):
            raise ValidationError(_("A percentage is a number like 25 or 12.5, not more than 100."))
        return percent

    def _releases(self) -> list[str]:
        found = []
        for line in _lines(self.releases):
            release = catalog.release_at(line)
            if release is None:
                raise ValidationError(_("There is no release at “%(line)s”.", line=line[:100]))
            found.append(release.id)
        return found

    def _customers(self) -> list[str]:
        found = []
        for line in _lines(self.customers):
            account = db.session.query(Account).filter_by(email=line.lower()).one_or_none()
            if account is None:
                raise ValidationError(_("There is no account with the e-mail “%(line)s”.", line=line[:100]))
            found.append(account.id)
        return found


class CodesForm(FlaskForm):
    """How many single-use codes to make."""

    count = IntegerField(
        _("How many"),
        validators=[DataRequired(_("Say how many codes to make.")), NumberRange(1, MOST_CODES)],
        widget=TextInput(),
        render_kw=_COUNT,
    )


def _lines(field: TextAreaField) -> list[str]:
    return [line.strip() for line in (field.data or "").splitlines() if line.strip()]


def _amount(field: StringField, currency: str | None) -> int | None:
    text = (field.data or "").strip()
    if not text:
        return None
    try:
        minor = parse_money(text.replace(",", "."), currency or "").minor
    except BadAmount as error:
        raise ValidationError(str(error)) from None
    if minor == 0:
        raise ValidationError(_("An amount is more than nothing. Leave it empty where there is none."))
    return minor


def _utc(typed: datetime | None) -> datetime | None:
    return typed.replace(tzinfo=UTC) if typed else None
