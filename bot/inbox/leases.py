"""Which stored events this process has in hand, for how long, and taking over what a dead process left.

What if we die right here? Our leases run out within LEASE_SECONDS, and a living process goes on; one that starts again under
our name goes on at once.
"""

import asyncio
import datetime as dt
import hashlib
import os
import platform
import secrets
from collections.abc import Callable, Collection
from pathlib import Path

from bot.core.values import Incoming
from bot.store.events import Claimed, Lease
from bot.store.store import Store

try:
    import fcntl
except ImportError:  # Windows: every start has a new name, and waits for the old one's leases to run out
    fcntl = None  # type: ignore[assignment]

LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0  # clocks of two machines may differ by the rest
PAGE = 1000
MOST_PROCESSES = 99


class Leases:
    """The leases of one process, by the name `owner`."""

    def __init__(
        self, store: Store, owner: str, channels: Collection[str], clock: Callable[[], dt.datetime]
    ) -> None:
        self._store, self._owner, self._channels, self._clock = store, owner, channels, clock
        self._mine: dict[tuple[str, str], dt.datetime] = {}
        self._renewed_until = self._renew_at = clock()

    def fresh(self) -> Lease:
        return Lease(self._owner, self._clock() + dt.timedelta(seconds=LEASE_SECONDS))

    def holds(self, event: Incoming) -> bool:
        """Whether this process has taken `event` into its hands and not put it down yet."""
        return name(event) in self._mine

    def take(self, event: Incoming) -> None:
        self._mine[name(event)] = self.fresh().until

    def put_down(self, event: Incoming) -> None:
        self._mine.pop(name(event), None)

    async def still_mine(self, event: Incoming) -> bool:
        """False when another process took `event` over, since we slept or were cut off for longer than a lease."""
        if self._clock() < max(self._mine.get(name(event), self._renewed_until), self._renewed_until):
            return True
        try:
            return await asyncio.to_thread(self._store.renew_event, event, self.fresh())
        except (
            Exception
        ):  # nobody can tell: an answer that comes twice is a nuisance, one that never comes is harm
            return True

    async def renew(self) -> None:
        """Keep what is in hand; asks the store every RENEW_SECONDS only. Raises StoreError."""
        now = self._clock()
        if self._mine and now >= self._renew_at:
            lease = self.fresh()
            await asyncio.to_thread(self._store.renew_events, lease)
            self._renewed_until, self._renew_at = lease.until, now + dt.timedelta(seconds=RENEW_SECONDS)

    async def claim(self, *, restarted: bool = False) -> list[Claimed]:
        """A page of events that nobody has in hand, ours from now on. Raises StoreError."""
        found = await asyncio.to_thread(
            self._store.claim_events, self.fresh(), self._clock(), self._channels,
            restarted=restarted, limit=PAGE,
        )  # fmt: skip
        return [claimed for claimed in found if not self.holds(claimed.event)]

    async def release(self) -> None:
        """Others need not wait for our leases to run out. Raises StoreError."""
        await asyncio.to_thread(self._store.renew_events, Lease(self._owner, self._clock()))


class Name:
    """This process's name among those that use `folder`; free for another as soon as the process ends, however it ends.

    The same after a restart, so that what was in hand is known as ours. Raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file, secret = _first_free(folder)
        self.value = hashlib.sha256(f"{platform.node()}:{secret}".encode()).hexdigest()[:32]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _first_free(folder: Path) -> tuple[int | None, str]:
    """The lock that is held, and the secret in its file, which tells copies of one folder from other folders."""
    if fcntl is None:
        return None, secrets.token_hex(16)
    for number in range(1, MOST_PROCESSES + 1):
        file = os.open(folder / f"process-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        secret = os.read(file, 64)
        if not secret:
            secret = secrets.token_hex(16).encode()
            os.write(file, secret)
        return file, secret.decode("ascii", "replace")
    raise OSError(f"{folder} is used by {MOST_PROCESSES} processes; give others a folder of their own")


def name(event: Incoming) -> tuple[str, str]:
    return event.address.channel, event.event_id
