"""The store: everything that is kept, over SQLite or PostgreSQL. Plain calls, made through a worker
thread.
"""

from typing import Self

from bot.store.alerts import Alert, Alerts
from bot.store.appointments import Appointments
from bot.store.bulk import Bulk
from bot.store.care import Care
from bot.store.crypto import Vault, WrongKeyError, load_key
from bot.store.database import StoreAway, StoreError, StoreSettingsError, open_engine
from bot.store.enrolments import Enrolments
from bot.store.events import Events
from bot.store.figures import Figures
from bot.store.pairings import Pairings
from bot.store.pictures import Pictures
from bot.store.staff import Accounts
from bot.store.unsaid import Unsaid


class Store(
    Events, Alerts, Care, Unsaid, Appointments, Figures, Accounts, Bulk, Enrolments, Pairings, Pictures
):
    """One object for all threads of a process; any number of processes may have their own.

    Every method raises StoreError when the database is locked, away or full; nothing is half done then.
    """

    @classmethod
    def open(cls, url: str, key: bytes) -> Self:
        """`url` as in SMILELINE_DATABASE_URL; call `upgrade` before use.

        Raises StoreSettingsError and WrongKeyError.
        """
        return cls(open_engine(url), Vault(key))


__all__ = ["Alert", "Store", "StoreAway", "StoreError", "StoreSettingsError", "WrongKeyError", "load_key"]
