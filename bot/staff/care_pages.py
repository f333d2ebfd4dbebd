"""Alerts, conversations and visits: the pages of those who care for patients. Every reading of a patient is written down."""

import asyncio
import zlib

from aiohttp import web

from bot.core.values import Patient
from bot.staff import cards, checkins
from bot.staff.post import title
from bot.staff.site import HOME, Visit
from bot.store.care import Thread
from bot.store.store import Alert, Store
from intents.faq import URGENCIES

REPLY_LENGTH = 4000


async def inbox(visit: Visit) -> web.StreamResponse:
    """Open alerts, gravest and unread first; then who wrote last."""
    if visit.role == "editor":
        return visit.go("/staff/faq")
    store = visit.site.store
    alerts = await asyncio.to_thread(store.open_alerts)
    threads = await asyncio.to_thread(store.recent_threads)
    by_address = {thread.address: thread for thread in threads}
    rows = [(alert, by_address.get(alert.address)) for alert in sorted(alerts, key=_gravity)]
    alarmed = {alert.address for alert in alerts}
    rest = [thread for thread in threads if thread.address not in alarmed]
    visits = await asyncio.to_thread(store.open_appointments)
    visit.site.desk.watched()
    return await visit.page(
        "inbox.html", alerts=rows, threads=rest, visits=visits, title=title, what=cards.what,
        faq=visit.site.faq, pulse=_pulse(alerts, threads, len(visits)),
    )  # fmt: skip


def _gravity(alert: Alert) -> tuple[bool, int, float]:
    return alert.acknowledged_at is not None, -URGENCIES.index(alert.urgency), alert.opened_at.timestamp()


def _pulse(alerts: list[Alert], threads: list[Thread], visits: int) -> str:
    """Changes whenever the inbox would look different."""
    newest = max((thread.seen_at.timestamp() for thread in threads), default=0)
    state = [
        (alert.id, alert.urgency, alert.acknowledged_at is None, len(alert.messages)) for alert in alerts
    ]
    return f"{zlib.crc32(repr((state, newest, visits)).encode()):x}"


def _news(store: Store) -> tuple[str, int]:
    """The pulse as it is now, and how many alerts are unread. Asks the store."""
    alerts, threads = store.open_alerts(), store.recent_threads()
    unread = sum(alert.acknowledged_at is None for alert in alerts)
    return _pulse(alerts, threads, len(store.open_appointments())), unread


async def pulse(visit: Visit) -> web.StreamResponse:
    """Asked for by open pages every few seconds: has anything changed, and how many alerts are unread."""
    pulse, unread = await asyncio.to_thread(_news, visit.site.store)
    visit.site.desk.watched()
    return web.json_response({"pulse": pulse, "unread": unread})


async def thread(visit: Visit) -> web.StreamResponse:
    """One conversation with what can be done."""
    return await _thread_page(visit, await _thread(visit))


async def _thread(visit: Visit) -> Thread:
    found = await asyncio.to_thread(visit.site.store.thread, visit.number())
    if found is None:
        raise web.HTTPNotFound
    return found


async def _thread_page(visit: Visit, found: Thread, draft: str = "", problem: str = "") -> web.StreamResponse:
    store, faq = visit.site.store, visit.site.faq
    number = await asyncio.to_thread(store.alert_of, found.address)
    alert = await asyncio.to_thread(store.alert, number) if number else None
    patient = await asyncio.to_thread(store.patient, found.address) or Patient(found.address)
    lines = await asyncio.to_thread(store.numbered_lines, found.id)
    worth = {item.talk_id for item in await asyncio.to_thread(visit.site.desk.learning.of, found)}
    pictures = await asyncio.to_thread(store.pictures_of, found.id, visit.now)
    visits = await asyncio.to_thread(store.appointments_of, found.id)
    ended = await asyncio.to_thread(store.ended_alerts, found.address)
    answered = await asyncio.to_thread(store.check_ins, patient.id) if patient.id else []
    await visit.audit_reading(f"thread {found.id}")
    pulse, _ = await asyncio.to_thread(_news, store)
    visit.site.desk.watched()
    return await visit.page(
        "thread.html", thread=found, alert=alert, patient=patient, lines=lines, visits=visits, ended=ended,
        title=title(found), what=cards.what, faq=faq, reasons=cards.REASONS, draft=draft,
        problem=problem, day=cards.day_words(patient, faq, visit.now), entries=list(faq.entries.values()),
        pulse=pulse, worth=worth, pictures=pictures,
        check_ins=checkins.in_a_line(checkins.course(answered, patient, faq, visit.now)),
    )  # fmt: skip


