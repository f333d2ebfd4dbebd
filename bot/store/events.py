"""The durable inbox: an event is on disk before the platform is told that it arrived."""

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from bot.core.values import Address, Incoming
from bot.store.database import Database
from bot.store.schema import events

_PLACE = "events.payload"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an event."""

    channel: str
    event_id: str
    outcome: str
    at: dt.datetime
    entry: str | None = None
    score: float | None = None
    language: str | None = None


class Events(Database):
    """Incoming events, once each, in the order of their arrival."""

    def remember_event(self, event: Incoming) -> bool:
        """Keep `event` until it is done; False when this channel has delivered it before. Raises StoreError.

        If we die before this returns the platform delivers again; if after, `unhandled_events` has it at the
        next start.
        """
        return self.write_events([event])[0]

    def write_events(self, entries: Sequence[Incoming | Done]) -> list[bool]:
        """Keep those that are new, wipe those that are done, all in one transaction; False for a repeated event."""
        with self.write() as db:
            done = [entry for entry in entries if isinstance(entry, Done)]
            if done:
                db.execute(_DONE, [_done_values(entry) for entry in done])
            return [isinstance(entry, Done) or self._keep(db, entry) for entry in entries]

    def _keep(self, db: Connection, event: Incoming) -> bool:
        row = {
            "channel": event.address.channel,
            "event_id": event.event_id,
            "payload_sealed": self._vault.seal(_to_json(event), _PLACE),
            "received_at": event.at,
        }
        return db.execute(self.insert(events).on_conflict_do_nothing(), row).rowcount == 1

    def unhandled_events(self, limit: int = 1000) -> list[Incoming]:
        """Events that were kept and not yet done, oldest first, in the order of arrival."""
        query = (
            select(events.c.payload_sealed)
            .where(events.c.done_at.is_(None))
            .order_by(events.c.id)
            .limit(limit)
        )
        with self.read() as db:
            return [_from_json(self._vault.unseal(sealed, _PLACE)) for sealed in db.scalars(query)]

    def event_done(
        self,
        channel: str,
        event_id: str,
        outcome: str,
        entry: str | None = None,
        score: float | None = None,
        language: str | None = None,
        now: dt.datetime | None = None,
    ) -> None:
        """The event is handled: its words are wiped, its id stays, so that a late repeat is still
        recognised.
        """
        at = now or dt.datetime.now(dt.UTC)
        self.write_events([Done(channel, event_id, outcome, at, entry, score, language)])


_DONE = (
    update(events)
    .where(events.c.channel == bindparam("of_channel"), events.c.event_id == bindparam("of_event"))
    .values(payload_sealed=None)
)


def _done_values(done: Done) -> dict[str, object]:
    return {
        "of_channel": done.channel,
        "of_event": done.event_id,
        "done_at": done.at,
        "outcome": done.outcome[:48],
        "entry": done.entry,
        "score": done.score,
        "language": done.language,
    }


def _to_json(event: Incoming) -> str:
    return json.dumps({**dataclasses.asdict(event), "at": event.at.isoformat()}, ensure_ascii=True)


def _from_json(text: str) -> Incoming:
    values = json.loads(text)
    address, at = Address(**values.pop("address")), dt.datetime.fromisoformat(values.pop("at"))
    return Incoming(address=address, at=at, **values)
