"""Covers: any picture a label sends becomes one plain JPEG, decoded with care."""

from __future__ import annotations

import hashlib
import io
import struct

from flask_babel import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from app.core.errors import WavecrateError
from media_store import keys
from media_store.interface import MediaStore

SIDE = 1400
QUALITY = 88
MAX_BYTES = 20 * 1024**2
MAX_PIXELS = 60_000_000
# SVG is a program in a picture's clothes, and the rest are too rare to be worth their decoders.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


class BadImage(WavecrateError):
    """The picture can't be used; the message says why."""


def normalise(data: bytes) -> bytes:
    """The picture as an RGB JPEG of at most 1400 pixels a side, upright and without metadata; else BadImage.

    The same picture always makes the same bytes.
    """
    if len(data) > MAX_BYTES:
        raise BadImage(_("This picture is larger than 20 MB. Save it smaller."))
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage(_("This picture has more than 60 million pixels. Save it smaller."))
            image.draft("RGB", (SIDE * 2, SIDE * 2))  # a JPEG is decoded no larger than needed
            upright = ImageOps.exif_transpose(image)
            plain = _on_white(upright)
            plain.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
            body = io.BytesIO()
            plain.save(body, "JPEG", quality=QUALITY, optimize=True)
            return body.getvalue()
    except UnidentifiedImageError:
        raise BadImage(_("This is no picture the shop can read. Use JPEG, PNG or WebP.")) from None
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError, MemoryError):
        raise BadImage(_("This picture is damaged. Save it again and retry.")) from None


def store_cover(store: MediaStore, data: bytes) -> str:
    """Normalise and store a picture; return its key."""
    jpeg = normalise(data)
    key = keys.cover(hashlib.sha256(jpeg).hexdigest())
    store.put_bytes(key, jpeg, "image/jpeg")
    return key


def _on_white(image: Image.Image) -> Image.Image:
    """The picture in RGB, what is transparent shown on white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGB", clear.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return image.convert("RGB")
