"""What a card in the staff chat says, and its buttons. Pure. Staff read English; the patient's words stay as written."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bot.core.hours import is_open, next_opening, on_call_until
from bot.core.procedures import as_of
from bot.core.recovery import recovery_day
from bot.core.values import Button, CheckedIn, Line, Patient
from bot.staff import checkins
from bot.staff.post import title
from bot.store.appointments import Appointment
from bot.store.care import Thread
from bot.store.store import Alert
from intents.faq import Faq
from intents.languages import LANGUAGES

SIGNS = {"emergency": "🆘", "urgent": "🔴", "call": "🟠", "routine": "🔵"}
KINDS = {
    "danger": "danger sign", "person": "wants a person", "failure": "could not be answered",
    "check_in": "check-in outside the usual course",
}  # fmt: skip
REASONS = {
    "phone": "Spoke by phone",
    "chat": "Answered in chat",
    "visit": "Comes to the clinic",
    "hospital": "Sent to hospital",
    "false": "No danger after all",
}
TALK_SHOWN = 8  # lines of the conversation's end
LINE_SHOWN = 300


def alert_card(
    alert: Alert,
    thread: Thread,
    patient: Patient,
    lines: Sequence[Line],
    answered: Sequence[CheckedIn],
    faq: Faq,
    now: dt.datetime,
) -> str:
    """All that a nurse wants to know before answering. `answered`: the patient's check-ins."""
    zone = ZoneInfo(faq.clinic.timezone)
    head = f"{SIGNS.get(alert.urgency, '🔴')} {alert.urgency.upper()} · {what(alert, faq)} · #{alert.id}"
    parts = [head, _who(thread, patient, faq, now), _hours(faq, now)]
    if course := checkins.in_a_line(checkins.course(answered, patient, faq, now)):
        parts.append(f"Check-ins: {course}")
    words = alert.messages[-1].text.strip() if alert.messages else ""
    parts.append(f"\n“{words}”" if words else "\n(tapped the button, wrote nothing)")
    earlier = [line for line in lines if line.text.strip() != words][-TALK_SHOWN:]
    if earlier:
        parts.append("\nBefore that:")
        parts += [_line(line, zone) for line in earlier]
    parts.append("\nReply to this message, or write in this topic: your words go to this patient.")
    return "\n".join(parts)


def what(alert: Alert, faq: Faq) -> str:
    """The alert's kind in words, with the danger sign's label."""
    flag = faq.red_flags.get(alert.red_flag or "")
    kind = KINDS.get(alert.kind, alert.kind)
    return f"{kind}: {faq.say(flag.label, 'en')}" if flag else kind


def _who(thread: Thread, patient: Patient, faq: Faq, now: dt.datetime) -> str:
    language = LANGUAGES[thread.language].name if thread.language in LANGUAGES else thread.language
    return f"{title(thread)} · writes {language} · {day_words(patient, faq, now)}"


def day_words(patient: Patient, faq: Faq, now: dt.datetime) -> str:
    """Where on the journey the patient is: of the newest procedure that has begun, where there are several."""
    patient = as_of(patient, now, faq.clinic.timezone)
    if patient.procedure_date is None:
        return "no procedure date known"
    zone = patient.timezone or faq.clinic.timezone
    day = recovery_day(patient.procedure_date, now, zone)
    return (
        f"day {day} (procedure {patient.procedure_date})"
        if day is not None
        else (f"before the procedure on {patient.procedure_date}")
    )


def _hours(faq: Faq, now: dt.datetime) -> str:
    if is_open(faq.clinic, now):
        return "The clinic is open."
    until, opening = on_call_until(faq.clinic, now), next_opening(faq.clinic, now)
    parts = ["The clinic is closed"]
    parts += [f"somebody is on call until {until:%a %H:%M}"] if until else []
    parts += [f"it opens {opening:%a %d %b %H:%M}"] if opening else []
    return f"{'; '.join(parts)}."


def _line(line: Line, zone: ZoneInfo) -> str:
    text = line.text if len(line.text) <= LINE_SHOWN else line.text[:LINE_SHOWN] + "…"
    who = line.name or line.who
    return f"{line.at.astimezone(zone):%H:%M} {who}: {' '.join(text.split())}"


def alert_buttons(alert: Alert, thread: Thread) -> tuple[Button, ...]:
    """What can be done with the alert as it stands."""
    if alert.closed:
        return ()
    buttons = []
    if alert.acknowledged_at is None:
        buttons.append(Button("I have read it", f"staff:ack:{alert.id}"))
    if thread.taken_by is None:
        buttons.append(Button("Take over", f"staff:take:{alert.id}"))
    else:
        buttons.append(Button("Hand back to bot", f"staff:back:{alert.id}"))
    buttons.append(Button("Close …", f"staff:close:{alert.id}"))
    return tuple(buttons)


def reason_buttons(alert: Alert) -> tuple[Button, ...]:
    """Why it is closed: one more tap."""
    rows = [Button(text, f"staff:shut:{alert.id}:{key}") for key, text in REASONS.items()]
    return (*rows, Button("Not yet", f"staff:keep:{alert.id}"))


def visit_card(request: Appointment, thread: Thread, patient: Patient, faq: Faq, now: dt.datetime) -> str:
    return "\n".join(
        [
            f"📅 VISIT · request #{request.id}",
            _who(thread, patient, faq, now),
            f"\n“{request.wishes}”",
            "\nConfirm tells the patient: confirmed, in their own words above. "
            "To name another time, tap Other time and reply.",
        ]
    )


def visit_buttons(request: Appointment) -> tuple[Button, ...]:
    if request.state != "requested":
        return (Button("Other time", f"visit:move:{request.id}"),) if request.state != "declined" else ()
    return (
        Button("Confirm", f"visit:ok:{request.id}"),
        Button("Other time", f"visit:move:{request.id}"),
        Button("Decline", f"visit:no:{request.id}"),
    )
