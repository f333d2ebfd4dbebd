"""When staff are called again, and when the patient hears that nobody has answered. Pure."""

import datetime as dt

from bot.core.hours import next_person, person_there
from intents.faq.shape import Clinic

# How soon an unread alert is told again stands in faq.yaml (clinic.answer_within). A danger sign does not wait for
# opening hours; a wish to speak with a person does, for the patient was told when somebody is there.
SOON = 3  # so many calls in a row at that pace; afterwards a third as often, until somebody reads it
TELL_PATIENT = (1, 3)  # the calls at which the patient hears how long nobody has answered
FORGOTTEN_AFTER = dt.timedelta(
    hours=24
)  # open for longer than this, read or not: staff are reminded to close it
UNSENT = dt.timedelta(seconds=30)  # an alert that did not reach the staff chat is tried again so soon

# While a person has taken over: minutes that the patient's last words have waited, and what happens then.
REMIND_AFTER, TELL_AFTER, HAND_BACK_AFTER = (dt.timedelta(minutes=m) for m in (10, 20, 60))
SILENT_AFTER = dt.timedelta(hours=12)  # nobody has written at all: the bot comes back


def minutes(urgency: str, clinic: Clinic) -> int:
    """Until an alert of this urgency is told again."""
    within = clinic.answer_within
    return within.urgent if _is_grave(urgency) else within.call


def first_ring(urgency: str, clinic: Clinic, now: dt.datetime) -> dt.datetime:
    """When an alert of this urgency is told again if nobody has read it."""
    return counting_from(urgency, clinic, now) + dt.timedelta(minutes=minutes(urgency, clinic))


def next_ring(urgency: str, rings: int, clinic: Clinic, now: dt.datetime) -> dt.datetime:
    """After the call number `rings`."""
    pace = minutes(urgency, clinic) * (1 if rings < SOON else 3)
    return counting_from(urgency, clinic, now) + dt.timedelta(minutes=pace)


def counting_from(urgency: str, clinic: Clinic, now: dt.datetime) -> dt.datetime:
    """From when staff can be expected to answer: at once for a danger sign, else while somebody is there."""
    if _is_grave(urgency) or person_there(clinic, now):
        return now
    return (next_person(clinic, now) or now).astimezone(dt.UTC)


def _is_grave(urgency: str) -> bool:
    return urgency not in ("call", "routine")  # what is not known counts as grave


def minutes_between(since: dt.datetime, now: dt.datetime) -> int:
    return max(1, round((now - since).total_seconds() / 60))
