"""The durable inbox: an event is on disk before the platform is told that it arrived.

Several processes may share it. An event that is not done has an owner whose lease is renewed while it lives; when the lease
runs out, a living process takes the event over. An event waits for its turn while an earlier one of the same chat is in
another process's hands.
"""

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    and_,
    bindparam,
    case,
    exists,
    null,
    or_,
    select,
    text,
    update,
)

from bot.core.values import Address, Incoming
from bot.store.database import Database
from bot.store.notes import Notes, read_begun, read_notes
from bot.store.said import Said
from bot.store.schema import events, to_micros

_PLACE = "events.payload"
_WAITS = ""  # the owner of an event that waits for its turn: nobody has had it in hand yet
_CLAIM_LOCK = 5_306_211_778  # any number of our own: on PostgreSQL one process claims, the others wait


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


@dataclass(frozen=True, slots=True)
class Lease:
    """Which process has an event in hand (at most 32 characters), and until when unless it is renewed."""

    owner: str
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that is ours now. `repeated`: another process had it and may have answered."""

    event: Incoming
    repeated: bool


class Events(Database):
    """Incoming events, once each, in the order of their arrival."""

    @cached_property
    def _keeping(self) -> Said:
        return Said(_keeping(self.insert))

    def remember_event(self, event: Incoming) -> bool:
        """Keep `event` until it is done; False when this channel has delivered it before. Raises StoreError.

        If we die before this returns the platform delivers again; if after, `claim_events` has it.
        """
        return self.write_events([event])[0]

    def write_events(self, entries: Sequence[Incoming | Done], lease: Lease | None = None) -> list[bool]:
        """Keep those that are new, wipe those that are done, all in one transaction.

        False for a repeated event, and for one that must wait for its turn: `claim_events` gives it out. Without a `lease`
        every event is left for that.
        """
        with self.write() as db:
            for entry in entries:  # first: a chat's next event may wait for it
                if isinstance(entry, Done):
                    _DONE.run(db, **_done_values(entry))
            return [isinstance(entry, Done) or self._keep(db, entry, lease) for entry in entries]

    def _keep(self, db: Connection, event: Incoming, lease: Lease | None) -> bool:
        kept = self._keeping.run(
            db,
            of_channel=event.address.channel,
            of_event=event.event_id,
            payload=self._vault.seal(_to_json(event), _PLACE),
            at=to_micros(event.at),
            mac=self._turn_mac(event.address),
            me=lease and lease.owner,
            until=lease and to_micros(lease.until),
        )
        return bool(kept) and (lease is None or kept[0] == (lease.owner,))

    def _turn_mac(self, address: Address) -> bytes:
        """Tells chats apart while events wait. Short and other than the address's: it finds no row anywhere else."""
        return self._vault.mac("turn", address.channel, address.chat)[:8]

    def notes(self, owner: str) -> Notes | None:
        """Where `owner` notes what it has answered; None where another process could not read it (PostgreSQL), or no file
        can be made.
        """
        try:
            return Notes(self._notes_folder, owner) if self._notes_folder else None
        except OSError:
            return None

    @property
    def _notes_folder(self) -> Path | None:
        file = self._engine.url.database if self.is_sqlite else None
        return Path(f"{file}.notes") if file else None

    def record_noted(self, now: dt.datetime) -> None:
        """What a process noted as answered and could not record any more is done."""
        with self.write() as db:
            self._record_noted(db, now)

    def begun_events(self) -> set[tuple[str, str]]:
        """(channel, event id) of those to which a process noted that an answer is under way: where it died, it may have arrived."""
        return set(read_begun(self._notes_folder)) if self._notes_folder else set()

    def _record_noted(self, db: Connection, now: dt.datetime) -> None:
        for channel, event_id in read_notes(self._notes_folder) if self._notes_folder else ():
            _NOTED.run(db, of_channel=channel, of_event=event_id, at=to_micros(now))

    def claim_events(
        self,
        lease: Lease,
        now: dt.datetime,
        channels: Collection[str],
        *,
        restarted: bool = False,
        limit: int = 1000,
    ) -> list[Claimed]:
        """What nobody has in hand becomes ours, oldest first; of one chat all or the oldest.

        `restarted`: what stands under our own name was an earlier process's, which is dead.
        """
        which = _free(lease.owner, now, channels, restarted).limit(limit)
        with self.read() as db:
            if db.execute(which.limit(1)).first() is None:
                return []
        with self.write() as db:
            if not self.is_sqlite:  # two who claim at once would share out the events of one chat
                db.execute(text(f"SELECT pg_advisory_xact_lock({_CLAIM_LOCK})"))
            self._record_noted(db, now)
            rows = db.execute(which).all()
            if rows:
                ours = {"owner": lease.owner, "lease_until": lease.until}
                still = events.c.id.in_([row.id for row in rows]) & events.c.done_at.is_(None)
                db.execute(update(events).where(still).values(ours))
            return [
                Claimed(_from_json(self._vault.unseal(row.payload_sealed, _PLACE)), row.owner != _WAITS)
                for row in rows
            ]

    def renew_events(self, lease: Lease) -> int:
        """All that this owner has in hand stays there until `lease.until`; how many events that is."""
        return self._lease_to(events.c.owner == lease.owner, lease.until)

    def renew_event(self, event: Incoming, lease: Lease) -> bool:
        """The same for one event; False when it is another's by now, or done."""
        mine = (
            (events.c.channel == event.address.channel)
            & (events.c.event_id == event.event_id)
            & (events.c.owner == lease.owner)
        )
        return self._lease_to(mine, lease.until) == 1

    def _lease_to(self, which: ColumnElement[bool], until: dt.datetime) -> int:
        with self.write() as db:
            waiting = which & events.c.done_at.is_(None)
            return db.execute(update(events).where(waiting).values(lease_until=until)).rowcount

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


