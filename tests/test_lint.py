"""Lint: what may go live and is still not right is named with its line and what to do."""

import datetime as dt
import re
from functools import cache

import pytest

from intents.faq import Faq, load
from intents.lint import ask_own_questions, lint
from intents.strict_yaml import Problem
from intents.types import Match, Understanding
from intents.understand import Understander
from intents.wordcheck import doses, english_left, medicines, reading_grade, traditional_left
from tests.small_faq import FEW, small_faq, small_text

TODAY = dt.date(2026, 11, 23)


class Reader:
    """Understands what it was told; everything else is answered by the entry whose question it is."""

    def __init__(self, faq: Faq, told: dict[str, Understanding] | None = None) -> None:
        self.own = {q: e.id for e in faq.file.entries for texts in e.questions.values() for q in texts}
        self.told = told or {}

    def understand(self, text: str, language: str | None) -> Understanding:
        sure = Understanding(
            text, language or "en", "answer", matches=(Match(self.own.get(text, "swelling"), 0.9),)
        )
        return self.told.get(text, sure)


def edited(old: str, new: str, count: int = 1) -> Faq:
    text = small_text()
    assert old in text
    return load(text.replace(old, new, count))


def warnings(faq: Faq, rule: str, told: dict[str, Understanding] | None = None) -> list[Problem]:
    return [w for w in lint(faq, TODAY, Reader(faq, told).understand) if w.rule == rule]


def line_of(faq_text: str, needle: str) -> int:
    return faq_text.split(needle)[0].count("\n") + 1


def first_question(entry: str, language: str = "en") -> str:
    return small_faq().entries[entry].questions[language][0]


def meant(text: str, outcome: str, *matches: tuple[str, float], flag: str | None = None) -> Understanding:
    return Understanding(text, "en", outcome, red_flag=flag, matches=tuple(Match(*m) for m in matches))  # type: ignore[arg-type]


def test_shipped_file_gives_no_warning(faq: Faq, understander: Understander) -> None:
    """Asked as by somebody whose language is not known yet; `faq check` asks with it."""
    understand = cache(lambda text, _language: understander.understand(text))
    found = lint(faq, faq.file.entries[0].reviewed.on, understand)
    asked = ask_own_questions(faq, understand)

    assert [str(warning) for warning in found] == []
    assert [item.text for item in asked if item.meaning.matches[0].id != item.entry.id] == []


def test_every_warning_is_a_warning_with_a_place_in_the_file() -> None:
    faq = edited("reviewed: {on: 2026-11-23", "reviewed: {on: 2020-01-01", 4)
    found = lint(faq, TODAY)

    assert len(found) == 4
    assert all(w.level == "warning" and w.line > 50 and w.column > 1 for w in found)


def test_same_question_under_two_entries_names_the_other_line() -> None:
    question = first_question("swelling")
    text = small_text().replace(f'- "{first_question("alcohol")}"', f'- "{question.upper()}"')
    found = warnings(load(text), "same-question")

    assert len(found) == 1
    assert f"under swelling too (line {line_of(text, question)})" in found[0].message
    assert found[0].line == line_of(text, question.upper())


def test_runner_up_close_behind_is_a_margin_too_small() -> None:
    question = first_question("swelling")
    close = meant(question, "answer", ("swelling", 0.5), ("alcohol", 0.4))
    clear = meant(question, "answer", ("swelling", 0.9), ("alcohol", 0.05))
    faq = small_faq()

    assert (
        "almost as near to alcohol (0.50 against 0.40)"
        in warnings(faq, "margin", {question: close})[0].message
    )
    assert warnings(faq, "margin", {question: clear}) == []


def test_question_that_leads_elsewhere_is_named() -> None:
    question = first_question("swelling")
    found = warnings(small_faq(), "other-entry", {question: meant(question, "answer", ("alcohol", 0.9))})

    assert len(found) == 1
    assert f'"{question}" leads to alcohol first' in found[0].message


def test_entry_that_none_of_its_own_questions_reach_is_named_once() -> None:
    faq = small_faq()
    told = {q: meant(q, "unknown") for q in faq.entries["swelling"].questions["ja"]}

    assert [w.message.split(";")[0] for w in warnings(faq, "unreachable", told)] == [
        "none of these questions reaches swelling"
    ]
    assert warnings(faq, "other-entry", told) == []


def test_question_that_raises_an_alarm_is_named() -> None:
    question = first_question("swelling")
    danger = meant(question, "danger", ("swelling", 0.9), flag="rapid_swelling")
    found = warnings(small_faq(), "danger-question", {question: danger})

    assert "raises the alarm rapid_swelling" in found[0].message


def test_report_under_an_urgent_entry_is_no_mistake() -> None:
    faq = small_faq((*FEW, "severe_pain"))
    question = faq.entries["severe_pain"].questions["en"][0]
    danger = meant(question, "danger", ("severe_pain", 0.9), flag="severe_pain")

    assert warnings(faq, "danger-question", {question: danger}) == []


@pytest.mark.parametrize(
    "report",
    [
        "my face is swelling up fast and I can't breathe",
        "one side of my face is drooping since this morning",
        "pus is coming out and I have a fever of 39",
    ],
)
def test_report_that_staff_put_under_a_routine_entry_still_alarms_and_is_named(
    report: str, understander: Understander
) -> None:
    faq = edited(f'- "{first_question("swelling")}"', f'- "{report}"')
    ready = understander.with_faq(faq)
    found = lint(faq, TODAY, ready.understand)

    assert ready.understand(report, "en").outcome == "danger"
    assert [w.rule for w in found if report in w.message] == ["danger-question"]


