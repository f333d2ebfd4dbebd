"""Pictures that people of the clinic and a patient show each other: sealed, few, and gone after a week."""

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select

from bot.core.values import Address
from bot.store.database import Database
from bot.store.staff_schema import pictures, threads

PICTURES_KEPT = dt.timedelta(days=7)
MOST = 20  # of one conversation; the oldest go first
_PLACE = "pictures.jpeg"
Shower = Literal["patient", "staff"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of a conversation."""

    id: int
    who: Shower
    at: dt.datetime
    name: str


def new_name() -> str:
    """32 characters, as many as the column holds, of 192 bits of chance."""
    return secrets.token_urlsafe(24)


class Pictures(Database):
    """Pictures of threads; they go with their thread."""

    def keep_picture(
        self, thread_id: int, who: Shower, jpeg: bytes, now: dt.datetime, name: str | None = None
    ) -> str:
        """Keep `jpeg`; the name that it is found by: `name` (once), or a new one. Nobody guesses it."""
        name = name or new_name()
        row = {
            "thread_id": thread_id,
            "name": name,
            "who": who,
            "at": now,
            "expires_at": now + PICTURES_KEPT,
            "jpeg_sealed": self._vault.seal_bytes(jpeg, _PLACE),
        }
        mine = pictures.c.thread_id == thread_id
        newest = select(pictures.c.id).where(mine).order_by(pictures.c.id.desc()).limit(MOST)
        with self.write() as db:
            db.execute(self.insert(pictures).values(row).on_conflict_do_nothing())
            db.execute(delete(pictures).where(mine, pictures.c.id.not_in(newest)))
        return name

    def picture_named(self, name: str, who: Shower, now: dt.datetime) -> bytes | None:
        """The JPEG of that name that `who` showed, while it is kept."""
        return self._jpeg((pictures.c.name == name) & (pictures.c.who == who), now)

    def picture_at(self, address: Address, name: str, now: dt.datetime) -> bytes | None:
        """The JPEG of that name in the conversation with `address`, whoever showed it, while it is kept."""
        mac = self._vault.mac(address.channel, address.chat)
        theirs = select(threads.c.id).where(threads.c.channel == address.channel, threads.c.chat_mac == mac)
        return self._jpeg((pictures.c.name == name) & pictures.c.thread_id.in_(theirs), now)

    def picture(self, number: int, now: dt.datetime) -> bytes | None:
        """The same by its number, for staff."""
        return self._jpeg(pictures.c.id == number, now)

    def _jpeg(self, which: object, now: dt.datetime) -> bytes | None:
        query = select(pictures.c.jpeg_sealed).where(which, pictures.c.expires_at > now)  # type: ignore[arg-type]
        with self.read() as db:
            sealed = db.execute(query).scalar()
        return None if sealed is None else self._vault.unseal_bytes(sealed, _PLACE)

    def pictures_of(self, thread_id: int, now: dt.datetime) -> list[Shown]:
        """Oldest first."""
        query = select(pictures.c.id, pictures.c.who, pictures.c.at, pictures.c.name).where(
            pictures.c.thread_id == thread_id, pictures.c.expires_at > now
        )
        with self.read() as db:
            return [
                Shown(row.id, row.who, row.at, row.name) for row in db.execute(query.order_by(pictures.c.id))
            ]
