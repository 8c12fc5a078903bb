"""A gift as a form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import EmailField, StringField, TextAreaField

from app.cart import gifts
from app.cart.gifts import BadGift, Gift
from app.cart.models import CartItem
from app.core import clock


class GiftForm(FlaskForm):
    """To whom, when, from whom, and a word to go with it."""

    to = EmailField(
        _("Their e-mail"),
        description=_("They get a letter with a link to claim the gift."),
        render_kw={"autocomplete": "off", "maxlength": 254, "required": True},
    )
    on = StringField(
        _("Send it on"),
        description=_("Left empty, it goes out as soon as it is paid. Days are those of UTC."),
        render_kw={"type": "date"},
    )
    sender = StringField(_("From whom"), render_kw={"maxlength": gifts.FROM_MAX, "autocomplete": "name"})
    message = TextAreaField(_("A word from you"), render_kw={"maxlength": gifts.MESSAGE_MAX, "rows": 4})
    amount = StringField(_("What you give"), render_kw={"inputmode": "decimal", "autocomplete": "off"})

    @classmethod
    def of(cls, item: CartItem | None = None, **more: Any) -> GiftForm:
        """An empty one, or a gift's that is in the cart; what was sent wins."""
        held = {}
        if item is not None:
            held = {
                "to": item.gift_to,
                "on": item.gift_on.isoformat() if item.gift_on else "",
                "sender": item.gift_from,
                "message": item.gift_message,
            }
        form = cls(data=held | more)
        today = clock.now().date()
        form.on.render_kw = {
            "type": "date",
            "min": today.isoformat(),
            "max": (today + timedelta(days=gifts.MOST_DAYS)).isoformat(),
        }
        return form

    def gift(self) -> Gift | None:
        """The gift, or None: the fields then say what is wrong with it."""
        try:
            return gifts.read(self.to.data or "", self.on.data or "", self.sender.data or "", self.message.data or "")
        except BadGift as error:
            self[error.field].errors = [str(error)]
            return None
