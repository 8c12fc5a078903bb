"""A release's cover as a JPEG, drawn in code, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from app.demo.art import light_room, print_room
from app.demo.paint import Picture, to_image

SIZE = 1400

_ARTISTS: dict[str, Callable[[int], Picture]] = {
    "weather": light_room.weather,
    "load": print_room.load,
    "cats": print_room.cats,
    "doors": light_room.doors,
    "river": light_room.river,
    "save": print_room.save,
    "ceiling": print_room.ceiling,
    "mains": light_room.mains,
    "orders": print_room.orders,
    "waited": print_room.waited,
    "orbit": light_room.orbit,
    "crosswalk": light_room.crosswalk,
    "tide": light_room.tide,
    "fold": light_room.fold,
}


def cover(key: str, size: int = SIZE) -> bytes:
    """The cover of the release of that key, as a square JPEG `size` pixels wide."""
    out = BytesIO()
    to_image(_ARTISTS[key](size)).save(out, "JPEG", quality=88, optimize=False)
    return out.getvalue()
