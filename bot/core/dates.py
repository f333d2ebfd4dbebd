"""Dates as patients type them: "20 Nov", "3 days ago", 一昨日, 지난주 금요일, 三天前.

English goes to dateparser. It reads 11月20日 as 2011 and does not know おととい or 상周五, so the numeric and relative forms
of Japanese, Korean and Chinese are a table here; everything else still goes to dateparser.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Literal

import dateparser

PAST_DAYS = 366  # the reminders cover one year
FUTURE_DAYS = 366


@dataclass(frozen=True, slots=True)
class DateReading:
    """`found` has one date, `ambiguous` two; `impossible` names a day that no calendar has.

    `named`: the text names day and month; "last night" does not, and may be said of anything.
    """

    kind: Literal["found", "ambiguous", "impossible", "none"]
    dates: tuple[dt.date, ...] = ()
    named: bool = False


NONE = DateReading("none")

_RELATIVE_DAYS = {
    "今日": 0, "きょう": 0, "本日": 0, "さっき": 0, "今朝": 0, "けさ": 0, "先ほど": 0, "たった今": 0,
    "昨日": 1, "きのう": 1, "昨夜": 1, "ゆうべ": 1,
    "一昨日": 2, "おととい": 2, "さきおととい": 3, "明日": -1, "あした": -1, "あす": -1, "明後日": -2, "あさって": -2, "先週": 7,
    "오늘": 0, "오늘 아침": 0, "방금": 0, "아까": 0, "조금 전": 0, "좀 전": 0, "어제": 1, "어저께": 1, "그제": 2, "그저께": 2, "엊그제": 2,
    "그끄저께": 3, "내일": -1, "모레": -2, "지난주": 7,
    "今天": 0, "今早": 0, "今日个": 0, "刚才": 0, "刚刚": 0, "剛剛": 0, "啱啱": 0, "頭先": 0, "昨天": 1, "昨晚": 1, "琴日": 1, "尋日": 1,
    "前天": 2, "前日": 2, "大前天": 3, "明天": -1, "聽日": -1, "后天": -2, "後天": -2, "上周": 7, "上週": 7, "上星期": 7,
    "上礼拜": 7, "上禮拜": 7,
}  # fmt: skip
_NUMERALS = {
    "一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10,
    "하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "열흘": 10, "보름": 15,
}  # fmt: skip
_WEEKDAYS = {
    **dict(zip("月火水木金土日", range(7), strict=True)),
    **dict(zip("월화수목금토일", range(7), strict=True)),
    **dict(zip("一二三四五六日", range(7), strict=True)),
    "天": 6,
}
_ABOUT = "(?:ほど|くらい|ぐらい|정도|쯤|左右)?\\s*"
_AGO = "(?:之前|以前|前|전|経ちました|たちました|経った|たった|됐|되었|지났)"
_UNIT_DAYS = (
    (re.compile(rf"(\d{{1,3}})\s*(?:日|天|일)\s*{_ABOUT}(?:{_AGO}|了$)"), 1),
    (
        re.compile(rf"(\d{{1,2}})\s*(?:週間|週|周|个星期|個星期|个礼拜|個禮拜|星期|주일?)\s*{_ABOUT}{_AGO}"),
        7,
    ),
    (re.compile(rf"(\d{{1,2}})\s*(?:ヶ月|か月|カ月|ケ月|箇月|个月|個月|달|개월)\s*{_ABOUT}{_AGO}"), 30),
)
_KOREAN_DAYS = re.compile(f"({'|'.join(k for k in _NUMERALS if len(k) > 1)})\\s*{_ABOUT}{_AGO}")
_HALF_MONTH = re.compile(r"半[个個]月\s*(?:之前|以前|前)")
_DAY_CJK = re.compile(
    r"(?<!\d)(\d{1,2})\s*(?:日|号|號|일)(?!\s*[\d目間间째간차])"
)  # of this month, or of the one before
_KANJI_NUMBER = re.compile(
    r"([二三两兩]?十[一二三四五六七八九]?|[一二两兩三四五六七八九])(?=\s*(?:[月日号號]|[天週周]|[ヶかカケ个個]))"
)
_YMD = re.compile(r"(?<!\d)(\d{4})\s*[-/.年년]\s*(\d{1,2})\s*[-/.月월]\s*(\d{1,2})(?!\d)\s*(?:日|号|號|일)?")
_ERA = re.compile(
    r"(令和|R|民[国國])\s*(\d{1,3})\s*[年./-]\s*(\d{1,2})\s*[月./-]\s*(\d{1,2})\s*(?:日|号|號)?"
)
_BEFORE_ERA = {"令": 2018, "R": 2018, "民": 1911}  # Reiwa 1 is 2019
_MD_CJK = re.compile(r"(?<!\d)(\d{1,2})\s*[月월]\s*(\d{1,2})\s*(?:日|号|號|일)?(?!\d)")
_TWO_OR_THREE = re.compile(r"(?<!\d)(\d{1,2})\s*[-/.]\s*(\d{1,2})(?:\s*[-/.]\s*(\d{4}|\d{2}))?(?!\d)")
_CHINESE_WEEK = r"(?:[个個]?(?:周|週|星期|礼拜|禮拜))"
_WEEKS = (  # how a week is named -> weeks from this one
    (re.compile(rf"先々週|先先週|지지난 ?주|上上{_CHINESE_WEEK}"), -2),
    (re.compile(rf"先週|지난 ?주|저번 ?주|上{_CHINESE_WEEK}"), -1),
    (re.compile(rf"今週|이번 ?주|[这這本今]{_CHINESE_WEEK}"), 0),
    (re.compile(rf"再来週|다다음 ?주|下下{_CHINESE_WEEK}"), 2),
    (re.compile(rf"来週|다음 ?주|담주|下{_CHINESE_WEEK}"), 1),
)
_COMING = re.compile("次の?|今度の?|다음|오는")  # the next such day, whatever its week
_GONE = re.compile(rf"この前の?|前の|지난|저번|{_CHINESE_WEEK}")
_WEEKDAY_CJK = re.compile(
    "("
    + "|".join(pattern.pattern for pattern in (*(week for week, _ in _WEEKS), _COMING, _GONE))
    + r")?\s*の?\s*([月火水木金土日월화수목금토일一二三四五六天])(曜日?|요일)?"
)
_BRACKETED_WEEKDAY = re.compile(r"\(([月火水木金土日월화수목금토일一二三四五六天])(?:曜日?|요일)?\)")
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAY_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s*(?:of\s+)?({_MONTHS})[a-z]*\.?(?:,?\s*(\d{{4}}))?\b", re.I
)
_MONTH_DAY = re.compile(rf"\b({_MONTHS})[a-z]*\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s*(\d{{4}}))?\b", re.I)
_ENGLISH_FILLER = re.compile(
    r"^(?:(?:i|we|my|the|it|was|is|will|be|had|have|got|did|done|procedure|surgery|operation|threads?|lift|date|treatment|"
    r"on|it's|its|done|happened|change|to|set|for|about|around)\b[\s:,]*)+",
    re.I,
)
_ENGLISH_DATE = re.compile(
    r"\d|\b(?:(?:to|yester)?day|tomorrow|tonight|morning|week|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day)",
    re.I,
)
_ENGLISH_FORMS = (  # what dateparser does not read -> what it does
    (re.compile(r"^this past |^past ", re.I), "last "),
    (re.compile(r"\bback$", re.I), "ago"),
    (re.compile(r"^last night$", re.I), "yesterday"),
    (re.compile(r"^(?:this (?:morning|afternoon|evening)|earlier today)$", re.I), "today"),
    (re.compile(r"\b(?:dys|dyas|das)\b", re.I), "days"),
    (re.compile(r"^yest\w{2,5}y$", re.I), "yesterday"),
)
_COUNTED = re.compile(  # numbers that dateparser may read
    r"\d{1,3} ?(?:minutes?|mins?|hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|years?)\b|\d{1,2}(?:st|nd|rd|th)\b"
    r"|\b(?:at |around )?\d{1,2}(?:[:.]\d{2})? ?(?:am|pm)\b|\bat \d{1,2}(?:[:.]\d{2})?\b",
    re.I,
)
_MONTH_ONLY = re.compile(rf"(?:{_MONTHS})[a-z]*\.?\s+\d{{4}}", re.I)
_CJK_FILLER = re.compile(
    r"(?:糸リフト|リフト|スレッド|を|して(?:きました|きた|きたよ)|した|受けて(?:きました|きた)|受けた|入れ(?:ました|た|てきました)|終わ(?:りました|った)|や(?:って(?:きました|きた|もらいました)|った)|はい|たしか|"
    r"실 ?리프팅|리프팅|하고 왔어요|받았습니다|했음|했다|네|线拉提|線拉提|拉提|今早|啦|呀|喔|嘅|"
    r"に|です|でした|だ|やりました|受けました|しました|施術日?|手術日?|日付|は|を|に変更|시술일?|수술일?|날짜|은|는|에|했어요|받았어요|이에요|예요|입니다|이요|요|"
    r"做[完咗]?[的㗎嘅]?|咗|係|喺|先|要|改成|改到|改为|改為|방금|지금|막|刚刚?|剛剛?|啱啱?|받고|하고|왔어요|㗎|喇|吧|糸|済|저는?|제가|해요|半夜|夜[里晚]|手术|手術|日期|是|我|了|施術|线雕|線雕|埋线|埋線|拉皮|的|朝|昼|夕方|夜|午前|午後|の|あたり|頃|ごろ|아침|오전|오후|저녁|밤|쯤|어요|었어요|했습니다|"
    r"早上|上午|中午|下午|晚上|[。、，,.!！\s:：])"
)

_ASKS = re.compile(r"(?:[?？]|[은는]요?|は)\s*$")


def read_date(text: str, language: str, today: dt.date) -> DateReading:
    """The one date that `text` is (fillers such as "it was on ..." allowed), or why there is none.

    A text that merely contains a date among other words is not a date: it is a question.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if not text or len(text) > 60:
        return NONE
    if language != "en":
        text = _KANJI_NUMBER.sub(_arabic, text.replace("廿", "二十"))
    explicit = _explicit(text, language, today)
    if explicit:
        return explicit
    if language != "en":
        relative = _relative_cjk(text, today) or _day_of_month(text, today)
        if relative:
            return NONE if _asks_of(relative, text, today) else relative
    core = _ENGLISH_FILLER.sub("", text).strip(" .!?")
    for said, meant in _ENGLISH_FORMS:
        core = said.sub(meant, core)
    if (
        not _ENGLISH_DATE.search(core)
        or _MONTH_ONLY.fullmatch(core)
        or re.search(r"\d", _COUNTED.sub("", core))
    ):
        return NONE  # of any other number nobody knows what it means: "39 last night"
    parsed = dateparser.parse(
        core,
        languages=["en"],
        settings={
            "RELATIVE_BASE": dt.datetime.combine(today, dt.time(12)),
            "PREFER_DATES_FROM": "past",
            "PARSERS": ["relative-time", "absolute-time"],
        },
    )
    reading = DateReading("found", (parsed.date(),)) if parsed else NONE
    return NONE if _asks_of(reading, text, today) else reading


