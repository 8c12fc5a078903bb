"""What people type about themselves."""

from __future__ import annotations

from babel import Locale
from babel.numbers import list_currencies
from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    PasswordField,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length

from app.accounts.errors import BadAccount
from app.accounts.passwords import LEAST, MOST
from app.accounts.service import NAME_MAX, normalise_email
from app.core import countries
from app.core.i18n import LOCALES

_CURRENCIES = ("CNY", "EUR", "USD", "GBP", "JPY", "HKD", "TWD", "KRW", "CHF", "SEK", "NOK", "DKK", "PLN", "CAD", "AUD")


def _is_email(_form: FlaskForm, field: Field) -> None:
    try:
        normalise_email(field.data or "")
    except BadAccount as error:
        raise ValidationError(str(error)) from None


def _email(label: str = _("E-mail"), *, autofocus: bool = True) -> EmailField:
    return EmailField(
        label,
        validators=[InputRequired(_("Type your e-mail address.")), _is_email],
        render_kw={"autocomplete": "email", "maxlength": 254} | ({"autofocus": True} if autofocus else {}),
    )


def _new_password(label: str = _("Password")) -> PasswordField:
    return PasswordField(
        label,
        description=_("8 characters or more. A few words in a row make a good one."),
        validators=[
            InputRequired(_("Choose a password.")),
            Length(min=LEAST, max=MOST, message=_("A password has %(min)d to %(max)d characters.")),
        ],
        render_kw={"autocomplete": "new-password", "minlength": LEAST, "maxlength": MOST},
    )


def _present_password() -> PasswordField:
    return PasswordField(
        _("Present password"),
        validators=[InputRequired(_("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )


def _name(*, autofocus: bool = False) -> StringField:
    return StringField(
        _("Name"),
        description=_("As the shop should greet you."),
        validators=[InputRequired(_("Tell us your name.")), Length(max=NAME_MAX)],
        render_kw={"autocomplete": "name", "maxlength": NAME_MAX} | ({"autofocus": True} if autofocus else {}),
    )


class SignInForm(FlaskForm):
    """Who are you?"""

    next = HiddenField()
    email = _email()
    password = PasswordField(
        _("Password"),
        validators=[InputRequired(_("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )
    remember = BooleanField(_("Keep me signed in on this device"))


class EmailForm(FlaskForm):
    """Where to send the letter."""

    next = HiddenField()
    email = _email()


class WelcomeForm(FlaskForm):
    """The rest of an account, once its address is proved."""

    next = HiddenField()
    name = _name(autofocus=True)
    password = _new_password()


class NewPasswordForm(FlaskForm):
    """A new password, by a letter's link."""

    next = HiddenField()
    password = _new_password(_("New password"))


class ChangePasswordForm(FlaskForm):
    """Another password, by who knows the present one."""

    present = _present_password()
    password = _new_password(_("New password"))


class ProveForm(FlaskForm):
    """Is it still you?"""

    next = HiddenField()
    password = PasswordField(
        _("Password"),
        validators=[InputRequired(_("Type your password."))],
        render_kw={"autocomplete": "current-password", "autofocus": True},
    )


class CodeForm(FlaskForm):
    """What the app shows, or a recovery code."""

    next = HiddenField()
    code = StringField(
        _("Code"),
        description=_("The six digits that your app shows, or a recovery code."),
        validators=[InputRequired(_("Type the code.")), Length(max=40)],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false", "maxlength": 40},
    )


class ActionForm(FlaskForm):
    """A button with nothing to type."""


class NewEmailForm(FlaskForm):
    """Another address."""

    email = _email(_("New e-mail address"), autofocus=False)


class ProfileForm(FlaskForm):
    """How the shop speaks to a person."""

    name = _name()
    locale = SelectField(_("Language"))
    currency = SelectField(
        _("Currency"), description=_("Prices are shown in it where there is a choice."), validate_choice=True
    )

    def offer_choices(self) -> None:
        """Fill in what can be chosen, in the reader's language."""
        anything = (("", _("As the browser asks")), ("", _("As the shop sees fit")))
        self.locale.choices = [anything[0], *LOCALES.items()]
        words = Locale.parse(str(get_locale() or "en"))
        known = [code for code in _CURRENCIES if code in list_currencies()]
        self.currency.choices = [
            anything[1],
            *((code, f"{code} · {words.currencies.get(code, code)}") for code in known),
        ]


class AddressForm(FlaskForm):
    """A postal address."""

    name = StringField(
        _("Name"),
        validators=[InputRequired(_("Say who it is for.")), Length(max=120)],
        render_kw={"autocomplete": "name", "maxlength": 120},
    )
    line1 = StringField(
        _("Street and number"),
        validators=[InputRequired(_("Type street and number.")), Length(max=200)],
        render_kw={"autocomplete": "address-line1", "maxlength": 200},
    )
    line2 = StringField(
        _("More of the address"),
        description=_("Flat, floor, company; leave it empty where there is none."),
        validators=[Length(max=200)],
        render_kw={"autocomplete": "address-line2", "maxlength": 200},
    )
    postal_code = StringField(
        _("Postal code"), validators=[Length(max=20)], render_kw={"autocomplete": "postal-code", "maxlength": 20}
    )
    city = StringField(
        _("City"),
        validators=[InputRequired(_("Type the city.")), Length(max=120)],
        render_kw={"autocomplete": "address-level2", "maxlength": 120},
    )
    region = StringField(
        _("State or province"),
        validators=[Length(max=120)],
        render_kw={"autocomplete": "address-level1", "maxlength": 120},
    )
    country = SelectField(_("Country"), render_kw={"autocomplete": "country"})

    def offer_choices(self) -> None:
        """Fill in the countries, by name in the reader's language."""
        self.country.choices = [("", _("Choose a country")), *countries.by_name()]
