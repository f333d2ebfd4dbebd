"""Alerts: a patient needs a person. One open alert for each address; further messages are added to it."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from bot.core.values import Address, AlertKind, Learned
from bot.store.database import Database
from bot.store.patients import release_after_alert
from bot.store.schema import addresses, alert_messages, alerts, unanswered
from intents.faq import URGENCIES

_CHAT, _TEXT = "alerts.chat", "alert_messages.text"
_QUESTION, _REPLY = "unanswered.text", "unanswered.reply"

# Alerts of which each further message is read anew, and loudly; who wishes for a person again says nothing new.
GRAVE = ("danger", "check_in")


@dataclass(frozen=True, slots=True)
class AlertMessage:
    at: dt.datetime
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as staff see it; `urgency` and `kind` are the gravest of its messages."""

    id: int
    address: Address
    patient_id: int | None
    kind: AlertKind
    urgency: str
    red_flag: str | None
    opened_at: dt.datetime
    acknowledged_at: dt.datetime | None
    acknowledged_by: str | None
    messages: tuple[AlertMessage, ...] = ()
    closed_at: dt.datetime | None = None
    closed_by: str | None = None
    close_reason: str | None = None

    @property
    def closed(self) -> bool:
        return self.closed_at is not None


class Alerts(Database):
    """Alerts, and the questions that found no answer."""

    def open_alert(
        self,
        address: Address,
        patient_id: int | None,
        kind: AlertKind,
        urgency: str,
        red_flag: str | None,
        text: str,
        now: dt.datetime,
    ) -> Alert:
        """Open an alert, or add to the one that is open for `address`. Danger reported anew is unacknowledged again, and so
        is a worrying check-in, unless a danger is open: who read the wish for a person has not read that.

        If we die after this returns, the alert is on the staff's list although nobody was rung: the inbox
        handles the event again, which adds its message a second time rather than losing it.
        """
        mac = self._vault.mac(address.channel, address.chat)
        row = {
            "patient_id": patient_id or self._owner(address.channel, mac),
            "channel": address.channel,
            "chat_sealed": self._vault.seal(address.chat, _CHAT),
            "chat_mac": mac,
            "kind": kind,
            "urgency": urgency,
            "red_flag": red_flag,
            "opened_at": now,
        }
        here = (
            (alerts.c.channel == address.channel) & (alerts.c.chat_mac == mac) & alerts.c.closed_at.is_(None)
        )
        with self.write() as db:
            put = self.insert(alerts).values(row).on_conflict_do_nothing().returning(alerts.c.id)
            new = db.execute(put).scalar() is not None
            found = db.execute(select(alerts).where(here).with_for_update()).one()
            sealed = self._vault.seal(text, _TEXT)
            db.execute(alert_messages.insert().values(alert_id=found.id, at=now, text_sealed=sealed))
            if not new:
                change = _graver(found, kind, urgency, red_flag)
                if change:
                    db.execute(update(alerts).where(alerts.c.id == found.id).values(change))
            return self._alerts(db, alerts.c.id == found.id)[0]

    def _owner(self, channel: str, mac: bytes) -> int | None:
        query = select(addresses.c.patient_id).where(
            addresses.c.channel == channel, addresses.c.chat_mac == mac
        )
        with self.read() as db:
            return db.execute(query).scalar()

    def alert_open(self, address: Address) -> bool:
        mac = self._vault.mac(address.channel, address.chat)
        query = select(alerts.c.id).where(alerts.c.channel == address.channel, alerts.c.chat_mac == mac)
        with self.read() as db:
            return db.execute(query.where(alerts.c.closed_at.is_(None))).scalar() is not None

    def open_alerts(self, before: dt.datetime | None = None) -> list[Alert]:
        """All that are open, or those of them that were opened before that moment; oldest first."""
        which = alerts.c.closed_at.is_(None)
        with self.read() as db:
            return self._alerts(db, which & (alerts.c.opened_at < before) if before else which)

    def alert(self, alert_id: int) -> Alert | None:
        """One alert, open or closed."""
        with self.read() as db:
            return next(iter(self._alerts(db, alerts.c.id == alert_id)), None)

    def _alerts(self, db: Connection, which: Any) -> list[Alert]:
        rows = db.execute(select(alerts).where(which).order_by(alerts.c.id)).all()
        said: dict[int, list[AlertMessage]] = {row.id: [] for row in rows}
        query = (
            select(alert_messages).where(alert_messages.c.alert_id.in_(said)).order_by(alert_messages.c.id)
        )
        for message in db.execute(query):
            text = self._vault.unseal(message.text_sealed, _TEXT)
            said[message.alert_id].append(AlertMessage(message.at, text))
        return [self._alert(row, tuple(said[row.id])) for row in rows]

    def _alert(self, row: Row[Any], messages: tuple[AlertMessage, ...]) -> Alert:
        return Alert(
            id=row.id,
            address=Address(row.channel, self._vault.unseal(row.chat_sealed, _CHAT)),
            patient_id=row.patient_id,
            kind=row.kind,
            urgency=row.urgency,
            red_flag=row.red_flag,
            opened_at=row.opened_at,
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=row.acknowledged_by,
            messages=messages,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            close_reason=row.close_reason,
        )

    def acknowledge_alert(self, alert_id: int, by: str, now: dt.datetime) -> bool:
        """A person has seen it; False when another was first or it is closed."""
        mine = (alerts.c.id == alert_id) & alerts.c.acknowledged_at.is_(None) & alerts.c.closed_at.is_(None)
        with self.write() as db:
            change = update(alerts).where(mine).values(acknowledged_at=now, acknowledged_by=by[:64])
            return db.execute(change).rowcount == 1

    def close_alert(self, alert_id: int, by: str, reason: str, now: dt.datetime) -> bool:
        """It is dealt with; the patient's held reminders go on. False when it was closed before."""
        with self.write() as db:
            change = update(alerts).where(alerts.c.id == alert_id, alerts.c.closed_at.is_(None))
            ending = {
                "closed_at": now, "closed_by": by[:64], "close_reason": reason[:200], "unsaid_sealed": None,
            }  # fmt: skip
            closed = db.execute(change.values(ending).returning(alerts.c.patient_id)).one_or_none()
            if closed is None:
                return False
            release_after_alert(db, closed.patient_id)
            return True

    def record_unanswered(
        self, text: str, language: str, matches: tuple[str, ...], patient_id: int | None, now: dt.datetime
    ) -> None:
        """A question for staff to write an answer for."""
        row = {
            "patient_id": patient_id,
            "language": language,
            "text_sealed": self._vault.seal(text, _QUESTION),
            "matches": ",".join(matches),
            "at": now,
        }
        with self.write() as db:
            db.execute(unanswered.insert().values(row))

    def keep_answered(self, asked: Learned, language: str, patient_id: int, now: dt.datetime) -> bool:
        """A question that a person answered, for staff to make an entry of; False when it is kept already."""
        row = {
            "patient_id": patient_id,
            "language": language,
            "text_sealed": self._vault.seal(asked.question, _QUESTION),
            "reply_sealed": self._vault.seal(asked.reply, _REPLY),
            "talk_id": asked.talk_id,
            "matches": "",
            "at": now,
        }
        put = self.insert(unanswered).values(row).on_conflict_do_nothing().returning(unanswered.c.id)
        with self.write() as db:
            return db.execute(put).scalar() is not None


def _graver(found: Row[Any], kind: AlertKind, urgency: str, red_flag: str | None) -> dict[str, Any]:
    """What a further message changes in an open alert."""
    change: dict[str, Any] = {}
    if URGENCIES.index(urgency) > URGENCIES.index(found.urgency):
        change = {"urgency": urgency, "red_flag": red_flag or found.red_flag}
    if kind in GRAVE and (kind == "danger" or found.kind != "danger"):
        change |= {"kind": kind, "acknowledged_at": None, "acknowledged_by": None}
    return change