_TOLD = re.compile(
    r"\b(?:threads?|lift|procedure|surgery|treatment|done|had)\b|リフト|施術|手術|した|です|受け|시술|수술|리프팅|했|받았|예요|이에요|做|手术|线雕|埋线|線雕|埋線",
    re.I,
)


def tells_of_it(text: str) -> bool:
    """Whether `text` says that something was done, or answers when: of a text that is a day and nothing else, the procedure."""
    return bool(_TOLD.search(text))


def _asks_of(reading: DateReading, text: str, today: dt.date) -> bool:
    """Whether the day is asked about rather than told: 내일은요, "and tomorrow?"."""
    return any(date >= today for date in reading.dates) and bool(_ASKS.search(text))


def _explicit(text: str, language: str, today: dt.date) -> DateReading | None:
    for pattern, read in _EXPLICIT:
        found = pattern.search(text)
        if found:
            rest = text[: found.start()] + text[found.end() :]
            return replace(read(found, language, today), named=True) if _only_filler(rest) else NONE
    return None


def _only_filler(rest: str) -> bool:
    """Whether nothing else is said: one more character may be the report of a danger (昨晚吐, 어제 피)."""
    rest = _BRACKETED_WEEKDAY.sub("", re.sub(r"^(일|日|号|號)", "", rest.strip()))
    return not re.search(r"\w", _CJK_FILLER.sub("", _ENGLISH_FILLER.sub("", rest)))


