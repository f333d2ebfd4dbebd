"""The recovery journey as the patient sees it: each reminder's text, and the list of those to come."""

import datetime as dt
from zoneinfo import ZoneInfo

from bot.core import checkins
from bot.core.actions import button
from bot.core.recovery import recovery_day
from bot.core.values import Context, Message, Patient
from bot.core.wording import Wording
from intents.faq import Step

LISTED = 5
NEXT = 2  # of them on the card


def reminder(
    step: Step,
    words: Wording,
    detail: bool,
    catch_up_day: int | None = None,
    asks_for: dt.date | None = None,
) -> Message:
    """One push. The first line is what a lock screen shows: neutral unless the patient asked for detail.

    `asks_for`: the date of the procedure whose check-in is asked; None leaves the step's question out.
    """
    first = words.text(step.headline) if detail else _neutral(step, words)
    parts = [first]
    if catch_up_day is not None:
        parts.append(words("reminder_catch_up", day=catch_up_day))
    if not detail:
        parts.append(words.text(step.headline))
    parts.append(words.text(step.text))
    buttons = checkins.buttons(step, asks_for, words) if asks_for else ()
    if step.check_in and buttons:
        parts.append(f"\n{words.text(dict(step.check_in.question))}\n")
    parts.append(words("reminder_footer"))
    ways_out = (button(words, "btn_person", "person"), button(words, "btn_stop", "stop"))
    return Message("\n".join(parts), (*buttons, *ways_out))


def _neutral(step: Step, words: Wording) -> str:
    return words("reminder_neutral_start") if step.day == 0 else words("reminder_neutral", day=step.day)


def today(context: Context, words: Wording) -> int | None:
    """The day of recovery; None where no date is known."""
    zone = context.patient.timezone or words.faq.clinic.timezone
    return recovery_day(context.patient.procedure_date, context.now, zone)


def card(context: Context, words: Wording) -> Message:
    """Which day it is and what comes next, of one who has given a date."""
    patient = context.patient
    assert patient.procedure_date
    day = today(context, words)
    lines = procedure_lines(patient, words)
    if patient.reminders != "on":
        lines.append(words(f"reminders_{patient.reminders}"))
    elif coming := listing(context, words):
        lines += [words("reminders_header"), *coming[:NEXT]]
    buttons = (
        button(words, "btn_reminders", "reminders"),
        button(words, "btn_date", "date"),
        button(words, "btn_person", "person"),
    )
    heading = words("day_known", day=day) if day is not None else words("btn_recovery")
    return Message("\n".join(lines), buttons, heading=heading)


def procedure_lines(patient: Patient, words: Wording) -> list[str]:
    """The day of each procedure; by name where there are several."""
    if len(patient.procedures) > 1:
        return [
            words("procedure_item", name=words.procedure(item.kind), date=words.date(item.date))
            for item in patient.procedures
        ]
    if patient.procedure_date is None:
        return []
    return [words("my_data_line_date", date=words.date(patient.procedure_date))]


def listing(context: Context, words: Wording) -> list[str]:
    """The next reminders, one line each, on the patient's clocks. One that is due and waits for the morning has no time of its own."""
    zone = ZoneInfo(context.patient.timezone or words.faq.clinic.timezone)
    lines = []
    coming = [upcoming for upcoming in context.upcoming if upcoming.due_at > context.now]
    for upcoming in coming[:LISTED]:
        step = words.faq.steps.get(upcoming.step_id)
        if step:
            local = upcoming.due_at.astimezone(zone)
            item = words(
                "reminders_item",
                date=words.short_date(local.date()),
                time=words.time(local),
                headline=words.text(step.headline),
            )
            if len(context.patient.procedures) > 1:
                item = words("reminders_item_of", name=words.procedure(upcoming.kind), item=item)
            lines.append(item)
    return lines
