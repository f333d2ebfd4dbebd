"""When staff are called again, and when the patient hears that nobody has answered. Pure."""

import datetime as dt

from bot.core.hours import is_open, next_opening
from intents.faq import Clinic

# Minutes until an unread alert is told again. A danger sign does not wait for opening hours; a wish to speak
# with a person does, for the patient was told when the clinic opens.
MINUTES = {"emergency": 5, "urgent": 5, "call": 60, "routine": 60}
SOON = 3  # so many calls in a row at that pace; afterwards a third as often, until somebody reads it
TELL_PATIENT = (1, 3)  # the calls at which the patient hears how long nobody has answered
UNSENT = dt.timedelta(seconds=30)  # an alert that did not reach the staff chat is tried again so soon

# While a person has taken over: minutes that the patient's last words have waited, and what happens then.
REMIND_AFTER, TELL_AFTER, HAND_BACK_AFTER = (dt.timedelta(minutes=m) for m in (10, 20, 60))
SILENT_AFTER = dt.timedelta(hours=12)  # nobody has written at all: the bot comes back


def first_ring(urgency: str, clinic: Clinic, now: dt.datetime) -> dt.datetime:
    """When an alert of this urgency is told again if nobody has read it."""
    return counting_from(urgency, clinic, now) + dt.timedelta(minutes=MINUTES.get(urgency, 5))


def next_ring(urgency: str, rings: int, clinic: Clinic, now: dt.datetime) -> dt.datetime:
    """After the call number `rings`."""
    pace = MINUTES.get(urgency, 5) * (1 if rings < SOON else 3)
    return counting_from(urgency, clinic, now) + dt.timedelta(minutes=pace)


def counting_from(urgency: str, clinic: Clinic, now: dt.datetime) -> dt.datetime:
    """From when staff can be expected to answer: at once for a danger sign, else from the next opening."""
    if MINUTES.get(urgency, 5) <= 5 or is_open(clinic, now):
        return now
    return (next_opening(clinic, now) or now).astimezone(dt.UTC)


def minutes_between(since: dt.datetime, now: dt.datetime) -> int:
    return max(1, round((now - since).total_seconds() / 60))