def _make(year: int, month: int, day: int) -> DateReading:
    try:
        return DateReading("found", (dt.date(year, month, day),))
    except ValueError:
        return DateReading("impossible")


def _nearest(month: int, day: int, today: dt.date) -> DateReading:
    """The occurrence of a day without a year that lies closest to today."""
    options = [_make(year, month, day) for year in (today.year - 1, today.year, today.year + 1)]
    dates = [reading.dates[0] for reading in options if reading.dates]
    if not dates:
        return DateReading("impossible")
    return DateReading("found", (min(dates, key=lambda date: abs((date - today).days)),))


def _read_ymd(m: re.Match[str], language: str, today: dt.date) -> DateReading:
    return _make(int(m[1]), int(m[2]), int(m[3]))


def _read_era(m: re.Match[str], language: str, today: dt.date) -> DateReading:
    return _make(_BEFORE_ERA[m[1][0]] + int(m[2]), int(m[3]), int(m[4]))


def _read_md(m: re.Match[str], language: str, today: dt.date) -> DateReading:
    return _nearest(int(m[1]), int(m[2]), today)


def _month(name: str) -> int:
    return _MONTHS.split("|").index(name.lower()[:3]) + 1


def _read_day_month(m: re.Match[str], language: str, today: dt.date) -> DateReading:
    return _make(int(m[3]), _month(m[2]), int(m[1])) if m[3] else _nearest(_month(m[2]), int(m[1]), today)


