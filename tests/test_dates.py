"""Dates as patients type them, in four languages; today is Monday, 23 November 2026."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.dates import read_date
from intents.library import Library

TODAY = dt.date(2026, 11, 23)
NOV_20 = dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "20 Nov", NOV_20),
        ("en", "Nov 20th", NOV_20),
        ("en", "it was on the 20th of November", NOV_20),
        ("en", "2026-11-20", NOV_20),
        ("en", "20.11.2026", NOV_20),
        ("en", "3 days ago", NOV_20),
        ("en", "I had it done 3 days ago", NOV_20),
        ("en", "last friday", NOV_20),
        ("en", "yesterday", dt.date(2026, 11, 22)),
        ("en", "today", TODAY),
        ("en", "a week ago", dt.date(2026, 11, 16)),
        ("en", "tomorrow", dt.date(2026, 11, 24)),
        ("ja", "11月20日", NOV_20),
        ("ja", "１１月２０日です", NOV_20),
        ("ja", "令和8年11月20日", NOV_20),
        ("ja", "三日前", NOV_20),
        ("ja", "先週の金曜日", NOV_20),
        ("ja", "おとといやりました", dt.date(2026, 11, 21)),
        ("ja", "2週間前", dt.date(2026, 11, 9)),
        ("ko", "11월 20일에 했어요", NOV_20),
        ("ko", "사흘 전이요", NOV_20),
        ("ko", "지난주 금요일", NOV_20),
        ("ko", "그저께", dt.date(2026, 11, 21)),
        ("ko", "일주일 전", dt.date(2026, 11, 16)),
        ("zh", "11月20号做的", NOV_20),
        ("zh", "三天前", NOV_20),
        ("zh", "上周五", NOV_20),
        ("zh", "昨天做的线雕", dt.date(2026, 11, 22)),
        ("zh", "琴日", dt.date(2026, 11, 22)),
        ("zh", "禮拜五", NOV_20),
        ("en", "this past friday", NOV_20),
        ("en", "three days back", NOV_20),
        ("en", "last night", dt.date(2026, 11, 22)),
        ("en", "yestarday", dt.date(2026, 11, 22)),
        ("ja", "来週の金曜", dt.date(2026, 12, 4)),
        ("ja", "再来週の金曜日", dt.date(2026, 12, 11)),
        ("ja", "次の土曜日", dt.date(2026, 11, 28)),
        ("ja", "先々週の金曜", dt.date(2026, 11, 13)),
        ("ja", "金曜日", NOV_20),
        ("ja", "昨日の夜やりました", dt.date(2026, 11, 22)),
        ("ja", "10日ほど前", dt.date(2026, 11, 13)),
        ("ja", "二十日", NOV_20),
        ("ja", "30日", dt.date(2026, 10, 30)),
        ("ko", "다음 주 금요일", dt.date(2026, 12, 4)),
        ("ko", "이번주 월요일에 했어요", TODAY),
        ("ko", "지지난주 금요일", dt.date(2026, 11, 13)),
        ("ko", "사흘 됐어요", NOV_20),
        ("ko", "20일에 받았어요", NOV_20),
        ("zh", "下周五", dt.date(2026, 12, 4)),
        ("zh", "下個禮拜三", dt.date(2026, 12, 2)),
        ("zh", "上上星期五", dt.date(2026, 11, 13)),
        ("zh", "上個禮拜五做的", NOV_20),
        ("zh", "这周一", TODAY),
        ("zh", "十一月二十号", NOV_20),
        ("zh", "半个月前", dt.date(2026, 11, 8)),
        ("zh", "做完三天了", NOV_20),
        ("zh", "两周前", dt.date(2026, 11, 9)),
        ("zh", "我琴日做咗", dt.date(2026, 11, 22)),
        ("ja", "11月20日(金)", NOV_20),
        ("ko", "저 어제 시술받았어요", dt.date(2026, 11, 22)),
        ("en", "I had it yesterday at 2pm", dt.date(2026, 11, 22)),
    ],
)
def test_a_date_is_read_as_a_patient_types_it(language: str, text: str, expected: dt.date) -> None:
    assert read_date(text, language, TODAY).dates == (expected,)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "tomorrow?"),
        ("en", "and tomorrow?"),
        ("ja", "明日は？"),
        ("ja", "今日?"),
        ("ko", "내일은요"),
        ("zh", "明天?"),
    ],
)
def test_a_day_that_is_asked_about_is_not_told(language: str, text: str) -> None:
    assert read_date(text, language, TODAY).kind == "none"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("ko", "26.11.20", NOV_20),
        ("ja", "26/11/20", NOV_20),
        ("zh", "民國115年11月20日", NOV_20),
        ("zh", "手术日期是2026年11月20号", NOV_20),
        ("zh", "我係11月20號做嘅", NOV_20),
        ("zh", "今日啱啱做完", TODAY),
        ("ko", "조금 전에 받고 왔어요", TODAY),
        ("ja", "昨日?", dt.date(2026, 11, 22)),
    ],
)
def test_dates_as_they_are_typed_in_east_asia(language: str, text: str, expected: dt.date) -> None:
    assert read_date(text, language, TODAY).dates == (expected,)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "31 February"),
        ("en", "Feb 30 2026"),
        ("en", "31.04.2026"),
        ("ja", "2月31日"),
        ("ko", "11월 31일"),
        ("zh", "2月30号"),
    ],
)
def test_a_day_that_no_calendar_has_is_said_so(language: str, text: str) -> None:
    assert read_date(text, language, TODAY).kind == "impossible"


def test_day_and_month_that_could_be_swapped_are_asked_about() -> None:
    assert read_date("3/4", "en", TODAY).kind == "ambiguous"
    assert read_date("11/20", "en", TODAY).dates == (NOV_20,)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "can I drink on 20 Nov?"),
        ("en", "is swelling ok on day 3?"),
        ("en", "what can I eat today"),
        ("en", "may"),
        ("en", "3"),
        ("en", "call me on monday"),
        ("ja", "明日お酒飲んでいい?"),
        ("ja", "3日目"),
        ("ja", "36.5"),
        ("en", "97.9"),
        ("ko", "3일째예요"),
        ("ko", "30일차"),
        ("zh", "几天"),
        ("zh", "一天两次"),
        ("zh", "昨晚吐"),
        ("zh", "今天晕了"),
        ("zh", "肿了三天了"),
        ("zh", "20号痛"),
        ("ja", "昨日血"),
        ("ja", "今日は熱"),
        ("ko", "어제 피"),
        ("ko", "숨 사흘 됐어요"),
        ("en", "39 last night"),
        ("en", "38 3 days"),
        ("en", "bleeding today"),
        ("ko", "오늘 술 마셔도 돼요?"),
        ("zh", "今天可以洗脸吗"),
        ("zh", "第三天了还肿"),
    ],
)
def test_a_question_that_mentions_a_day_is_not_a_date(language: str, text: str) -> None:
    assert read_date(text, language, TODAY).kind == "none"


def test_no_report_of_danger_is_taken_for_a_date() -> None:
    reports = [line for line in Library.load().lines if line.label.startswith("!")]

    assert [line.text for line in reports if read_date(line.text, line.language, TODAY).kind != "none"] == []


def test_a_day_without_a_year_is_the_nearest_one() -> None:
    january = dt.date(2027, 1, 10)

    assert read_date("20 Dec", "en", january).dates == (dt.date(2026, 12, 20),)
    assert read_date("12月20日", "ja", january).dates == (dt.date(2026, 12, 20),)


@given(st.text(max_size=80), st.sampled_from(["en", "ja", "ko", "zh"]))
def test_any_text_is_read_without_an_error(text: str, language: str) -> None:
    assert read_date(text, language, TODAY).kind in ("found", "ambiguous", "impossible", "none")
