"""A patient's procedures, put in by staff: one more of another kind, one moved, one called off."""

import asyncio
import datetime as dt

from aiohttp import web

from bot.core.dates import FUTURE_DAYS, PAST_DAYS
from bot.core.recovery import local_date
from bot.core.reminders import plan
from bot.core.values import Patient
from bot.staff.site import Visit


async def set_date(visit: Visit) -> web.StreamResponse:
    """Add a procedure, or move the one that the patient has of this kind; the reminders of the others stay as they are."""
    patient, kind, faq = await _patient(visit), visit.form.get("kind", ""), visit.site.faq
    if kind not in faq.procedures and kind not in {item.kind for item in patient.procedures}:
        raise web.HTTPBadRequest(text="unknown kind of procedure")
    zone = patient.timezone or faq.clinic.timezone
    date = _date(visit.form.get("date", ""), local_date(visit.now, zone))
    if date is None:
        allowed = f"{PAST_DAYS - 1} days back to {FUTURE_DAYS} days ahead"
        return visit.go(_page(visit), f"Nothing was changed: this date cannot be. Allowed: {allowed}.")
    planned = plan(faq.steps_of(kind), date, zone)
    await asyncio.to_thread(
        visit.site.store.set_procedure_date, visit.number(), date, planned, visit.now, kind
    )
    await visit.audit("procedure.date", f"patient {visit.number()}")
    return visit.go(_page(visit), f"{faq.procedure_name(kind, 'en')}: {date}. The reminders follow.")


async def call_off(visit: Visit) -> web.StreamResponse:
    """A procedure that will not be: nothing more is sent for it."""
    await _patient(visit)
    kind = visit.form.get("kind", "")
    if not await asyncio.to_thread(visit.site.store.call_off, visit.number(), kind):
        return visit.go(_page(visit), "Nothing was changed: the patient has no such procedure any more.")
    await visit.audit("procedure.called_off", f"patient {visit.number()}")
    name = visit.site.faq.procedure_name(kind, "en")
    return visit.go(_page(visit), f"{name} is called off, and so are its reminders.")


async def _patient(visit: Visit) -> Patient:
    rows = await asyncio.to_thread(visit.site.store.patient_rows, visit.number())
    if not rows:
        raise web.HTTPNotFound
    return rows[0].patient


def _page(visit: Visit) -> str:
    return f"/staff/patients/{visit.number()}"


def _date(typed: str, today: dt.date) -> dt.date | None:
    try:
        date = dt.date.fromisoformat(typed)
    except ValueError:
        return None
    return date if -FUTURE_DAYS <= (today - date).days < PAST_DAYS else None