def _read_month_day(m: re.Match[str], language: str, today: dt.date) -> DateReading:
    return _make(int(m[3]), _month(m[1]), int(m[2])) if m[3] else _nearest(_month(m[1]), int(m[2]), today)


def _read_numbers(m: re.Match[str], language: str, today: dt.date) -> DateReading:
    """11/20 or 20/11: East Asia writes the month first; in English either may come first, so ask when both could be."""
    a, b = int(m[1]), int(m[2])
    if max(a, b) > 31:  # a temperature or a price
        return NONE
    year = int(m[3]) + (2000 if len(m[3]) == 2 else 0) if m[3] else None
    if (
        language != "en" and m[3] and len(m[3]) == 2 and abs(2000 + a - today.year) <= 1
    ):  # 26.11.20, as East Asia writes
        return _make(2000 + a, b, int(m[3]))

    def read(month: int, day: int) -> DateReading:
        return _make(year, month, day) if year else _nearest(month, day, today)

    month_first, day_first = read(a, b), read(b, a)
    if language != "en" and month_first.dates:
        return month_first
    dates = tuple(dict.fromkeys(date for r in (day_first, month_first) for date in r.dates))
    if not dates:
        return DateReading("impossible")
    return DateReading("found" if len(dates) == 1 else "ambiguous", dates)


_EXPLICIT = (
    (_ERA, _read_era),
    (_YMD, _read_ymd),
    (_MD_CJK, _read_md),
    (_DAY_MONTH, _read_day_month),
    (_MONTH_DAY, _read_month_day),
    (_TWO_OR_THREE, _read_numbers),
)


def _relative_cjk(text: str, today: dt.date) -> DateReading | None:
    for word, days in sorted(_RELATIVE_DAYS.items(), key=lambda item: -len(item[0])):
        if word in text and days != 7 and _only_filler(text.replace(word, "", 1)):
            return DateReading("found", (today - dt.timedelta(days=days),))
    korean = _KOREAN_DAYS.search(text)
    if korean and _only_filler(text.replace(korean[0], "", 1)):
        return DateReading("found", (today - dt.timedelta(days=_NUMERALS[korean[1]]),))
    half = _HALF_MONTH.search(text)
    if half and _only_filler(text.replace(half[0], "", 1)):
        return DateReading("found", (today - dt.timedelta(days=15),))
    digits = (
        text.replace("일주일", "1주").replace("한 달", "1달").replace("한달", "1달").replace("두 달", "2달")
    )
    for pattern, unit in _UNIT_DAYS:
        found = pattern.search(digits)
        if found and _only_filler(digits.replace(found[0], "", 1)):
            return DateReading("found", (today - dt.timedelta(days=unit * int(found[1])),))
    for weekday in _WEEKDAY_CJK.finditer(text):
        whole = weekday[1] or weekday[3] or weekday[0] == text
        if whole and _only_filler(text.replace(weekday[0], "", 1)):
            return DateReading("found", (_weekday(weekday[1] or "", _WEEKDAYS[weekday[2]], today),))
    return None


def _weekday(named: str, weekday: int, today: dt.date) -> dt.date:
    """Weeks begin on Monday; a day whose week is not named is the last such day before today."""
    for week, weeks in _WEEKS:
        if week.fullmatch(named):
            return today + dt.timedelta(days=weeks * 7 + weekday - today.weekday())
    if _COMING.fullmatch(named):
        return today + dt.timedelta(days=(weekday - today.weekday()) % 7 or 7)
    return today - dt.timedelta(days=(today.weekday() - weekday) % 7 or 7)


def _day_of_month(text: str, today: dt.date) -> DateReading | None:
    """A day alone is the last such day: people tell when it was done."""
    found = _DAY_CJK.search(text)
    if not found or not _only_filler(text.replace(found[0], "", 1)):
        return None
    day, month = int(found[1]), today.replace(day=1)
    for _ in range(3):
        reading = _make(month.year, month.month, day)
        if reading.dates and reading.dates[0] <= today:
            return reading
        month = (month - dt.timedelta(days=1)).replace(day=1)
    return DateReading("impossible")


def _arabic(m: re.Match[str]) -> str:
    tens, ten, ones = m[0].rpartition("十") if "十" in m[0] else ("", "", m[0])
    return str((_NUMERALS.get(tens, 1) * 10 if ten else 0) + _NUMERALS.get(ones, 0))
