"""Conversations that people take part in: one thread for each patient's address, what was said, and how loudly
staff were called.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, func, literal_column, select, update

from bot.core.values import Address, Line, Situation
from bot.store.database import Database
from bot.store.patients import release_after_alert
from bot.store.said import Said
from bot.store.schema import addresses, alerts, from_micros, to_micros
from bot.store.staff_schema import accounts, alert_rings, appointments, posts, talk, threads
from bot.store.unsaid import read_unsaid

TALK_KEPT = 200  # lines of one conversation
ASKED_FOR = dt.timedelta(hours=6)  # how long "which day and time suit you?" waits for its answer
THREADS_KEPT = dt.timedelta(days=180)  # after the last word
_CHAT, _TEXT = "threads.chat", "talk.text"

# Said once: every message asks it.
_THREAD = select(threads.c.id).where(
    threads.c.channel == bindparam("at_channel"), threads.c.chat_mac == bindparam("mac")
)
_OPENED = select(alerts.c.id).where(
    alerts.c.channel == bindparam("at_channel"), alerts.c.chat_mac == bindparam("mac")
)
_ASKING = select(appointments.c.id).where(
    appointments.c.thread_id.in_(_THREAD),
    appointments.c.state == literal_column("'asking'"),  # as a value SQLite would plan it anew each time
    appointments.c.asked_at > bindparam("since"),
)
_SITUATION = Said(
    select(
        exists(_THREAD.where(threads.c.taken_at.is_not(None))),
        exists(_OPENED.where(alerts.c.closed_at.is_(None))),
        exists(_ASKING),
        exists(select(accounts.c.id)),
        _THREAD.with_only_columns(threads.c.staff_at).scalar_subquery(),
        _OPENED.with_only_columns(alerts.c.unsaid_sealed)
        .where(alerts.c.closed_at.is_(None))
        .scalar_subquery(),
    )
)


@dataclass(frozen=True, slots=True)
class Thread:
    """The conversation with one address. `taken_by`: the person who talks there now; the bot is silent then."""

    id: int
    address: Address
    patient_id: int | None
    language: str
    traditional: bool
    topic: str | None
    taken_by: str | None
    taken_at: dt.datetime | None
    staff_at: dt.datetime | None
    waiting_since: dt.datetime | None
    told: int
    seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Ring:
    """An alert that nobody has read yet. `rings` counts how often it was told again."""

    alert_id: int
    rings: int
    since: dt.datetime
    next_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Card:
    """The message of a staff chat that carries the buttons of an alert or an appointment."""

    chat: str
    message: int


class Care(Database):
    """Threads, their lines, and the calls that wait for an answer."""

    def thread_of(
        self, address: Address, now: dt.datetime, language: str = "en", traditional: bool = False
    ) -> Thread:
        """The thread of `address`, made when there is none; the language is that of the patient's last words."""
        mac = self._vault.mac(address.channel, address.chat)
        here = (threads.c.channel == address.channel) & (threads.c.chat_mac == mac)
        owner = select(addresses.c.patient_id).where(
            addresses.c.channel == address.channel, addresses.c.chat_mac == mac
        )
        row = {
            "channel": address.channel,
            "chat_sealed": self._vault.seal(address.chat, _CHAT),
            "chat_mac": mac,
            "language": language,
            "traditional": traditional,
            "seen_at": now,
        }
        with self.write() as db:
            db.execute(self.insert(threads).values(row).on_conflict_do_nothing())
            fresh = {"language": language, "traditional": traditional, "seen_at": now}
            db.execute(update(threads).where(here).values(**fresh, patient_id=owner.scalar_subquery()))
            return self._thread(db.execute(select(threads).where(here)).one())

    def thread(self, thread_id: int) -> Thread | None:
        return next(iter(self._threads(threads.c.id == thread_id)), None)

    def thread_at(self, address: Address) -> Thread | None:
        """The thread of `address`, if there is one."""
        mac = self._vault.mac(address.channel, address.chat)
        which = (threads.c.channel == address.channel) & (threads.c.chat_mac == mac)
        return next(iter(self._threads(which)), None)

    def recent_threads(self, limit: int = 100) -> list[Thread]:
        """Newest word first."""
        with self.read() as db:
            query = select(threads).order_by(threads.c.seen_at.desc()).limit(limit)
            return [self._thread(row) for row in db.execute(query)]

    def taken_threads(self) -> list[Thread]:
        return self._threads(threads.c.taken_at.is_not(None))

    def _threads(self, which: Any) -> list[Thread]:
        with self.read() as db:
            return [
                self._thread(row) for row in db.execute(select(threads).where(which).order_by(threads.c.id))
            ]

    def _thread(self, row: Row[Any]) -> Thread:
        address = Address(row.channel, self._vault.unseal(row.chat_sealed, _CHAT))
        return Thread(
            row.id, address, row.patient_id, row.language, row.traditional, row.topic, row.taken_by,
            row.taken_at, row.staff_at, row.waiting_since, row.told, row.seen_at,
        )  # fmt: skip

    def situation(self, address: Address, now: dt.datetime) -> Situation:
        """One look at the people's side of `address`."""
        mac, since = self._vault.mac(address.channel, address.chat), to_micros(now - ASKED_FOR)
        with self.read() as db:
            row = _SITUATION.run(db, at_channel=address.channel, mac=mac, since=since)[0]
        taken, alarmed, asking, requests, staff_at, sealed = row
        wrote_at = None if staff_at is None else from_micros(staff_at)
        unsaid = read_unsaid(self._vault, sealed)
        return Situation(bool(taken), bool(alarmed), bool(asking), bool(requests), wrote_at, unsaid)

    # --- taking over

    def take_over(self, thread_id: int, by: str, now: dt.datetime) -> bool:
        """A person talks from now on; False when one does already."""
        change = {"taken_by": by[:64], "taken_at": now, "staff_at": now, "waiting_since": None, "told": 0}
        free = (threads.c.id == thread_id) & threads.c.taken_at.is_(None)
        with self.write() as db:
            return db.execute(update(threads).where(free).values(change)).rowcount == 1

    def hand_back(self, thread_id: int) -> bool:
        """The bot talks again, and pushes go on (an alert that is open holds them anew); False when no person did."""
        change = {"taken_by": None, "taken_at": None, "waiting_since": None, "told": 0}
        taken = (threads.c.id == thread_id) & threads.c.taken_at.is_not(None)
        with self.write() as db:
            ended = update(threads).where(taken).values(change).returning(threads.c.patient_id)
            row = db.execute(ended).one_or_none()
            if row is not None:
                release_after_alert(db, row.patient_id)
            return row is not None

    def staff_wrote(self, thread_id: int, now: dt.datetime) -> None:
        with self.write() as db:
            change = {"staff_at": now, "waiting_since": None, "told": 0}
            db.execute(update(threads).where(threads.c.id == thread_id).values(change))

    def patient_waits(self, thread_id: int, now: dt.datetime) -> None:
        """The patient wrote while a person has taken over; the first such moment counts."""
        first = (
            (threads.c.id == thread_id) & threads.c.waiting_since.is_(None) & threads.c.taken_at.is_not(None)
        )
        with self.write() as db:
            db.execute(update(threads).where(first).values(waiting_since=now, told=0))

    def told_waiting(self, thread_id: int, step: int) -> bool:
        """Claim one step of telling that a patient waits; False when another process was first."""
        mine = (threads.c.id == thread_id) & (threads.c.told == step - 1)
        with self.write() as db:
            return db.execute(update(threads).where(mine).values(told=step)).rowcount == 1

    # --- what was said

    def add_lines(self, thread_id: int, lines: list[Line], now: dt.datetime) -> None:
        """Keep `lines`, and only the last TALK_KEPT of the conversation."""
        rows = [
            {
                "thread_id": thread_id,
                "at": line.at,
                "who": line.who,
                "name": line.name[:64],
                "text_sealed": self._vault.seal(line.text, _TEXT),
            }
            for line in lines
        ]
        if not rows:
            return
        last = (
            select(talk.c.id).where(talk.c.thread_id == thread_id).order_by(talk.c.id.desc()).limit(TALK_KEPT)
        )
        with self.write() as db:
            db.execute(talk.insert(), rows)
            db.execute(update(threads).where(threads.c.id == thread_id).values(seen_at=now))
            old = (talk.c.thread_id == thread_id) & talk.c.id.not_in(last)
            db.execute(delete(talk).where(old))

    def lines(self, thread_id: int, limit: int = TALK_KEPT) -> list[Line]:
        """The end of a conversation, in order."""
        return [line for _, line in self.numbered_lines(thread_id, limit)]

    def numbered_lines(self, thread_id: int, limit: int = TALK_KEPT) -> list[tuple[int, Line]]:
        """The same with each line's number."""
        query = select(talk).where(talk.c.thread_id == thread_id).order_by(talk.c.id.desc()).limit(limit)
        with self.read() as db:
            found = [
                (r.id, Line(r.at, r.who, self._vault.unseal(r.text_sealed, _TEXT), r.name))
                for r in db.execute(query)
            ]
        return found[::-1]

    # --- the staff chat

    def set_topic(self, thread_id: int, topic: str | None) -> None:
        with self.write() as db:
            db.execute(update(threads).where(threads.c.id == thread_id).values(topic=topic))

    def thread_of_topic(self, topic: str) -> Thread | None:
        return next(iter(self._threads(threads.c.topic == topic)), None)

    def remember_post(self, chat: str, message: int, thread_id: int) -> None:
        """A reply to this message of a staff chat goes to this thread's patient."""
        row = {"chat": chat, "message": message, "thread_id": thread_id}
        with self.write() as db:
            db.execute(self.insert(posts).values(row).on_conflict_do_nothing())

    def thread_of_post(self, chat: str, message: int) -> Thread | None:
        which = select(posts.c.thread_id).where(posts.c.chat == chat, posts.c.message == message)
        return next(iter(self._threads(threads.c.id.in_(which))), None)

    def first_post(self, chat: str, thread_id: int) -> int | None:
        """The message of a staff chat below which this conversation stands."""
        query = select(func.min(posts.c.message)).where(posts.c.chat == chat, posts.c.thread_id == thread_id)
        with self.read() as db:
            return db.execute(query).scalar()

    # --- rings

    def ring_at(self, alert_id: int, since: dt.datetime, next_at: dt.datetime) -> None:
        """Call again at `next_at` unless somebody has read the alert by then. Counting begins anew at `since`."""
        put = self.insert(alert_rings).values(alert_id=alert_id, since=since, next_at=next_at, rings=0)
        change = {"since": since, "next_at": next_at, "rings": 0}
        with self.write() as db:
            db.execute(put.on_conflict_do_update(index_elements=["alert_id"], set_=change))

    def due_rings(self, now: dt.datetime) -> list[Ring]:
        unread = alerts.c.acknowledged_at.is_(None) & alerts.c.closed_at.is_(None)
        query = select(alert_rings).join(alerts).where(unread, alert_rings.c.next_at <= now)
        with self.read() as db:
            return [
                Ring(row.alert_id, row.rings, row.since, row.next_at)
                for row in db.execute(query.order_by(alert_rings.c.next_at))
            ]

    def postpone_ring(self, alert_id: int, next_at: dt.datetime) -> None:
        """Try the same call again later."""
        with self.write() as db:
            change = update(alert_rings).where(alert_rings.c.alert_id == alert_id)
            db.execute(change.values(next_at=next_at))

    def claim_ring(self, ring: Ring, next_at: dt.datetime) -> bool:
        """Take one call upon us; False when another process was first.

        If we die after this and before the call is heard, it is the next one, at `next_at`, that staff hear.
        """
        mine = (alert_rings.c.alert_id == ring.alert_id) & (alert_rings.c.rings == ring.rings)
        change = {"rings": ring.rings + 1, "next_at": next_at}
        with self.write() as db:
            return db.execute(update(alert_rings).where(mine).values(change)).rowcount == 1

    def set_card(self, alert_id: int, card: Card) -> None:
        with self.write() as db:
            change = {"card_chat": card.chat, "card_message": card.message}
            db.execute(update(alert_rings).where(alert_rings.c.alert_id == alert_id).values(change))

    def card(self, alert_id: int) -> Card | None:
        with self.read() as db:
            row = db.execute(select(alert_rings).where(alert_rings.c.alert_id == alert_id)).one_or_none()
        return Card(row.card_chat, row.card_message) if row and row.card_message is not None else None

    def alert_of(self, address: Address) -> int | None:
        """The open alert of `address`."""
        mac = self._vault.mac(address.channel, address.chat)
        query = select(alerts.c.id).where(alerts.c.channel == address.channel, alerts.c.chat_mac == mac)
        with self.read() as db:
            return db.execute(query.where(alerts.c.closed_at.is_(None))).scalar()

    def ended_alerts(self, address: Address, limit: int = 20) -> list[Row[Any]]:
        """Alerts of `address` that are closed, newest first: opened_at, kind, urgency, closed_by, close_reason."""
        mac = self._vault.mac(address.channel, address.chat)
        query = (
            select(alerts)
            .where(alerts.c.channel == address.channel, alerts.c.chat_mac == mac)
            .where(alerts.c.closed_at.is_not(None))
            .order_by(alerts.c.id.desc())
            .limit(limit)
        )
        with self.read() as db:
            return list(db.execute(query).all())

    def prune_care(self, now: dt.datetime) -> int:
        """Forget conversations that ended long ago and wait for nobody."""
        waits = (
            select(alerts.c.id)
            .where(alerts.c.closed_at.is_(None))
            .where(alerts.c.channel == threads.c.channel, alerts.c.chat_mac == threads.c.chat_mac)
        )
        old = (threads.c.seen_at < now - THREADS_KEPT) & threads.c.taken_at.is_(None) & ~exists(waits)
        with self.write() as db:
            return db.execute(delete(threads).where(old)).rowcount

    def open_count(self) -> tuple[int, int]:
        """Open alerts, and those of them that nobody has read."""
        unread = func.count().filter(alerts.c.acknowledged_at.is_(None))
        with self.read() as db:
            total, new = db.execute(select(func.count(), unread).where(alerts.c.closed_at.is_(None))).one()
            return total, new
