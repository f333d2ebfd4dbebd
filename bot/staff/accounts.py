"""Making accounts for the staff page."""

import datetime as dt
import re

from bot.staff import passwords
from bot.store.staff import ROLES
from bot.store.store import Store

_NAME = re.compile(r"[^\W_][\w .'-]{0,62}[\w.]|[^\W_]")


class AccountRefused(Exception):
    """The message says what is wrong and what is allowed. Holds no password."""


def add_account(store: Store, name: str, role: str, password: str, now: dt.datetime) -> bool:
    """Make an account, or give one a new role and password; True when it is new. Raises AccountRefused."""
    if not _NAME.fullmatch(name):
        raise AccountRefused(
            f'"{name[:64]}" is no name; letters, digits, spaces and .\'- are allowed, at most 64'
        )
    if role not in ROLES:
        raise AccountRefused(f'--role "{role}" is not known; allowed: {", ".join(ROLES)}')
    if why := passwords.refused(password, name):
        raise AccountRefused(why)
    new = store.put_account(name, role, passwords.hashed(password), now)
    store.audit("command line", "account.added" if new else "account.changed", name, now, role)
    return new
