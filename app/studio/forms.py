"""What editors type, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import (
    BooleanField,
    DateField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.core import UnboundField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional
from wtforms.widgets import TextInput

from app.catalog.models import Offer, Release, Track
from app.catalog.service import DESCRIPTION_LIMIT, NAME_LIMIT, TITLE_LIMIT
from app.catalog.territory import BadTerritory, Territory
from app.core.money import SOLD_IN, BadAmount, Money, parse_money
from app.studio import territory_form

_CHINESE = {"lang": "zh-Hans"}


_COUNT = {"inputmode": "numeric", "size": 3}
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")


def _plain_isrc(text: str | None) -> str | None:
    """An ISRC as it is kept: capitals, without the hyphens it is often printed with."""
    return re.sub(r"[\s\-‐‑–]", "", text).upper() if text else text


class CurrencyField(SelectField):
    """One of the currencies the shop sells in."""

    choices: Any

    def __init__(self, label: Any = None, validators: Any = None, **more: Any) -> None:
        super().__init__(label, validators, choices=list(SOLD_IN), **more)

    def allow(self, currency: str | None) -> None:
        """Offer one more, for what is sold in it since before."""
        if currency is not None and currency not in self.choices:
            self.choices = [*self.choices, currency]


class TrackForm(Form):
    """One row of the track list. Numbers are typed as text: in a grid the arrow keys move between cells."""

    track_id = HiddenField()
    disc = IntegerField(
        _("Disc"), validators=[InputRequired(), NumberRange(1, 99)], widget=TextInput(), render_kw=_COUNT
    )
    position = IntegerField(
        _("Number"), validators=[InputRequired(), NumberRange(1, 999)], widget=TextInput(), render_kw=_COUNT
    )
    title = StringField(_("Title"), validators=[DataRequired(_("A track needs a title.")), Length(max=TITLE_LIMIT)])
    title_zh = StringField(_("Chinese title"), validators=[Length(max=TITLE_LIMIT)], render_kw=_CHINESE)
    artist = StringField(_("Artist"), validators=[Length(max=NAME_LIMIT)])
    isrc = StringField("ISRC", filters=[_plain_isrc], render_kw={"size": 12, "autocapitalize": "characters"})
    price = StringField(_("Price by itself"), render_kw={"inputmode": "decimal", "size": 6})

    def validate_isrc(self, field: StringField) -> None:
        """An ISRC has a country, a registrant, a year and a number: 12 characters."""
        if field.data and not _ISRC.fullmatch(field.data):
            raise ValidationError(_("An ISRC is 12 characters, like GBAYE6800011."))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can't be saved as it is: the id of its field, what the field is called, what to do about it."""

    field_id: str
    called: str
    says: str


