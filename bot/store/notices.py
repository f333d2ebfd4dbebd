"""What staff must be told. Written with the change that it tells about, so that a crash in between loses nothing."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from bot.store.database import Database
from bot.store.schema import notices


@dataclass(frozen=True, slots=True)
class Notice:
    id: int
    text: str


class Notices(Database):
    """The staff's post."""

    def put_notice(self, db: Connection, key: str, text: str, now: dt.datetime) -> None:
        """Within a transaction: tell staff `text`, once for each `key`. Never a patient's words or address."""
        row = {"key": key[:100], "text": text, "created_at": now}
        db.execute(self.insert(notices).values(row).on_conflict_do_nothing())

    def notice(self, key: str, text: str, now: dt.datetime) -> None:
        with self.write() as db:
            self.put_notice(db, key, text, now)

    def untold_notices(self, limit: int = 50) -> list[Notice]:
        query = select(notices.c.id, notices.c.text).where(notices.c.told_at.is_(None)).order_by(notices.c.id)
        with self.read() as db:
            return [Notice(row.id, row.text) for row in db.execute(query.limit(limit))]

    def notices_told(self, ids: list[int], now: dt.datetime) -> None:
        """If we die between telling and this, staff read it twice."""
        with self.write() as db:
            db.execute(update(notices).where(notices.c.id.in_(ids)).values(told_at=now))
