"""The reminder plan of one procedure, and whether a due reminder still makes sense. No clock, no table."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from bot.core.recovery import at_local
from intents.faq import Faq, QuietHours, Step

State = Literal["pending", "sending", "sent", "failed", "missed", "cancelled", "held"]

# State -> the states it may change to; the schema's trigger and every update say the same.
TRANSITIONS: dict[State, frozenset[State]] = {
    "pending": frozenset({"sending", "cancelled", "held", "missed"}),
    "sending": frozenset({"sent", "failed", "pending", "missed", "cancelled", "held"}),
    "held": frozenset({"pending", "cancelled", "missed"}),
    "sent": frozenset(),
    "failed": frozenset(),
    "missed": frozenset(),
    "cancelled": frozenset({"pending"}),  # a date moved back to where it was
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One reminder: `due_at` in UTC, `expires_at` the last moment at which it still makes sense on its own."""

    step_id: str
    due_at: dt.datetime
    expires_at: dt.datetime


def plan(steps: list[Step], procedure_date: dt.date, timezone: str) -> list[Planned]:
    """Every reminder of a procedure on `procedure_date`, in order, on the clocks of `timezone`."""
    planned = []
    for step in steps:
        due = at_local(procedure_date + dt.timedelta(days=step.day), step.at, timezone)
        planned.append(Planned(step.id, due, due + dt.timedelta(hours=step.late.send_within_hours)))
    return sorted(planned, key=lambda item: item.due_at)


def split_late(planned: list[Planned], now: dt.datetime) -> tuple[list[Planned], list[Planned]]:
    """(still to come or just due, too late): what someone who enrols late gets, and what is left out."""
    return [p for p in planned if p.expires_at > now], [p for p in planned if p.expires_at <= now]


def is_quiet(now: dt.datetime, timezone: str, quiet: QuietHours) -> bool:
    """Whether `now` lies in the quiet hours (which may span midnight) on the clocks of `timezone`."""
    from zoneinfo import ZoneInfo

    local = now.astimezone(ZoneInfo(timezone)).time()
    if quiet.start <= quiet.end:
        return quiet.start <= local < quiet.end
    return local >= quiet.start or local < quiet.end


def quiet_ends(now: dt.datetime, timezone: str, quiet: QuietHours) -> dt.datetime:
    """The next end of the quiet hours after `now`, in UTC."""
    from bot.core.recovery import local_date

    today = local_date(now, timezone)
    end = at_local(today, quiet.end, timezone)
    return end if end > now else at_local(today + dt.timedelta(days=1), quiet.end, timezone)


def step_of(faq: Faq, step_id: str) -> Step | None:
    """The step as the FAQ has it now; None when staff removed it from the plan."""
    return faq.steps.get(step_id)
