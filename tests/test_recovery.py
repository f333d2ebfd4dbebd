"""Calendar days and local times in every zone, judged by dateutil: an implementation that is not ours nor zoneinfo's."""

import datetime as dt
import os
import subprocess
import zoneinfo
from itertools import pairwise

import pytest
from dateutil import tz
from hypothesis import given
from hypothesis import strategies as st

from bot.core.recovery import at_local, local_date, recovery_day

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2032, 12, 31)
ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
TIMES = (
    dt.time(0),
    dt.time(0, 30),
    dt.time(1, 30),
    dt.time(2, 30),
    dt.time(10),
    dt.time(19, 30),
    dt.time(23, 59),
)
DAYS = [FIRST + dt.timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


# dateutil reads Ireland's winter (negative daylight saving time) wrongly; the `date` command judges there.
IRISH = ("Europe/Dublin", "Eire")


def oracle(date: dt.date, time: dt.time, zone: dt.tzinfo) -> dt.datetime:
    """The first instant that shows `time`, or else the first after it on that zone's clocks, by dateutil."""
    wall = dt.datetime.combine(date, time, tzinfo=zone)
    while not tz.datetime_exists(wall):  # a skipped time: minute by minute to the first that exists
        wall += dt.timedelta(minutes=1)
    return tz.enfold(wall, 0).astimezone(dt.UTC)


def irish_oracle(date: dt.date, time: dt.time) -> dt.datetime:
    """The same by the `date` command, which refuses skipped times and takes doubled ones once."""
    wall = dt.datetime.combine(date, time)
    while True:
        command = ["date", "-u", "-d", f'TZ="Europe/Dublin" {wall:%Y-%m-%d %H:%M}', "+%s"]
        answer = subprocess.run(command, capture_output=True, text=True, env={"LC_ALL": "C"})
        if answer.returncode == 0:
            return dt.datetime.fromtimestamp(int(answer.stdout), dt.UTC)
        wall += dt.timedelta(minutes=1)


def changes(zone: zoneinfo.ZoneInfo) -> set[dt.date]:
    """Days around a change of the zone's offset."""
    noons = [(day, dt.datetime.combine(day, dt.time(12), tzinfo=zone).utcoffset()) for day in DAYS]
    found = [day for (_, before), (day, after) in pairwise(noons) if before != after]
    return {day + dt.timedelta(days=n) for day in found for n in (-1, 0, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_zone_and_every_change_of_clocks_agrees_with_dateutil(part: int) -> None:
    every_day = os.environ.get("SMILELINE_EVERY_DAY")  # the long run: 15 million cases
    for name in ZONES[part::4]:
        zone, other = zoneinfo.ZoneInfo(name), tz.gettz(name)
        if other is None or name in IRISH:
            continue
        days = DAYS if every_day else sorted(changes(zone)) + DAYS[::61]
        for day in days:
            for time in TIMES:
                assert at_local(day, time, name) == oracle(day, time, other), (name, day, time)


@given(
    name=st.sampled_from(ZONES),
    day=st.sampled_from(DAYS),
    time=st.times().map(lambda t: t.replace(microsecond=0)),
)
def test_a_reminder_is_never_early_and_at_most_a_gap_late(name: str, day: dt.date, time: dt.time) -> None:
    local = at_local(day, time, name).astimezone(zoneinfo.ZoneInfo(name)).replace(tzinfo=None)
    late = local - dt.datetime.combine(day, time)

    assert dt.timedelta() <= late <= dt.timedelta(hours=24)


@given(name=st.sampled_from(ZONES), day=st.sampled_from(DAYS))
def test_one_reminder_a_day_stays_one_a_day(name: str, day: dt.date) -> None:
    week = [at_local(day + dt.timedelta(days=n), dt.time(10), name) for n in range(7)]

    assert week == sorted(set(week))


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        (dt.date(2026, 3, 8), dt.time(2, 30), "2026-03-08T07:00:00+00:00"),  # skipped in New York: 03:00 EDT
        (dt.date(2026, 11, 1), dt.time(1, 30), "2026-11-01T05:30:00+00:00"),  # twice: the first, still EDT
        (dt.date(2026, 3, 7), dt.time(2, 30), "2026-03-07T07:30:00+00:00"),  # the day before
        (dt.date(2026, 3, 9), dt.time(2, 30), "2026-03-09T06:30:00+00:00"),  # the day after
    ],
)
def test_new_york_when_clocks_change(date: dt.date, time: dt.time, expected: str) -> None:
    assert at_local(date, time, "America/New_York").isoformat() == expected


def test_the_recovery_day_turns_at_local_midnight_not_after_24_hours() -> None:
    operated = dt.date(2026, 11, 16)
    before = dt.datetime(2026, 11, 16, 14, 59, tzinfo=dt.UTC)

    assert recovery_day(operated, before, "Asia/Tokyo") == 0
    assert recovery_day(operated, before + dt.timedelta(minutes=1), "Asia/Tokyo") == 1
    assert recovery_day(operated, before - dt.timedelta(days=1), "Asia/Tokyo") is None


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        local_date(dt.datetime(2026, 1, 1), "Asia/Tokyo")  # noqa: DTZ001
