"""One alert from its opening to its end: told, read, told again, closed; the patient hears the truth at each step."""

import asyncio
import datetime as dt

from bot import logs
from bot.core.effects import OpenAlert
from bot.core.values import Button, CheckedIn, Line, Patient
from bot.staff import cards, rings
from bot.staff.post import Post, title
from bot.staff.voice import Voice
from bot.store.alerts import GRAVE
from bot.store.care import Card, Ring, Thread
from bot.store.store import Alert, Store
from intents.faq import URGENCIES

log = logs.get("staff")


class Alerting:
    """Open -> read -> closed with a reason. Whoever is second hears who was first."""

    def __init__(self, store: Store, post: Post, voice: Voice) -> None:
        self._store, self._post, self._voice = store, post, voice

    async def open(
        self, patient: Patient, alert: OpenAlert, talk: tuple[Line, ...], now: dt.datetime
    ) -> tuple[Alert, bool]:
        """Keep the alert, then tell the staff; whether the staff chat has it.

        If we die before it is kept, the inbox handles the event again. After that and before it is told, the row
        in alert_rings lets a tick tell it: it is written first, and due in half a minute.
        """
        thread = await asyncio.to_thread(
            self._store.thread_of, patient.address, now, patient.language or "en", patient.traditional
        )
        number = await asyncio.to_thread(self._store.alert_of, patient.address)
        before = await asyncio.to_thread(self._store.alert, number) if number else None
        opened = await asyncio.to_thread(
            self._store.open_alert,
            patient.address, patient.id, alert.kind, alert.urgency, alert.red_flag, alert.text, now,
        )  # fmt: skip
        await asyncio.to_thread(self._store.add_lines, thread.id, list(talk), now)
        card = await asyncio.to_thread(self._store.card, opened.id)
        if before and card and not _is_new(before, opened):
            return opened, await self._more(thread, alert)
        waits = before is not None and card is not None and not _rings_anew(before, opened)
        if not waits:
            await self._expect_answer(opened, now)
        shown = await self._show(opened, thread, patient, now, rings_on=waits)
        if waits and not shown:
            await asyncio.to_thread(self._store.postpone_ring, opened.id, now + rings.UNSENT)
        return opened, shown

    async def _expect_answer(self, alert: Alert, now: dt.datetime) -> None:
        clinic = self._voice.faq.clinic
        since = rings.counting_from(alert.urgency, clinic, now)
        due = rings.first_ring(alert.urgency, clinic, now)
        if self._post.chat:  # until the chat has it
            due = now + rings.UNSENT
        await asyncio.to_thread(self._store.ring_at, alert.id, since, due)

    async def _more(self, thread: Thread, alert: OpenAlert) -> bool:
        """A further message under the same alert; ten of them ring once."""
        words = alert.text.strip() or "(asks for a person again)"
        return await self._post.to_thread(thread, f"“{words}”", quiet=alert.kind not in GRAVE) is not None

    async def _show(
        self, alert: Alert, thread: Thread, patient: Patient, now: dt.datetime, rings_on: bool = False
    ) -> bool:
        """A new card; `rings_on`: the next call stays when it was to be. Whether the chat has it."""
        lines = await asyncio.to_thread(self._store.lines, thread.id, cards.TALK_SHOWN + 1)
        answered = await self._check_ins(patient)
        text = cards.alert_card(alert, thread, patient, lines, answered, self._voice.faq, now)
        old = await asyncio.to_thread(self._store.card, alert.id)
        card = await self._post.to_thread(thread, text, cards.alert_buttons(alert, thread))
        if card is None:
            return False
        await asyncio.to_thread(self._store.set_card, alert.id, card)
        if not rings_on:
            due = rings.first_ring(alert.urgency, self._voice.faq.clinic, now)
            await asyncio.to_thread(self._store.postpone_ring, alert.id, due)
        await self._strip(old)
        return True

    async def _check_ins(self, patient: Patient) -> list[CheckedIn]:
        return await asyncio.to_thread(self._store.check_ins, patient.id) if patient.id else []

    async def _strip(self, card: Card | None) -> None:
        """Only the newest card of an alert carries buttons."""
        if card and self._post.room:
            await self._post.room.set_buttons(card.chat, card.message, ())

    # --- what people do

    async def acknowledge(self, alert_id: int, by: str, now: dt.datetime) -> str:
        """Somebody has read it. The answer is for that person."""
        if not await asyncio.to_thread(self._store.acknowledge_alert, alert_id, by, now):
            return await self._how_it_stands(alert_id)
        alert, thread = await self._both(alert_id)
        await asyncio.to_thread(self._store.audit, by, "alert.read", f"alert {alert_id}", now)
        # If we die here the patient does not hear of it; the next step (a reply, the closing) tells them.
        name, time = by, self._voice.words(thread).time(self._voice.local(now))
        failed = await self._voice.say(thread, "alert_read", name=name, time=time)
        await self.refresh(alert, thread)
        await self._note(thread, f"{by} has read alert #{alert_id}." + _unheard(failed))
        return "Noted. The patient knows that you read it." if not failed else f"Noted.{_unheard(failed)}"

    async def close(self, alert_id: int, by: str, reason: str, now: dt.datetime) -> str:
        """It is dealt with. The answer is for the person who closed it."""
        if not await asyncio.to_thread(self._store.close_alert, alert_id, by, reason, now):
            return await self._how_it_stands(alert_id)
        alert, thread = await self._both(alert_id)
        await asyncio.to_thread(self._store.audit, by, "alert.closed", f"alert {alert_id}", now, reason)
        failed = await self._voice.say(thread, "alert_closed")
        await self.refresh(alert, thread)
        await self._note(thread, f"{by} closed alert #{alert_id}: {reason}." + _unheard(failed))
        return "Closed. The patient knows." if not failed else f"Closed.{_unheard(failed)}"

    async def ask_reason(self, alert_id: int) -> None:
        """Show the reasons in place of the buttons."""
        alert, thread = await self._both(alert_id)
        await self._set_buttons(alert, cards.alert_buttons(alert, thread) and cards.reason_buttons(alert))

    async def refresh(self, alert: Alert, thread: Thread) -> None:
        """Bring the card's buttons up to date."""
        await self._set_buttons(alert, cards.alert_buttons(alert, thread))

    async def refresh_of(self, thread: Thread) -> None:
        """The same for whatever alert is open in a thread."""
        number = await asyncio.to_thread(self._store.alert_of, thread.address)
        alert = await asyncio.to_thread(self._store.alert, number) if number else None
        if alert:
            await self.refresh(alert, thread)

    async def _set_buttons(self, alert: Alert, buttons: tuple[Button, ...]) -> None:
        card = await asyncio.to_thread(self._store.card, alert.id)
        if card and self._post.room:
            await self._post.room.set_buttons(card.chat, card.message, buttons)

    async def thread_of(self, alert_id: int) -> Thread | None:
        alert = await asyncio.to_thread(self._store.alert, alert_id)
        return await asyncio.to_thread(self._store.thread_at, alert.address) if alert else None

    async def _both(self, alert_id: int) -> tuple[Alert, Thread]:
        alert = await asyncio.to_thread(self._store.alert, alert_id)
        thread = await asyncio.to_thread(self._store.thread_at, alert.address) if alert else None
        if alert is None or thread is None:
            raise LookupError(f"alert {alert_id} is gone")
        return alert, thread

    async def _how_it_stands(self, alert_id: int) -> str:
        alert = await asyncio.to_thread(self._store.alert, alert_id)
        if alert is None:
            return f"Alert #{alert_id} is gone: the patient deleted their data, or it is too old."
        if alert.closed:
            return f"Alert #{alert_id} was closed by {alert.closed_by}: {alert.close_reason}."
        return f"Alert #{alert_id} was read by {alert.acknowledged_by} already."

    async def _note(self, thread: Thread, text: str) -> None:
        """For the colleagues: in the patient's place in the staff chat, and on the page."""
        now = self._voice.clock()
        await asyncio.to_thread(self._store.add_lines, thread.id, [Line(now, "note", text)], now)
        await self._post.to_thread(thread, text, quiet=True)

    # --- time

    async def tick(self, now: dt.datetime) -> int:
        """Tell again what nobody has read. The number of alerts told."""
        due = await asyncio.to_thread(self._store.due_rings, now)
        for ring in due:
            try:
                await self._ring(ring, now)
            except Exception as err:  # one alert's trouble must not keep the others silent
                log.exception("ring_failed", alert=ring.alert_id, error=type(err).__name__)
        return len(due)

    async def _ring(self, ring: Ring, now: dt.datetime) -> None:
        # gather
        alert, thread = await self._both(ring.alert_id)
        patient = await asyncio.to_thread(self._store.patient, alert.address) or Patient(alert.address)
        card = await asyncio.to_thread(self._store.card, alert.id)
        lines = await asyncio.to_thread(self._store.lines, thread.id, cards.TALK_SHOWN + 1)
        answered = await self._check_ins(patient)
        # decide
        minutes, number = rings.minutes_between(ring.since, now), ring.rings + 1
        if card is None and await self._told_at_last(alert, thread, patient, minutes, now):
            return
        due = rings.next_ring(alert.urgency, number, self._voice.faq.clinic, now)
        if not await asyncio.to_thread(self._store.claim_ring, ring, due):
            return
        # apply
        buttons = cards.alert_buttons(alert, thread)
        head = f"⏰ Nobody has read alert #{alert.id} for {minutes} minutes."
        again = await self._post.to_thread(thread, head, buttons)
        if again:
            await asyncio.to_thread(self._store.set_card, alert.id, again)
            await self._strip(card)
        full = cards.alert_card(alert, thread, patient, lines, answered, self._voice.faq, now)
        await self._post.to_second(thread, f"{head}\n\n{full}", buttons)
        if number in rings.TELL_PATIENT:
            await self._voice.say(thread, "alert_unanswered", minutes=minutes)
        log.warning("alert_unread", alert=alert.id, who=title(thread), minutes=minutes)

    async def _told_at_last(
        self, alert: Alert, thread: Thread, patient: Patient, minutes: int, now: dt.datetime
    ) -> bool:
        """An alert that has never reached the chat: tell it now, or soon again while its time is not over."""
        if self._post.chat is None:
            return False
        if await self._show(alert, thread, patient, now):
            return True
        if minutes >= rings.minutes(alert.urgency, self._voice.faq.clinic):
            return False
        await asyncio.to_thread(self._store.postpone_ring, alert.id, now + rings.UNSENT)
        return True


def _is_new(before: Alert, after: Alert) -> bool:
    """Whether a further message makes staff look again: it came after they had read, or is another and graver matter."""
    return _rings_anew(before, after) or after.kind != before.kind


def _rings_anew(before: Alert, after: Alert) -> bool:
    """Whether the time to answer begins anew; else whoever writes on would put the next call off."""
    reopened = before.acknowledged_at is not None and after.acknowledged_at is None
    return reopened or URGENCIES.index(after.urgency) > URGENCIES.index(before.urgency)


def _unheard(failed: str | None) -> str:
    return f" The patient could not be told ({failed}): please call." if failed else ""