def test_language_that_the_clinic_does_not_list_is_told() -> None:
    faq = edited("languages: [en, ja, ko, zh]", "languages: [en, ja, ko]")
    found = warnings(faq, "language")

    assert any("who writes 中文 is answered in en" in w.message for w in found)
    assert any("nobody is shown it" in w.message for w in found)


def test_review_holds_a_year_and_no_day_longer() -> None:
    faq = small_faq()
    on = faq.file.entries[0].reviewed.on

    assert lint(faq, on + dt.timedelta(days=365)) == []
    assert {w.rule for w in lint(faq, on + dt.timedelta(days=366))} == {"review-date"}


def test_review_in_the_future_is_doubted() -> None:
    faq = edited("reviewed: {on: 2026-11-23", "reviewed: {on: 2027-11-23")

    assert "is yet to come" in warnings(faq, "review-date")[0].message


def test_medical_entry_without_source_is_named_and_the_clinics_own_is_not() -> None:
    text = re.sub(r"sources: \[S1, S2\]\n", "sources: []\n", small_text(), count=1)
    found = warnings(load(text), "no-source")

    assert len(found) == 1
    assert 'or mark it "beyond: true"' in found[0].message


@pytest.mark.parametrize(
    "text",
    [
        "Take ibuprofen.",
        "ロキソプロフェンを飲んでください",
        "타이레놀 말고 아세트아미노펜을 드세요",
        "可以吃布洛芬",
    ],
)
def test_medicine_names_are_found_in_each_language(text: str) -> None:
    assert medicines(text)


@pytest.mark.parametrize(
    "text",
    ["aspirin-type medicines add to bleeding", "アスピリン系の薬", "아스피린 계열의 약", "阿司匹林类的药"],
)
def test_a_warning_about_a_group_of_medicines_is_no_advice(text: str) -> None:
    assert not medicines(text)


@pytest.mark.parametrize("text", ["Take 500 mg", "2 tablets a day", "每次2片药", "1回2錠", "200밀리그램"])
def test_doses_are_found(text: str) -> None:
    assert doses(text)


@pytest.mark.parametrize(
    "text", ["2 weeks", "26 studies", "3,000 to 5,000 yuan", "每次3,000到5,000元", "1回30分", "30분", "2일"]
)
def test_other_figures_are_no_doses(text: str) -> None:
    assert not doses(text)


def test_medicine_in_an_answer_is_a_warning_at_its_line() -> None:
    faq = edited("Cool the area", "Take ibuprofen 200 mg. Cool the area")
    found = warnings(faq, "medicine")

    assert [w.message.split(";")[0] for w in found] == ['"200 mg" is a dose', '"ibuprofen" is a medicine']
    assert all(w.line == faq.places["entries", 1, "answer", "en"][0] for w in found)


def test_english_left_over_is_found_and_names_of_materials_are_not() -> None:
    assert english_left("腫れは usually 1週間で落ち着きます") == ["usually"]
    assert english_left("PDO や PLLA の糸、LINE、{phone}、/stop、https://saps.org.sg/x") == []


def test_traditional_characters_are_found_in_chinese() -> None:
    assert (
        traditional_left("腫脹一般會在一週內消退") == "腫脹會週內"[:4]
        or traditional_left("腫脹會") == "腫脹會"
    )
    assert traditional_left("肿胀一般会在一周内消退") == ""


def test_long_words_and_sentences_raise_the_reading_grade() -> None:
    plain = "Some swelling is usual. It goes in a few days. Cool the skin and rest."
    hard = (
        "Considerable postoperative oedema is habitually encountered and resolves spontaneously thereafter."
    )

    assert reading_grade(plain) < 4
    assert reading_grade(hard) > 14


def test_hard_english_and_endless_sentences_are_warned() -> None:
    hard = "Considerable postoperative oedematous manifestations are habitually encountered. "
    faq = edited("Cool the area", hard * 3 + "Cool the area")
    answer = faq.entries["swelling"].answer["ja"]
    endless = edited(answer.split("。")[0], "腫れが出て" * 40)

    assert warnings(faq, "reading-level")[0].message.startswith("reading grade ")
    assert "make two of it" in warnings(endless, "reading-level")[0].message


def test_button_longer_than_line_takes_is_warned() -> None:
    faq = edited('btn_today:\n    en: "', 'btn_today:\n    en: "Everything that happened ')

    assert "the button has" in warnings(faq, "too-long")[0].message


def test_answer_that_overflows_a_line_message_with_its_window_is_warned() -> None:
    swelling = small_faq().entries["swelling"]
    window, answer = (text.split("\n")[0] for text in (swelling.by_day[0].text["en"], swelling.answer["en"]))
    fill = [(2990 - len(swelling.by_day[0].text["en"]), window), (1490 - len(swelling.answer["en"]), answer)]
    text = small_text()
    for size, line in fill:
        text = text.replace(line, ("Rest. " * 500)[:size] + line, 1)
    faq = load(text)

    assert any("fills" in w.message and "LINE takes 5000" in w.message for w in warnings(faq, "too-long"))
