"""Pictures that people of the clinic and a patient show each other: sealed, few, and gone after a week."""

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select

from bot.store.database import Database
from bot.store.staff_schema import pictures

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


class Pictures(Database):
    """Pictures of threads; they go with their thread."""

    def keep_picture(self, thread_id: int, who: Shower, jpeg: bytes, now: dt.datetime) -> str:
        """Keep `jpeg`; the unguessable name that it is found by."""
        name = secrets.token_urlsafe(24)
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
            db.execute(pictures.insert(), row)
            db.execute(delete(pictures).where(mine, pictures.c.id.not_in(newest)))
        return name

    def picture_named(self, name: str, who: Shower, now: dt.datetime) -> bytes | None:
        """The JPEG of that name that `who` showed, while it is kept."""
        return self._jpeg((pictures.c.name == name) & (pictures.c.who == who), now)

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
        query = select(pictures.c.id, pictures.c.who, pictures.c.at).where(
            pictures.c.thread_id == thread_id, pictures.c.expires_at > now
        )
        with self.read() as db:
            return [Shown(row.id, row.who, row.at) for row in db.execute(query.order_by(pictures.c.id))]
