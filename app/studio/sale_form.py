"""How a release is to be sold, as an editor types it, read and checked."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectChoice,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import DataRequired, Length, NumberRange, Optional
from wtforms.widgets import TextInput

from app.catalog import queries as catalog
from app.catalog.models import Offer, Release
from app.catalog.offers import MOST_RENTAL_DAYS, RENTAL_HOURS
from app.catalog.offers import TITLE_LIMIT as BUNDLE_TITLE_LIMIT
from app.catalog.service import TITLE_LIMIT
from app.core.money import SOLD_IN, BadAmount, Money, parse_money
from app.studio import sale
from app.studio.forms import CurrencyField, Fault, written

DEFAULT_RENTAL_DAYS = 30
_AMOUNT = {"inputmode": "decimal", "size": 8, "autocomplete": "off"}


class ListRow(Form):
    """The prices in one more currency."""

    currency = HiddenField()
    price = StringField(_("Price"), render_kw=_AMOUNT)
    rental = StringField(_("Rental"), render_kw=_AMOUNT)


class OffersForm(FlaskForm):
    """Everything that is asked for a release."""

    selling = RadioField(
        _("How it is sold"),
        choices=[
            SelectChoice("fixed", _("At a price")),
            SelectChoice("open", _("The buyer names the amount: the price below, or more")),
            SelectChoice("free", _("Free: nothing is asked, and nothing can be given")),
            SelectChoice("none", _("Not for sale")),
        ],
    )
    price = StringField(_("Price, or the least"), description=_("Like 9.90."), render_kw=_AMOUNT)
    currency = CurrencyField(_("Currency"))
    rental_price = StringField(_("Rental"), description=_("Empty: it is not lent."), render_kw=_AMOUNT)
    rental_days = IntegerField(
        _("Days until the first play"),
        description=_("From the first play on it plays for %(hours)s hours.", hours=RENTAL_HOURS),
        validators=[Optional(), NumberRange(1, MOST_RENTAL_DAYS)],
        widget=TextInput(),
        render_kw={"inputmode": "numeric", "size": 4},
    )
    prices = FieldList(FormField(ListRow))

    @classmethod
    def of(cls, release: Release) -> OffersForm:
        """The form as the release is sold now; where it was sent, as it was filled in."""
        offer, rental = release.offer, release.rental
        main = offer or rental
        form = cls(
            data={
                "selling": _selling(offer),
                "price": written(offer),
                "currency": main.currency if main else SOLD_IN[0],
                "rental_price": written(rental),
                "rental_days": (rental.rental_days if rental else None) or DEFAULT_RENTAL_DAYS,
                "prices": [
                    {"currency": code, "price": _listed(offer, code), "rental": _listed(rental, code)}
                    for code in sorted({*SOLD_IN, *(offer.currencies if offer else ())})
                ],
            }
        )
        form.currency.allow(main.currency if main else None)
        return form

    def validate_price(self, field: StringField) -> None:
        """There is one exactly where one is asked."""
        amount = self._amount(field, self.currency.data)
        if self.selling.data == "fixed" and amount is None:
            raise ValidationError(_("Give a price, or choose another way to sell it."))
        if self.selling.data == "fixed" and amount is not None and amount.minor == 0:
            raise ValidationError(_("A price is more than nothing. Choose “Free” where nothing is asked."))

    def validate_rental_price(self, field: StringField) -> None:
        """A rental costs something."""
        amount = self._amount(field, self.currency.data)
        if amount is not None and amount.minor == 0:
            raise ValidationError(_("A rental costs more than nothing. Leave it empty where there is none."))

    def validate_prices(self, field: FieldList) -> None:
        """Each amount is one of its row's currency; each cell says what is wrong."""
        wrong = False
        for row in field:
            for cell in (row.form.price, row.form.rental):
                try:
                    amount = self._amount(cell, row.form.currency.data)
                    if amount is None:
                        continue
                    if amount.minor == 0 and not (cell is row.form.price and self.selling.data == "open"):
                        raise ValidationError(_("A price is more than nothing. Leave it empty where there is none."))
                    if amount.currency == self.currency.data:
                        raise ValidationError(_("This is the currency of the price above. Leave it empty here."))
                except ValidationError as error:
                    cell.errors = [str(error)]
                    wrong = True
        if wrong:
            raise ValidationError(_("Some prices cannot be saved as they are."))

    def wanted(self) -> sale.SaleTerms:
        """What was filled in, in the service's words."""
        selling, currency = self.selling.data, self.currency.data
        nothing = Money(0, currency)
        price = self._amount(self.price, currency)
        return sale.SaleTerms(
            price={"free": nothing, "none": None, "open": price or nothing}.get(selling, price),
            open_price=selling == "open",
            rental_price=self._amount(self.rental_price, currency),
            rental_days=self.rental_days.data or DEFAULT_RENTAL_DAYS,
            prices=self._list("price") if selling in ("fixed", "open") else [],
            rental_prices=self._list("rental"),
        )

    def faults(self) -> list[Fault]:
        """Everything that is wrong, from top to bottom."""
        found = [
            Fault(field.id, str(field.label.text), " ".join(map(str, field.errors)))
            for field in self
            if field.errors and field is not self.prices
        ]
        for row in self.prices:
            found += [
                Fault(cell.id, f"{row.form.currency.data}, {cell.label.text}", " ".join(map(str, cell.errors)))
                for cell in (row.form.price, row.form.rental)
                if cell.errors
            ]
        return found

    def _list(self, column: str) -> list[Money]:
        amounts = [
            self._amount(getattr(row.form, column), row.form.currency.data)
            for row in self.prices
            if row.form.currency.data != self.currency.data
        ]
        return [amount for amount in amounts if amount is not None]

    @staticmethod
    def _amount(field: StringField, currency: str | None) -> Money | None:
        text = (field.data or "").strip()
        if not text:
            return None
        try:
            return parse_money(text.replace(",", "."), currency or SOLD_IN[0])
        except BadAmount as error:
            raise ValidationError(str(error)) from None


