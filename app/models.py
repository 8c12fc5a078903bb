"""Every table, imported once: for migrations, which must see them all."""

from __future__ import annotations

from app.accounts import models as accounts
from app.audit import models as audit
from app.cart import models as cart
from app.catalog import models as catalog
from app.core.db import Base
from app.discovery import models as discovery
from app.downloads import models as downloads
from app.ledger import models as ledger
from app.letters import models as letters
from app.licenses import models as licenses
from app.media import models as media
from app.orders import models as orders
from app.payments import models as payments
from app.playback import models as playback
from app.pricing import models as pricing
from app.shelves import models as shelves
from app.studio import models as studio
from app.upkeep import models as upkeep
from app.wishlist import models as wishlist

ROOMS = (
    accounts,
    audit,
    cart,
    catalog,
    discovery,
    downloads,
    ledger,
    letters,
    licenses,
    media,
    orders,
    payments,
    playback,
    pricing,
    shelves,
    studio,
    upkeep,
    wishlist,
)
metadata = Base.metadata
