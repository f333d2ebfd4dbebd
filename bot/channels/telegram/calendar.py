"""A calendar of buttons: one month, arrows to the next. Its whole state is in its buttons, so it outlives any restart.

Days carry the action `date:YYYY-MM-DD`; arrows carry `cal:YYYYMM:first:last:language` and are answered by the channel.
"""

import calendar as months
import datetime as dt
import re
from collections.abc import Callable

from babel.dates import format_skeleton, get_day_names

from bot.core.values import DatePicker

NOTHING = "cal:-"
_LOCALES = {"en": "en_GB", "ja": "ja_JP", "ko": "ko_KR", "zh": "zh_Hans_CN"}
_SUNDAY_FIRST = ("ja", "ko")
_PAGE = re.compile(r"cal:(\d{6}):(\d{8}):(\d{8}):([a-z]{2})")
Rows = list[list[tuple[str, str]]]


def first_page(picker: DatePicker, language: str, sign: Callable[[str], str]) -> Rows:
    """The month of `picker.initial` as rows of (label, callback data)."""
    initial = min(max(picker.initial, picker.first), picker.last)
    return _page(initial, picker.first, picker.last, language if language in _LOCALES else "en", sign)


def turned(action: str, sign: Callable[[str], str]) -> Rows | None:
    """The page that an arrow's `action` leads to; None for any other action."""
    found = _PAGE.fullmatch(action)
    if not found:
        return None
    try:
        month, first, last = (dt.date.fromisoformat(part) for part in (found[1] + "01", found[2], found[3]))
    except ValueError:
        return None
    return _page(month, first, last, found[4] if found[4] in _LOCALES else "en", sign)


def guess_language(text: str) -> str:
    """The language of one of our own texts, from its script."""
    for language, letters in (
        ("ja", r"[\u3040-\u30ff]"),
        ("ko", r"[\uac00-\ud7af]"),
        ("zh", r"[\u4e00-\u9fff]"),
    ):
        if re.search(letters, text):
            return language
    return "en"


def _page(day: dt.date, first: dt.date, last: dt.date, language: str, sign: Callable[[str], str]) -> Rows:
    locale, nothing = _LOCALES[language], sign(NOTHING)
    begins = months.SUNDAY if language in _SUNDAY_FIRST else months.MONDAY
    names = get_day_names("narrow" if language != "en" else "short", "stand-alone", locale)

    def arrow(label: str, month: dt.date, shown: bool) -> tuple[str, str]:
        return (
            (label, sign(f"cal:{month:%Y%m}:{first:%Y%m%d}:{last:%Y%m%d}:{language}"))
            if shown
            else (" ", nothing)
        )

    def cell(date: dt.date) -> tuple[str, str]:
        shown = date.month == day.month and first <= date <= last
        return (str(date.day), sign(f"date:{date}")) if shown else (" ", nothing)

    before, after = day.replace(day=1) - dt.timedelta(days=1), day.replace(day=28) + dt.timedelta(days=4)
    title = format_skeleton("yMMMM", day, locale=locale)
    head = [
        arrow("◀", before, before >= first),
        (title, nothing),
        arrow("▶", after.replace(day=1), after.replace(day=1) <= last),
    ]
    weekdays = [(str(names[(begins + i) % 7]), nothing) for i in range(7)]
    weeks = months.Calendar(begins).monthdatescalendar(day.year, day.month)
    return [head, weekdays, *([cell(date) for date in week] for week in weeks)]
