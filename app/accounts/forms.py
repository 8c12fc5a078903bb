"""Sign-up and sign-in as they are typed."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, HiddenField, PasswordField, StringField, ValidationError
from wtforms.validators import InputRequired, Length

from app.accounts.service import NAME_MAX, PASSWORD_MAX, PASSWORD_MIN, BadAccount, normalise_email


def _is_email(_form: FlaskForm, field: EmailField) -> None:
    try:
        normalise_email(field.data or "")
    except BadAccount as error:
        raise ValidationError(str(error)) from None


class SignInForm(FlaskForm):
    """Who are you?"""

    next = HiddenField()
    email = EmailField(
        _("E-mail"),
        validators=[InputRequired(_("Type your e-mail address.")), _is_email],
        render_kw={"autocomplete": "email", "maxlength": 254, "autofocus": True},
    )
    password = PasswordField(
        _("Password"),
        validators=[InputRequired(_("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )
    remember = BooleanField(_("Keep me signed in on this device"))


class SignUpForm(FlaskForm):
    """Make an account."""

    next = HiddenField()
    name = StringField(
        _("Name"),
        description=_("As the shop should greet you."),
        validators=[InputRequired(_("Tell us your name.")), Length(max=NAME_MAX)],
        render_kw={"autocomplete": "name", "maxlength": NAME_MAX, "autofocus": True},
    )
    email = EmailField(
        _("E-mail"),
        validators=[InputRequired(_("Type your e-mail address.")), _is_email],
        render_kw={"autocomplete": "email", "maxlength": 254},
    )
    password = PasswordField(
        _("Password"),
        description=_("8 characters or more. A few words in a row make a good one."),
        validators=[
            InputRequired(_("Choose a password.")),
            Length(min=PASSWORD_MIN, max=PASSWORD_MAX, message=_("A password has %(min)d to %(max)d characters.")),
        ],
        render_kw={"autocomplete": "new-password", "minlength": PASSWORD_MIN, "maxlength": PASSWORD_MAX},
    )
