"""Patients: where each one is on the journey, what was sent and what is to come; and the journey of anybody."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo, available_timezones

from aiohttp import web

from bot.core import journey
from bot.core.procedures import as_of
from bot.core.recovery import local_date, recovery_day
from bot.core.reminders import plan
from bot.core.values import Patient
from bot.core.wording import Wording
from bot.staff import cards, checkins, rings
from bot.staff.faq_pages import choice
from bot.staff.site import Visit
from bot.store.care import Thread
from bot.store.figures import PatientRow
from bot.store.store import Alert
from bot.store.watch import Listed
from intents.faq import THREAD_LIFT
from intents.languages import LANGUAGES

TROUBLE = dt.timedelta(days=30)
STATES = {
    "pending": "to come", "sending": "on its way", "sent": "sent", "failed": "failed", "missed": "left out",
    "cancelled": "cancelled", "held": "held",
}  # fmt: skip


async def patients(visit: Visit) -> web.StreamResponse:
    """Everybody who agreed to be kept, the newest procedures first. Numbers, no names: names stay with the clinic."""
    rows = await asyncio.to_thread(visit.site.store.all_patients)
    faq, now = visit.site.faq, visit.now
    days = {row.patient.id: _day(row.patient, faq.clinic.timezone, now) for row in rows}
    await visit.audit_reading("patients")
    return await visit.page("patients.html", rows=rows, days=days, languages=LANGUAGES)


def _day(patient: Patient, timezone: str, now: dt.datetime) -> int | None:
    date = as_of(patient, now, timezone).procedure_date
    return recovery_day(date, now, patient.timezone or timezone)


async def patient(visit: Visit) -> web.StreamResponse:
    """One patient."""
    store, faq, number = visit.site.store, visit.site.faq, visit.number()
    rows = await asyncio.to_thread(store.patient_rows, number)
    if not rows:
        raise web.HTTPNotFound
    reminders = await asyncio.to_thread(store.reminder_rows, number)
    known = as_of(rows[0].patient, visit.now, faq.clinic.timezone)
    answered = checkins.course(await asyncio.to_thread(store.check_ins, number), known, faq, visit.now)
    had = {item.kind for item in known.procedures}
    await visit.audit_reading(f"patient {number}")
    return await visit.page(
        "patient.html", number=number, rows=rows, patient=known, reminders=reminders, faq=faq,
        day=_day(known, faq.clinic.timezone, visit.now), languages=LANGUAGES, states=STATES,
        addable=[kind for kind in faq.procedures if kind not in had],
        threads=await _threads(visit, rows), check_ins=answered, chart=checkins.chart(answered),
    )  # fmt: skip


async def _threads(visit: Visit, rows: list[PatientRow]) -> list[int]:
    found = [await asyncio.to_thread(visit.site.store.thread_at, row.patient.address) for row in rows]
    return [thread.id for thread in found if thread]


async def journey_page(visit: Visit) -> web.StreamResponse:
    """Every push of a patient with this date and kind of procedure, at its local time, word by word."""
    faq, (language, traditional) = visit.site.faq, choice(visit)
    query, zone = visit.request.query, faq.clinic.timezone
    zone = query["tz"] if query.get("tz") in available_timezones() else zone
    try:
        date = dt.date.fromisoformat(query.get("date", ""))
    except ValueError:
        date = local_date(visit.now, zone)
    words, detail = Wording(faq, language, traditional, "LINE"), query.get("detail") == "on"
    kind = query["kind"] if query.get("kind") in faq.procedures else THREAD_LIFT
    pushes = [
        (item.due_at.astimezone(ZoneInfo(zone)), faq.steps[item.step_id],
         journey.reminder(faq.steps[item.step_id], words, detail, asks_for=date))
        for item in plan(faq.steps_of(kind), date, zone)
    ]  # fmt: skip
    return await visit.page(
        "journey.html", pushes=pushes, date=date, zone=zone, language=language, traditional=traditional,
        detail=detail, kind=kind, faq=faq, languages=LANGUAGES,
    )  # fmt: skip


async def deliveries(visit: Visit) -> web.StreamResponse:
    """Reminders that a person should look at: those that may have come twice, failures, what was left out, and what waits for
    staff, also because of an alert that nobody closes.
    """
    store = visit.site.store
    listed = await asyncio.to_thread(store.trouble, visit.now - TROUBLE)
    health = await asyncio.to_thread(store.delivery_health, visit.now)
    forgotten = await _forgotten(visit)
    singly = [item for item in listed if item.state != "missed" or item.doubtful]
    return await visit.page(
        "deliveries.html", listed=singly, left_out=together(listed), forgotten=forgotten, what=cards.what,
        health=health, faq=visit.site.faq,
    )  # fmt: skip


async def _forgotten(visit: Visit) -> list[tuple[Alert, Thread | None]]:
    """Alerts that are open for more than a day, with their conversations: they hold reminders back."""
    store, before = visit.site.store, visit.now - rings.FORGOTTEN_AFTER
    alerts = await asyncio.to_thread(store.open_alerts, before)
    return [(alert, await asyncio.to_thread(store.thread_at, alert.address)) for alert in alerts]


def together(listed: Sequence[Listed]) -> list[tuple[Listed, list[int]]]:
    """What was left out, a line for each step, day and reason with its patients: an outage makes many at once."""
    groups: dict[tuple[str, dt.date, str | None], list[Listed]] = {}
    for item in listed:
        if item.state == "missed" and not item.doubtful:
            groups.setdefault((item.step_id, item.due_at.date(), item.reason), []).append(item)
    return [(items[0], sorted({item.patient_id for item in items})) for items in groups.values()]


async def settle_held(visit: Visit) -> web.StreamResponse:
    """After a restored backup: let the held ones go out, or leave them out."""
    what = visit.form.get("what", "")
    if what not in ("send", "drop"):
        raise web.HTTPBadRequest(text="send or drop")
    store = visit.site.store
    if what == "send":
        count = await asyncio.to_thread(store.release_held, "restored")
    else:
        count = await asyncio.to_thread(store.drop_held, "restored", visit.now)
    await visit.audit("reminders.held", what, f"{count} reminders")
    return visit.go(
        "/staff/deliveries", f"{count} reminders: {'they go out now' if what == 'send' else 'left out'}."
    )
