"""The recovery day: counted on the calendar of the patient's zone, never on the clock."""

import datetime as dt
from zoneinfo import ZoneInfo


def local_date(now: dt.datetime, timezone: str) -> dt.date:
    """The calendar date of `now` (aware) in `timezone` (IANA name)."""
    if now.tzinfo is None:
        raise ValueError("now has no zone; pass an aware datetime")
    return now.astimezone(ZoneInfo(timezone)).date()


def recovery_day(procedure_date: dt.date | None, now: dt.datetime, timezone: str) -> int | None:
    """Days since the procedure (0 on its day), or None without a date or before it."""
    if procedure_date is None:
        return None
    day = (local_date(now, timezone) - procedure_date).days
    return day if day >= 0 else None


def at_local(date: dt.date, time: dt.time, timezone: str) -> dt.datetime:
    """`date` and `time` on the clocks of `timezone`, as UTC.

    A time that the clocks skip moves forward to the first that exists; one that occurs twice is taken the first time
    (PEP 495: fold=0 in a gap counts with the offset before it, which lands after the gap by the gap's length).
    """
    zone = ZoneInfo(timezone)
    wanted = dt.datetime.combine(date, time, tzinfo=zone)
    instant = wanted.astimezone(dt.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != wanted.replace(tzinfo=None):
        return _first_after_gap(instant, zone)
    return instant


def _first_after_gap(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The moment of the clock change that skipped a local time; `instant` lies after it by less than the gap."""
    after = instant.astimezone(zone).utcoffset()
    high = int(instant.timestamp())
    low = high - 25 * 3600  # no gap is longer than the day that Samoa left out
    while high - low > 1:  # changes happen at whole seconds
        middle = (low + high) // 2
        if dt.datetime.fromtimestamp(middle, zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return dt.datetime.fromtimestamp(high, dt.UTC)