class ReleaseForm(FlaskForm):
    """Everything of a release that an editor can change."""

    title = StringField(_("Title"), validators=[DataRequired(_("A release needs a title.")), Length(max=TITLE_LIMIT)])
    title_zh = StringField(_("Chinese title"), validators=[Length(max=TITLE_LIMIT)], render_kw=_CHINESE)
    artist = StringField(
        _("Artist"), validators=[DataRequired(_("A release needs an artist.")), Length(max=NAME_LIMIT)]
    )
    artist_zh = StringField(_("Artist's Chinese name"), validators=[Length(max=NAME_LIMIT)], render_kw=_CHINESE)
    label = StringField(_("Label"), validators=[Length(max=NAME_LIMIT)])
    genre = StringField(_("Genre"), validators=[Length(max=NAME_LIMIT)], render_kw={"list": "genres"})
    released_on = DateField(_("Released on"), validators=[Optional()])
    description = TextAreaField(_("Description"), validators=[Length(max=DESCRIPTION_LIMIT)], render_kw={"rows": 5})
    description_zh = TextAreaField(
        _("Chinese description"), validators=[Length(max=DESCRIPTION_LIMIT)], render_kw={"rows": 5, **_CHINESE}
    )
    cover = FileField(
        _("Cover"),
        description=_("JPEG, PNG or WebP, square, 1400 pixels a side or more; up to 12 MB."),
        render_kw={"accept": "image/jpeg,image/png,image/webp"},
    )
    price = StringField(
        _("Price"),
        description=_("Like 9.90. Empty: not for sale, or free."),
        render_kw={"inputmode": "decimal", "size": 8},
    )
    currency = CurrencyField(_("Currency"))
    sold = SelectField(
        _("Sold"),
        choices=[
            SelectChoice(territory_form.EVERYWHERE, _("Everywhere")),
            SelectChoice(territory_form.ONLY, _("Only in these countries")),
            SelectChoice(territory_form.BARRED, _("Everywhere but in these countries")),
        ],
    )
    countries = TextAreaField(
        _("Countries"),
        description=_("Names, or codes of two letters: Germany, AT, JP. EU stands for its members. Commas between."),
        render_kw={"rows": 2, "autocomplete": "off", "spellcheck": "false"},
    )
    tracks = FieldList(FormField(TrackForm))

    @classmethod
    def of(cls, release: Release, default_currency: str = "EUR") -> ReleaseForm:
        """The form as the release is now; where it was sent, as it was filled in."""
        offer = release.offer
        currency = offer.currency if offer else default_currency
        territory = Territory.of(release)
        values: dict[str, Any] = {
            "title": release.title,
            "title_zh": release.title_zh,
            "artist": release.artist.name,
            "artist_zh": release.artist.name_zh,
            "label": release.label.name if release.label else "",
            "genre": release.genre.name if release.genre else "",
            "released_on": release.released_on,
            "description": release.description,
            "description_zh": release.description_zh,
            "price": written(offer),
            "currency": currency,
            "sold": territory_form.rule_of(territory),
            "countries": territory_form.written(territory),
            "tracks": [_row(track) for track in release.tracks],
        }
        form = cls(data=values)
        form.currency.allow(currency)
        return form

    def validate_price(self, field: StringField) -> None:
        """The price is an amount in the chosen currency, or nothing."""
        self._amount(field)

    def validate_countries(self, field: TextAreaField) -> None:
        """The countries are countries, and there are some where the choice speaks of them."""
        self.territory()

    def validate_tracks(self, field: FieldList) -> None:
        """Each track's price is an amount, and no two tracks have the same number; each cell says what is wrong."""
        wrong = False
        seen: dict[tuple[int | None, int | None], TrackForm] = {}
        for row in field:
            try:
                self._amount(row.form.price)
            except ValidationError as error:
                row.form.price.errors = [str(error)]
                wrong = True
            place = (row.form.disc.data, row.form.position.data)
            if None not in place and place in seen:
                for twin in (seen[place], row.form):
                    twin.position.errors = [str(_("Two tracks cannot have the same number. Give each its own."))]
                wrong = True
            seen.setdefault(place, row.form)
        if wrong:
            raise ValidationError(_("Some cells of the track list cannot be saved as they are."))

    def validate_released_on(self, field: DateField) -> None:
        """Recorded music is younger than the phonograph."""
        if field.data is not None and not date(1857, 1, 1) <= field.data <= date(2199, 12, 31):
            raise ValidationError(_("This is no year a recording can be from."))

    def rows(self) -> list[TrackForm]:
        """The track list in the order of the numbers that were typed; what is no number stands where it stood."""

        def place(row: TrackForm) -> tuple[int, int]:
            disc, position = row.disc.data, row.position.data
            return (
                row.disc.object_data or 1 if disc is None else disc,
                row.position.object_data or 0 if position is None else position,
            )

        return sorted((entry.form for entry in self.tracks), key=place)

    def faults(self) -> list[Fault]:
        """Everything that is wrong, from top to bottom."""
        found = [
            Fault(field.id, str(field.label.text), " ".join(map(str, field.errors)))
            for field in self
            if field.errors and field is not self.tracks
        ]
        for number, row in enumerate(self.rows(), 1):
            found += [
                Fault(cell.id, cell_name(cell.label.text, number), " ".join(map(str, cell.errors)))
                for cell in row
                if cell.errors
            ]
        return found

    def release_price(self) -> Money | None:
        """What the whole release is to cost; None: not for sale."""
        return self._amount(self.price)

    def territory(self) -> Territory:
        """Where it is to be sold."""
        try:
            return territory_form.read(self.sold.data or territory_form.EVERYWHERE, self.countries.data or "")
        except BadTerritory as error:
            raise ValidationError(str(error)) from None

    def track_price(self, row: TrackForm) -> Money | None:
        """What the track is to cost by itself; None: only with the release."""
        return self._amount(row.price)

    def _amount(self, field: StringField) -> Money | None:
        text = (field.data or "").strip()
        if not text:
            return None
        try:
            amount = parse_money(text.replace(",", "."), self.currency.data or "EUR")
        except BadAmount as error:
            raise ValidationError(str(error)) from None
        if amount.minor == 0:
            raise ValidationError(_("A price is more than nothing. Leave it empty where there is none."))
        return amount


# Longer than any box set. The parts of a form are counted before anybody looks at who sends it, so there is an end.
MOST_TRACKS = 1000
# A part for each cell and field, and some for what a page adds of its own, like the token.
FORM_PARTS = MOST_TRACKS * sum(isinstance(each, UnboundField) for each in vars(TrackForm).values()) + 50


class ActionForm(FlaskForm):
    """A button: nothing but the token."""


def cell_name(column: object, number: int) -> str:
    """What a cell of the track list is called."""
    return str(_("%(column)s, row %(number)s", column=column, number=number))


def written(offer: Offer | None) -> str:
    """A price as it stands in a field; nothing, where nothing is asked."""
    return str(offer.price.decimal) if offer and offer.price_minor else ""


def _row(track: Track) -> dict[str, Any]:
    return {
        "track_id": track.id,
        "disc": track.disc,
        "position": track.position,
        "title": track.title,
        "title_zh": track.title_zh,
        "artist": track.artist.name if track.artist else "",
        "isrc": track.isrc,
        "price": written(track.offer),
    }


class SubtitleForm(FlaskForm):
    """A file of subtitles and what it is."""

    file = FileField(
        _("File"),
        description=_("SRT or WebVTT, up to 1 MB."),
        validators=[FileRequired(_("Choose a file."))],
        render_kw={"accept": ".srt,.vtt,text/vtt,application/x-subrip"},
    )
    language = StringField(
        _("Language"),
        description=_("A tag such as en, zh-Hans or fr."),
        validators=[Length(max=35)],
        render_kw={"list": "subtitle-languages", "autocomplete": "off", "autocapitalize": "none"},
    )
    name = StringField(
        _("Name in the player"),
        description=_("Empty: the language’s own name."),
        validators=[Length(max=80)],
    )
    hearing = BooleanField(_("Captions: they tell sounds too, for those who don’t hear"))


class LabelForm(FlaskForm):
    """A label by its name."""

    label = StringField(
        _("Label"),
        validators=[InputRequired(_("Type the label’s name.")), Length(max=NAME_LIMIT)],
        render_kw={"list": "labels", "autocomplete": "off", "maxlength": NAME_LIMIT},
    )
