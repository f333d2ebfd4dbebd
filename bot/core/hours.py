"""Is a person there now, and when next? Read from the clinic's opening hours in faq.yaml."""

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from babel.dates import get_day_names

from intents.faq.shape import Clinic, Weekday

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


Times = tuple[dt.datetime, dt.datetime]
Week = Mapping[Weekday, list[str]]


def is_open(clinic: Clinic, now: dt.datetime) -> bool:
    return _until(_opening_times(clinic, now), now) is not None


def next_opening(clinic: Clinic, now: dt.datetime) -> dt.datetime | None:
    """The next moment the clinic opens, on its own clocks; None when it lists no hours for the next two weeks."""
    return _next(_opening_times(clinic, now), now)


def on_call_until(clinic: Clinic, now: dt.datetime) -> dt.datetime | None:
    """Until when somebody is on call, on the clinic's clocks; None when nobody is now."""
    return _until(_on_call_times(clinic, now), now)


def person_there(clinic: Clinic, now: dt.datetime) -> bool:
    """Whether somebody answers now: the clinic is open, or a person is on call."""
    return is_open(clinic, now) or on_call_until(clinic, now) is not None


def next_person(clinic: Clinic, now: dt.datetime) -> dt.datetime | None:
    """The next moment from which somebody answers; None as in `next_opening`."""
    moments = (next_opening(clinic, now), _next(_on_call_times(clinic, now), now))
    return min((moment for moment in moments if moment), default=None)


def _opening_times(clinic: Clinic, now: dt.datetime) -> list[Times]:
    return _times(clinic, clinic.hours, now, frozenset(clinic.closed))


def _on_call_times(clinic: Clinic, now: dt.datetime) -> list[Times]:
    """On closed dates too: that is what being on call is for."""
    return _times(clinic, clinic.on_call, now, frozenset())


def _times(clinic: Clinic, week: Week, now: dt.datetime, without: frozenset[dt.date]) -> list[Times]:
    """(start, end) from yesterday to two weeks ahead, in order; a span that ends before it starts ends the next day."""
    zone = ZoneInfo(clinic.timezone)
    today = now.astimezone(zone).date()
    found = []
    for date in (today + dt.timedelta(days=days) for days in range(-1, 15)):
        for span in [] if date in without else week.get(WEEKDAYS[date.weekday()], []):
            start, end = dt.time.fromisoformat(span[:5]), dt.time.fromisoformat(span[6:])
            last = date if start < end else date + dt.timedelta(days=1)
            found.append((dt.datetime.combine(date, start, zone), dt.datetime.combine(last, end, zone)))
    return sorted(found)


def _until(times: list[Times], now: dt.datetime) -> dt.datetime | None:
    return max((end for start, end in times if start <= now < end), default=None)


def _next(times: list[Times], now: dt.datetime) -> dt.datetime | None:
    return next((start for start, _ in times if start > now), None)


def describe_hours(clinic: Clinic, locale: str) -> str:
    """The week in one line, days with equal hours together: "Mon-Fri 10:00-19:00, Sat 10:00-17:00"."""
    names = get_day_names("abbreviated", locale=locale)
    groups: list[tuple[int, int, str]] = []
    for day, key in enumerate(WEEKDAYS):
        hours = " ".join(clinic.hours.get(key, []))
        if groups and groups[-1][2] == hours and groups[-1][1] == day - 1:
            groups[-1] = (groups[-1][0], day, hours)
        elif hours:
            groups.append((day, day, hours))
    return ", ".join(
        f"{names[first]}{f'-{names[last]}' if last != first else ''} {hours}" for first, last, hours in groups
    )
