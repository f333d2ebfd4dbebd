"""What a patient could not be told of an open alert; it goes when it is said, and with the alert."""

import json

from sqlalchemy import ColumnElement, select, update

from bot.core.unsaid import added
from bot.core.values import Address
from bot.store.crypto import Vault
from bot.store.database import Database
from bot.store.schema import alerts

_PLACE = "alerts.unsaid"


class Unsaid(Database):
    """Hangs on the alert, so it is erased, closed and pruned with it."""

    def keep_unsaid(self, address: Address, texts: tuple[str, ...]) -> bool:
        """Keep `texts` until the patient writes; False when no alert is open for `address`."""
        with self.write() as db:
            query = select(alerts.c.unsaid_sealed).where(self._open_for(address)).with_for_update()
            found = db.execute(query).one_or_none()
            if found is None:
                return False
            kept = json.dumps(added(read_unsaid(self._vault, found.unsaid_sealed), texts))
            change = {"unsaid_sealed": self._vault.seal(kept, _PLACE)}
            db.execute(update(alerts).where(self._open_for(address)).values(change))
            return True

    def forget_unsaid(self, address: Address) -> bool:
        """It was said; False when nothing was left."""
        left = self._open_for(address) & alerts.c.unsaid_sealed.is_not(None)
        with self.write() as db:
            return db.execute(update(alerts).where(left).values(unsaid_sealed=None)).rowcount > 0

    def _open_for(self, address: Address) -> ColumnElement[bool]:
        mac = self._vault.mac(address.channel, address.chat)
        return (
            (alerts.c.channel == address.channel) & (alerts.c.chat_mac == mac) & alerts.c.closed_at.is_(None)
        )


def read_unsaid(vault: Vault, sealed: bytes | None) -> tuple[str, ...]:
    return tuple(json.loads(vault.unseal(bytes(sealed), _PLACE))) if sealed else ()
