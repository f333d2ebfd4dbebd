"""The reminder plan of one procedure, and whether a due reminder still makes sense. No clock, no table."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from bot.core.recovery import at_local, local_date
from intents.faq import Step
from intents.faq.shape import QuietHours

State = Literal["pending", "sending", "sent", "failed", "missed", "cancelled", "held"]

# State -> the states it may change to; the schema's trigger and every update say the same.
TRANSITIONS: dict[State, frozenset[State]] = {
    "pending": frozenset({"sending", "cancelled", "held", "missed"}),
    "sending": frozenset({"sent", "failed", "pending", "missed", "cancelled", "held"}),
    "held": frozenset({"pending", "cancelled", "missed"}),
    "sent": frozenset(),
    "failed": frozenset(),
    "missed": frozenset(),
    "cancelled": frozenset({"pending"}),  # a date moved back to where it was, or "resume" after "stop"
}

# A catch-up says where the patient is on the journey; this long after its time has passed it says nothing
# any more.
CATCH_UP_LIMIT = dt.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Planned:
    """One reminder: `due_at` in UTC, `expires_at` the last moment at which it still makes sense on its own.

    `then`: what becomes of it afterwards: part of one catch-up message ("fold"), or nothing ("skip").
    """

    step_id: str
    due_at: dt.datetime
    expires_at: dt.datetime
    then: Literal["fold", "skip"] = "fold"


@dataclass(frozen=True, slots=True)
class Settled:
    """A planned reminder with the state in which it begins, and the reason where it begins as missed.

    "past": its time was over before the patient came, which is nobody's fault; "late" is what an outage made too late.
    """

    planned: Planned
    state: Literal["pending", "missed"]
    reason: str | None = None


def plan(steps: list[Step], procedure_date: dt.date, timezone: str) -> list[Planned]:
    """Every reminder of a procedure on `procedure_date`, in order, on the clocks of `timezone`."""
    planned = []
    for step in steps:
        due = at_local(procedure_date + dt.timedelta(days=step.day), step.at, timezone)
        expires = due + dt.timedelta(hours=step.late.send_within_hours)
        planned.append(Planned(step.id, due, expires, step.late.then))
    return sorted(planned, key=lambda item: item.due_at)


def settle(planned: list[Planned], now: dt.datetime, had: Collection[str] = ()) -> list[Settled]:
    """What of a plan is still to come when someone enrols at `now`: all later ones, and at most one of the
    past.

    That one is the newest that still says something: on its own while it is in time, else as the catch-up.
    Steps in `had` were sent for an earlier date of the same procedure and are not sent again for days that
    have passed.
    """
    past = [p for p in planned if p.due_at <= now]
    useful = [p for p in past if not too_late(p.expires_at, p.then, now)]
    newest = max(useful, key=lambda p: p.due_at, default=None)
    settled = []
    for item in planned:
        if item.due_at > now or (item is newest and item.step_id not in had):
            settled.append(Settled(item, "pending"))
        elif item.step_id in had:
            settled.append(Settled(item, "missed", "had"))
        else:
            settled.append(Settled(item, "missed", "folded" if item.then == "fold" else "past"))
    return settled


def too_late(expires_at: dt.datetime, then: Literal["fold", "skip"], now: dt.datetime) -> bool:
    """Whether a reminder says nothing useful any more, neither on its own nor as a catch-up."""
    return now > (expires_at if then == "skip" else expires_at + CATCH_UP_LIMIT)


def is_quiet(now: dt.datetime, timezone: str, quiet: QuietHours) -> bool:
    """Whether `now` lies in the quiet hours (which may span midnight) on the clocks of `timezone`."""
    local = now.astimezone(ZoneInfo(timezone)).time()
    if quiet.start <= quiet.end:
        return quiet.start <= local < quiet.end
    return local >= quiet.start or local < quiet.end


def quiet_ends(now: dt.datetime, timezone: str, quiet: QuietHours) -> dt.datetime:
    """The next end of the quiet hours after `now`, in UTC."""
    today = local_date(now, timezone)
    end = at_local(today, quiet.end, timezone)
    return end if end > now else at_local(today + dt.timedelta(days=1), quiet.end, timezone)
