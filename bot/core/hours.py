"""Is a person there now, and when next? Read from the clinic's opening hours in faq.yaml."""

import datetime as dt
from zoneinfo import ZoneInfo

from babel.dates import get_day_names

from intents.faq import Clinic

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def spans(clinic: Clinic, date: dt.date) -> list[tuple[dt.time, dt.time]]:
    """The opening hours of one date; empty when closed."""
    if date in clinic.closed:
        return []
    return [
        (dt.time.fromisoformat(span[:5]), dt.time.fromisoformat(span[6:]))
        for span in clinic.hours.get(WEEKDAYS[date.weekday()], [])  # type: ignore[call-overload]
    ]


def is_open(clinic: Clinic, now: dt.datetime) -> bool:
    local = now.astimezone(ZoneInfo(clinic.timezone))
    return any(start <= local.time() < end for start, end in spans(clinic, local.date()))


def next_opening(clinic: Clinic, now: dt.datetime) -> dt.datetime | None:
    """The next moment the clinic opens, on its own clocks; None when it lists no hours for the next two weeks."""
    local = now.astimezone(ZoneInfo(clinic.timezone))
    for days in range(15):
        date = local.date() + dt.timedelta(days=days)
        for start, _ in sorted(spans(clinic, date)):
            opening = dt.datetime.combine(date, start, tzinfo=ZoneInfo(clinic.timezone))
            if opening > local:
                return opening
    return None


def describe_hours(clinic: Clinic, locale: str) -> str:
    """The week in one line, days with equal hours together: "Mon-Fri 10:00-19:00, Sat 10:00-17:00"."""
    names = get_day_names("abbreviated", locale=locale)
    groups: list[tuple[int, int, str]] = []
    for day, key in enumerate(WEEKDAYS):
        hours = " ".join(clinic.hours.get(key, []))  # type: ignore[call-overload]
        if groups and groups[-1][2] == hours and groups[-1][1] == day - 1:
            groups[-1] = (groups[-1][0], day, hours)
        elif hours:
            groups.append((day, day, hours))
    return ", ".join(
        f"{names[first]}{f'-{names[last]}' if last != first else ''} {hours}" for first, last, hours in groups
    )