class BundleForm(FlaskForm):
    """Several releases sold as one."""

    title = StringField(
        _("Title"), validators=[DataRequired(_("A bundle needs a title.")), Length(max=BUNDLE_TITLE_LIMIT)]
    )
    title_zh = StringField(
        _("Chinese title"), validators=[Length(max=BUNDLE_TITLE_LIMIT)], render_kw={"lang": "zh-Hans"}
    )
    releases = TextAreaField(
        _("Releases"),
        description=_("Addresses of their pages, one a line, in the order they are shown."),
        validators=[DataRequired(_("A bundle holds two releases or more, each once."))],
        render_kw={"rows": 5},
    )
    price = StringField(
        _("Price"), description=_("Like 9.90."), validators=[DataRequired(_("Give a price."))], render_kw=_AMOUNT
    )
    currency = CurrencyField(_("Currency"))
    open_price = BooleanField(_("The buyer names the amount: this price, or more"))

    def validate_releases(self, field: TextAreaField) -> None:
        """Every line names a release there is."""
        self.members()

    def validate_price(self, field: StringField) -> None:
        """It is an amount in the chosen currency."""
        self.amount()

    def members(self) -> list[Release]:
        """The releases, in the order they were typed."""
        found = []
        for line in (self.releases.data or "").splitlines():
            if not line.strip():
                continue
            release = catalog.release_at(line)
            if release is None:
                raise ValidationError(_("There is no release at “%(line)s”.", line=line.strip()[:100]))
            found.append(release)
        return found

    def amount(self) -> Money:
        """The price; of an open one, the least."""
        try:
            return parse_money((self.price.data or "").replace(",", "."), self.currency.data or SOLD_IN[0])
        except BadAmount as error:
            raise ValidationError(str(error)) from None


class TrackToComeForm(FlaskForm):
    """A track that has no master yet."""

    title = StringField(_("Title"), validators=[DataRequired(_("A track needs a title.")), Length(max=TITLE_LIMIT)])


def _selling(offer: Offer | None) -> str:
    if offer is None:
        return "none"
    if offer.open_price:
        return "open"
    return "free" if offer.is_free else "fixed"


def _listed(offer: Offer | None, currency: str) -> str:
    rows = offer.prices if offer else []
    return next((str(row.price.decimal) for row in rows if row.currency == currency), "")
