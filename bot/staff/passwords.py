"""Passwords of the staff: argon2id with the library's own cost, and which ones are refused."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 10, 200  # NIST SP 800-63B asks for 8 and for no rules on letters; ASVS 5.0, 6.2 the same
_hasher = PasswordHasher()


def refused(password: str, name: str) -> str | None:
    """Why this password cannot be taken; None when it can."""
    if len(password) < SHORTEST:
        return f"a password needs at least {SHORTEST} characters; three or four words in a row are good"
    if len(password) > LONGEST:
        return f"a password has at most {LONGEST} characters"
    if name.casefold() in password.casefold() or len(set(password)) < 4:
        return "this password is too easy to guess; three or four words in a row are good"
    return None


def hashed(password: str) -> str:
    return _hasher.hash(password)


@cache
def _nobodys() -> str:
    """Compared with when there is no such account: it takes as long."""
    return hashed(secrets.token_hex(16))


def fits(password: str, kept: str | None) -> bool:
    """Whether the password is the one that was kept. Takes as long where there is none. Call it in a thread."""
    nobodys = _nobodys()  # always: the first call takes longer, whoever asks
    try:
        return _hasher.verify(kept or nobodys, password[:LONGEST]) and kept is not None
    except (VerificationError, InvalidHashError):
        return False