async def learn(visit: Visit) -> web.StreamResponse:
    """What a person answered is kept for the FAQ, with the question that led to it."""
    found, line = await _thread(visit), visit.form.get("line", "")
    if not line.isascii() or not line.isdigit() or len(line) > 15:
        raise web.HTTPBadRequest(text="unknown line")
    said = await asyncio.to_thread(visit.site.desk.learning.keep, found, int(line), visit.who, visit.now)
    return visit.go("/staff/unanswered" if visit.role == "admin" else f"/staff/threads/{found.id}", said)


async def picture(visit: Visit) -> web.StreamResponse:
    """What a patient or a colleague showed, for the week that it is kept."""
    jpeg = await asyncio.to_thread(visit.site.store.picture, visit.number(), visit.now)
    if jpeg is None:
        raise web.HTTPNotFound
    await visit.audit_reading(f"picture {visit.number()}")
    return web.Response(body=jpeg, content_type="image/jpeg")


async def reply(visit: Visit) -> web.StreamResponse:
    """Words to the patient, a picture, or both. What was not delivered stays in the box."""
    found, text, photo = await _thread(visit), visit.form.get("text", "").strip(), visit.files.get("photo")
    if not (text or photo) or len(text) > REPLY_LENGTH:
        problem = f"At most {REPLY_LENGTH} characters." if text else "Write something first."
        return await _thread_page(visit, found, text, problem)
    relay, who, now = visit.site.desk.relay, visit.who, visit.now
    if photo:
        failed = await relay.reply_from_page(found, who, photo, text, now)
    else:
        failed = await relay.reply(found, who, text, now)
    if failed:
        return await _thread_page(visit, found, text, failed)
    said = f"(a picture) {text}".strip() if photo else text
    await visit.site.desk.post.to_thread(found, f"{who} (on the page): {said}", quiet=True)
    return visit.go(f"/staff/threads/{found.id}")


async def take(visit: Visit) -> web.StreamResponse:
    found = await _thread(visit)
    said = await visit.site.desk.relay.take_over(found, visit.who, visit.now)
    return visit.go(f"/staff/threads/{found.id}", said)


async def back(visit: Visit) -> web.StreamResponse:
    found = await _thread(visit)
    said = await visit.site.desk.relay.hand_back(found, visit.who, visit.now)
    return visit.go(f"/staff/threads/{found.id}", said)


async def read(visit: Visit) -> web.StreamResponse:
    """Somebody has read it; the patient hears who and when."""
    number = visit.number()
    said = await visit.site.desk.alerting.acknowledge(number, visit.who, visit.now)
    return visit.go(await _place(visit, number), said)


async def close(visit: Visit) -> web.StreamResponse:
    """The alert ends, with its reason."""
    number, reason = visit.number(), visit.form.get("reason", "")
    if reason not in cards.REASONS:
        return visit.go(await _place(visit, number), "Choose a reason first.")
    desk, found = visit.site.desk, await visit.site.desk.alerting.thread_of(number)
    said = await desk.alerting.close(number, visit.who, cards.REASONS[reason], visit.now)
    if found and found.taken_by:
        await desk.relay.hand_back(found, visit.who, visit.now)
    return visit.go(await _place(visit, number), said)


async def _place(visit: Visit, alert_id: int) -> str:
    found = await visit.site.desk.alerting.thread_of(alert_id)
    return f"/staff/threads/{found.id}" if found else HOME


async def visits(visit: Visit) -> web.StreamResponse:
    """Requests for a visit, and what was decided."""
    store = visit.site.store
    waiting = await asyncio.to_thread(store.open_appointments)
    decided = await asyncio.to_thread(store.decided_appointments)
    return await visit.page("visits.html", waiting=waiting, decided=decided)


async def decide(visit: Visit) -> web.StreamResponse:
    """Confirm, move or decline. The patient is told."""
    number, state, when = visit.number(), visit.form.get("state", ""), visit.form.get("when", "").strip()
    if state == "confirmed" and when:
        state = "moved" if visit.form.get("other") else state
    if state not in ("confirmed", "moved", "declined"):
        raise web.HTTPBadRequest(text="unknown decision")
    if state == "moved" and not when:
        return visit.go("/staff/visits", "Write the day and time first.")
    said = await visit.site.desk.visits.decide(number, state, when, visit.who, visit.now)  # type: ignore[arg-type]
    return visit.go("/staff/visits", said)
