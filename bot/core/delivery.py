"""What to do with one due reminder now, and what a failed send means for it. Plain functions on plain
values.
"""

import datetime as dt
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from bot.core.pacing import backoff_seconds
from bot.core.procedures import gives_way
from bot.core.recovery import local_date, recovery_day
from bot.core.reminders import is_quiet, quiet_ends, too_late
from bot.core.values import Address, RemindersState
from intents.faq import Faq, Step

# LINE recognises a repeated push by its retry key for 24 hours from the first try (developers.line.biz,
# "Retrying a failed API request"); an hour is kept back for slow clocks and slow sends.
RETRY_KEY_HOLDS = dt.timedelta(hours=23)
UNKNOWN_RESENDS = 1  # without retry keys: sent once more, then staff decide
REFUSED_TRIES = 3  # a request that the platform calls wrong does not become right by itself


class Due(NamedTuple):
    """A claimed reminder with all that the decision needs, as the store knew it at the claim.

    A tuple, because thousands a second are made of rows, and a frozen dataclass of this size takes ten times as long.
    """

    id: int
    patient_id: int
    step_id: str
    due_at: dt.datetime
    expires_at: dt.datetime
    procedure_date: dt.date  # the date it was planned for
    current_date: dt.date  # the procedure's date now
    reminders: RemindersState
    address: Address | None  # where to push; None: nowhere reachable
    alert_open: bool  # or a person is talking with the patient
    newer_due: bool  # a later step of the same journey is due or was sent
    language: str | None
    traditional: bool
    timezone: str | None
    detail: bool
    attempts: int
    unknowns: int  # answers that were lost on the way
    doubtful: bool  # it may have arrived already
    first_tried_at: dt.datetime | None
    retry_key: str  # a UUID, the same over all tries
    answered: bool = False  # its check-in has an answer
    checked_in_at: dt.datetime | None = None  # when the patient last answered one
    newer_on: dt.date | None = None  # the day of a newer procedure whose plan has this step too


@dataclass(frozen=True, slots=True)
class Send:
    """Send it now; `catch_up_day` is the recovery day when it stands for steps that were missed."""

    step: Step
    catch_up_day: int | None
    asks: bool = True  # with the step's check-in, if it has one


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `until`. `unknown`: an answer was lost; `doubtful`: it may arrive twice because of
    that.
    """

    until: dt.datetime
    reason: str
    unknown: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more is sent (a held row waits for somebody, not for a time)."""

    state: Literal["sent", "failed", "missed", "cancelled", "held"]
    reason: str | None = None
    doubtful: bool = False


def decide(due: Due, faq: Faq, now: dt.datetime, saving: frozenset[str] = frozenset()) -> Send | Wait | End:
    """Whether `due` still makes sense at `now`. `saving`: channels whose monthly quota is down to its
    reserve.
    """
    step = faq.steps.get(due.step_id)
    if due.current_date != due.procedure_date:
        return End("cancelled", "moved")
    if due.reminders == "stopped":
        return End("cancelled", "stopped")
    if step is None:
        return End("cancelled", "step_removed")
    if due.answered and due.attempts:  # it had arrived, although we never heard so
        return End("sent", "answered")
    if due.newer_on and gives_way(due.newer_on, local_date(now, due.timezone or faq.clinic.timezone)):
        return End("missed", "newer_procedure")
    if due.newer_due:
        return End("missed", "folded" if step.late.then == "fold" else "late")
    if too_late(due.expires_at, step.late.then, now):
        return End("missed", "late")
    return _held(due, step, saving) or _timed(due, step, faq, now)


def _held(due: Due, step: Step, saving: frozenset[str]) -> End | None:
    if due.reminders == "paused":
        return End("held", "paused")
    if due.address is None:
        return End("held", "unreachable")
    if due.alert_open and not step.urgent:
        return End("held", "alert")
    if due.address.channel in saving and not step.urgent:
        return End("held", "quota")
    return None


def _timed(due: Due, step: Step, faq: Faq, now: dt.datetime) -> Send | Wait:
    zone = due.timezone or faq.clinic.timezone
    quiet = faq.file.reminders.quiet_hours
    if not step.urgent and is_quiet(now, zone, quiet):
        return Wait(quiet_ends(now, zone, quiet), "quiet")
    return as_it_is_now(due, step, faq, now)


def as_it_is_now(due: Due, step: Step, faq: Faq, now: dt.datetime) -> Send:
    """The step as it goes out at `now`. Who has answered a check-in today is not asked again."""
    zone = due.timezone or faq.clinic.timezone
    said_at = due.checked_in_at
    answered_today = said_at is not None and local_date(said_at, zone) == local_date(now, zone)
    day = recovery_day(due.procedure_date, now, zone) if now > due.expires_at else None
    return Send(step, day, asks=not due.answered and not answered_today)


def after_failure(
    due: Due,
    reason: str,
    permanent: bool,
    retry_after: float | None,
    unknown: bool,
    retry_keys: bool,
    now: dt.datetime,
    rng: Random,
) -> Wait | End:
    """What a failed send means. `unknown`: it may have arrived; `retry_keys`: the platform recognises
    repeats.
    """
    if permanent:
        return End("failed", reason)
    if unknown:
        return _after_unknown(due, retry_keys, now, rng)
    if reason == "quota":
        return End("held", "quota")
    if reason == "refused" and due.attempts + 1 >= REFUSED_TRIES:
        return End("failed", "refused")
    # Surely not delivered: tried on until its own lateness rule ends it.
    return Wait(now + _seconds(max(retry_after or 0, 0) + backoff_seconds(due.attempts, rng)), reason)


def _after_unknown(due: Due, retry_keys: bool, now: dt.datetime, rng: Random) -> Wait | End:
    again = now + _seconds(backoff_seconds(due.attempts + due.unknowns, rng))
    if retry_keys and again - (due.first_tried_at or now) < RETRY_KEY_HOLDS:
        return Wait(again, "unknown_outcome", unknown=True)
    if due.unknowns < UNKNOWN_RESENDS:  # missing it harms more than having it twice
        return Wait(again, "unknown_outcome", unknown=True, doubtful=True)
    return End("failed", "unknown_outcome", doubtful=True)


def _seconds(value: float) -> dt.timedelta:
    return dt.timedelta(seconds=value)
