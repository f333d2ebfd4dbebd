"""The door of the staff page: log-in, sessions, tokens against forged requests, and patience with wrong passwords."""

import asyncio
import datetime as dt
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bot import logs
from bot.staff import passwords
from bot.store.staff import Session
from bot.store.store import Store

log = logs.get("staff")

COOKIE, DOOR = "smileline_staff", "smileline_door"
IDLE = dt.timedelta(hours=8)  # a shift
LONGEST = dt.timedelta(hours=24)
SEEN_EVERY = dt.timedelta(minutes=1)  # how often a session's last use is written down
FREE_TRIES = 5  # wrong passwords before waiting begins
FIRST_WAIT, LONGEST_WAIT = dt.timedelta(seconds=15), dt.timedelta(minutes=15)
FORGET = dt.timedelta(hours=1)
REMEMBERED = 5_000  # names and addresses whose tries are counted
FROM_ONE_PLACE = 4  # an address may stand for a whole clinic: it has so many times the tries of a name


@dataclass
class _Tries:
    count: int
    last: dt.datetime


class Patience:
    """After a few wrong passwords each further one costs twice the wait of the one before. In memory, by process."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait(self, key: str, free: int, now: dt.datetime) -> dt.timedelta:
        """How long until `key` may try again; zero when it may now."""
        tries = self._tries.get(key)
        if tries is None or now - tries.last > FORGET or tries.count < free:
            return dt.timedelta()
        pause: dt.timedelta = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(tries.count - free, 10)))
        return max(dt.timedelta(), tries.last + pause - now)

    def failed(self, key: str, now: dt.datetime) -> None:
        tries = self._tries.setdefault(key, _Tries(0, now))
        if now - tries.last > FORGET:
            tries.count = 0
        tries.count, tries.last = tries.count + 1, now
        self._tries.move_to_end(key)
        while len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)

    def succeeded(self, key: str) -> None:
        self._tries.pop(key, None)


@dataclass(frozen=True, slots=True)
class Held:
    """A session that holds, with the cookie's secret and the token that its forms carry."""

    session: Session
    token: str
    csrf: str


class Gate:
    """Signs cookies with a key derived from the data key."""

    def __init__(self, store: Store, key: bytes, clock: Callable[[], dt.datetime]) -> None:
        self._store, self._clock = store, clock
        self._key = hmac.new(key, b"smileline staff page 1", hashlib.sha256).digest()
        self._patience = Patience()
        self._hashing = asyncio.Semaphore(2)  # argon2 takes 64 MiB and a core each

    def _mac(self, purpose: str, value: str) -> str:
        return hmac.new(self._key, f"{purpose}\x1f{value}".encode(), hashlib.sha256).hexdigest()

    # --- sessions

    async def session(self, cookie: str, touch: bool = True) -> Held | None:
        """Who holds this cookie; None for none, a forged one, or one that has ended."""
        token, _, mac = cookie.partition(".")
        if not token or not hmac.compare_digest(mac.encode(), self._mac("cookie", token).encode()):
            return None
        session = await asyncio.to_thread(self._store.session, token)
        if session is None:
            return None
        now = self._clock()
        if now - session.created_at > LONGEST or now - session.seen_at > IDLE:
            await asyncio.to_thread(self._store.end_session, token)
            return None
        if touch and now - session.seen_at > SEEN_EVERY:
            await asyncio.to_thread(self._store.session_seen, token, now)
        return Held(session, token, self._mac("form", token))

    async def log_in(self, name: str, password: str, place: str) -> str | dt.timedelta | None:
        """The new cookie; a wait after too many tries; None for a wrong name or password (which, is not said)."""
        now, keys = (
            self._clock(),
            ((f"name:{name[:64]}", FREE_TRIES), (f"from:{place}", FREE_TRIES * FROM_ONE_PLACE)),
        )
        pause = max(self._patience.wait(key, free, now) for key, free in keys)
        if pause:
            log.warning("login_throttled", seconds=round(pause.total_seconds()))
            return pause
        for key, _ in keys:  # counted before the slow comparison: tries in parallel count too
            self._patience.failed(key, now)
        account = await asyncio.to_thread(self._store.account, name[:64])
        usable = account and not account.disabled
        async with self._hashing:
            fits = await asyncio.to_thread(
                passwords.fits, password, account.password_hash if account and usable else None
            )
        if not fits or account is None:
            log.warning("login_refused")
            # A name that is nobody's is not written down: people type their password there.
            known = account.name if account else "(unknown name)"
            await asyncio.to_thread(self._store.audit, known, "login.refused", "", now)
            return None
        for key, _ in keys:
            self._patience.succeeded(key)
        token = secrets.token_urlsafe(32)
        await asyncio.to_thread(self._store.open_session, account.id, token, now, LONGEST)
        await asyncio.to_thread(self._store.audit, account.name, "login", "", now)
        return f"{token}.{self._mac('cookie', token)}"

    async def log_out(self, held: Held) -> None:
        await asyncio.to_thread(self._store.end_session, held.token)
        await asyncio.to_thread(self._store.audit, held.session.account.name, "logout", "", self._clock())

    # --- forms

    @staticmethod
    def same(given: str, wanted: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

    def door_token(self, door: str) -> str:
        """The token of the log-in form, bound to a cookie that is set with it."""
        return self._mac("door", door)