_OVER = (  # what was said, and who said it, is wiped
    update(events)
    .where(events.c.channel == bindparam("of_channel"), events.c.event_id == bindparam("of_event"))
    .values(
        payload_sealed=null(),
        chat_mac=null(),
        owner=null(),
        lease_until=null(),
        done_at=bindparam("at", type_=events.c.done_at.type),
    )
)
_DONE = Said(
    _OVER.values(
        outcome=bindparam("became"),
        entry=bindparam("with_entry"),
        score=bindparam("with_score"),
        language=bindparam("in_language"),
    )
)
_NOTED = Said(_OVER.where(events.c.done_at.is_(None)).values(outcome="answered"))


def _keeping(insert: Callable[[Any], Any]) -> Insert:
    """Keep an event that is new; ours, unless one of its chat is not."""
    earlier = events.alias()
    anothers = exists().where(
        earlier.c.chat_mac == bindparam("mac"),
        earlier.c.done_at.is_(None),
        earlier.c.owner.is_distinct_from(bindparam("me")),
    )
    row = {
        "channel": bindparam("of_channel"),
        "event_id": bindparam("of_event"),
        "payload_sealed": bindparam("payload"),
        "received_at": bindparam("at", type_=events.c.received_at.type),
        "chat_mac": bindparam("mac"),
        "owner": case((anothers, _WAITS), else_=bindparam("me", type_=events.c.owner.type)),
        "lease_until": bindparam("until", type_=events.c.lease_until.type),
    }
    kept: Insert = insert(events).values(row).on_conflict_do_nothing().returning(events.c.owner)
    return kept


def _free(me: str, now: dt.datetime, channels: Collection[str], restarted: bool) -> Select[Any]:
    """Events that nobody alive has in hand, and no earlier one of whose chat another has."""
    earlier = events.alias()

    def held(table: Any) -> ColumnElement[bool]:
        return and_(table.c.owner.is_not(None), table.c.owner != _WAITS, table.c.lease_until >= now)

    open_ = or_(~held(events), events.c.owner == me) if restarted else ~held(events)
    blocked = exists().where(
        earlier.c.chat_mac == events.c.chat_mac,
        earlier.c.done_at.is_(None),
        earlier.c.id < events.c.id,
        earlier.c.owner != me,
        held(earlier),
    )
    return (
        select(events.c.id, events.c.payload_sealed, events.c.owner)
        .where(events.c.done_at.is_(None), events.c.channel.in_(channels), open_, ~blocked)
        .order_by(events.c.id)
    )


def _done_values(done: Done) -> dict[str, object]:
    return {
        "of_channel": done.channel,
        "of_event": done.event_id,
        "at": to_micros(done.at),
        "became": done.outcome[:48],
        "with_entry": done.entry,
        "with_score": done.score,
        "in_language": done.language,
    }


_FIELDS = tuple(field.name for field in dataclasses.fields(Incoming))
_encode = json.JSONEncoder(ensure_ascii=True).encode


def _to_json(event: Incoming) -> str:
    values = {name: getattr(event, name) for name in _FIELDS}
    address = {"channel": event.address.channel, "chat": event.address.chat}
    return _encode({**values, "address": address, "at": event.at.isoformat()})


def _from_json(payload: str) -> Incoming:
    values = json.loads(payload)
    address, at = Address(**values.pop("address")), dt.datetime.fromisoformat(values.pop("at"))
    return Incoming(address=address, at=at, **values)
