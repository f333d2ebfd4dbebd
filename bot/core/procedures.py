"""Several procedures of one patient: which of them is spoken of, and which reminders of an older one give way to a newer. Pure.

Once a newer procedure has begun, what an older one would still say is left out where the newer says the same later: one
thing is said once, and nobody reads "you may do this again" of the first on the third day of the second.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from bot.core.recovery import local_date
from bot.core.values import Patient, Procedure, Upcoming
from intents.faq import THREAD_LIFT, Faq


def ordered(found: Iterable[Procedure]) -> tuple[Procedure, ...]:
    """In order of day; of two on one day the one whose kind comes later in the alphabet is the newer."""
    return tuple(sorted(found, key=lambda item: (item.date, item.kind)))


def spoken_of(procedures: Sequence[Procedure], today: dt.date) -> Procedure | None:
    """The newest that has begun, else the next to come; None without any. `procedures`: in order of day."""
    begun = [item for item in procedures if item.date <= today]
    return begun[-1] if begun else next(iter(procedures), None)


def as_of(patient: Patient, now: dt.datetime, clinic_zone: str) -> Patient:
    """`patient` with `procedure_date` of the procedure that is spoken of at `now`."""
    if len(patient.procedures) < 2:
        return patient
    found = spoken_of(patient.procedures, local_date(now, patient.timezone or clinic_zone))
    return replace(patient, procedure_date=found.date if found else None)


def with_date(patient: Patient, kind: str, date: dt.date) -> Patient:
    """`patient` after a procedure was added or moved; that one is what was just spoken of."""
    others = (item for item in patient.procedures if item.kind != kind)
    return replace(patient, procedure_date=date, procedures=ordered((*others, Procedure(kind, date))))


def meant(patient: Patient, kind: str = "") -> str | None:
    """The kind of procedure that a new date is for; None: the patient has to say."""
    kinds = [item.kind for item in patient.procedures]
    if kind in kinds:
        return kind
    if len(kinds) > 1:
        return None
    return kinds[0] if kinds else THREAD_LIFT


def gives_way(newer_on: dt.date | None, today: dt.date) -> bool:
    """Whether a reminder is left out `today`. `newer_on`: the day of the first newer procedure with the same step."""
    return newer_on is not None and newer_on <= today


def remaining(patient: Patient, upcoming: Iterable[Upcoming], faq: Faq) -> tuple[Upcoming, ...]:
    """Those of `upcoming` that will not give way."""
    if len(patient.procedures) < 2:
        return tuple(upcoming)
    zone = ZoneInfo(patient.timezone or faq.clinic.timezone)
    return tuple(
        item
        for item in upcoming
        if not gives_way(_newer_on(patient, item, faq), item.due_at.astimezone(zone).date())
    )


def _newer_on(patient: Patient, item: Upcoming, faq: Faq) -> dt.date | None:
    kinds = [procedure.kind for procedure in patient.procedures]
    later = patient.procedures[kinds.index(item.kind) + 1 :] if item.kind in kinds else ()
    same = (p.date for p in later if any(step.id == item.step_id for step in faq.steps_of(p.kind)))
    return next(same, None)
