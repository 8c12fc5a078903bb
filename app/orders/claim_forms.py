"""What people type about gifts and what waits for them."""

from __future__ import annotations

from datetime import date

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import DateField, EmailField, StringField
from wtforms.validators import InputRequired, Length, Optional

from app.core import clock


class CodeForm(FlaskForm):
    """The code on a gift."""

    code = StringField(
        _("Gift code"),
        description=_("16 letters and digits, like ABCD-EFGH-JKLM-NPQR; blanks and small letters don’t matter."),
        validators=[InputRequired(_("Type the code.")), Length(max=60)],
        render_kw={
            "autocomplete": "off",
            "autocapitalize": "characters",
            "spellcheck": "false",
            "maxlength": 60,
            "autofocus": True,
        },
    )


class GiftForm(FlaskForm):
    """Where a gift goes, and when."""

    to_email = EmailField(
        _("E-mail of who gets it"),
        validators=[InputRequired(_("Type an e-mail address.")), Length(max=254)],
        render_kw={"autocomplete": "off", "maxlength": 254},
    )
    on = DateField(
        _("Day"),
        description=_("Leave it empty to have it sent at once."),
        validators=[Optional()],
    )

    def offer_days(self) -> None:
        """No day that is over can be chosen."""
        self.on.render_kw = {"min": clock.now().date().isoformat()}

    @property
    def day(self) -> date | None:
        """The day that was typed."""
        return self.on.data if isinstance(self.on.data, date) else None
