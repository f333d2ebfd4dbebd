"""Check-ins on the staff's side: the line on an alert's card, the picture by day, the list, and the figures."""

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands import preview
from bot.core.effects import OpenAlert
from bot.core.values import Address, CheckedIn, Patient
from bot.staff import checkins
from bot.staff.digest import digest
from bot.store.figures import Week
from intents.faq import Faq
from intents.short_answers import ANSWERS
from tests.helpers import NOW
from tests.staff_site import Browser, Clinic, Reader, open_clinic, page_of

DATE = dt.date(2026, 11, 9)  # NOW is its day 14
ANNA = Patient(Address("line", "U1"), 1, "ja", consent_at=NOW, procedure_date=DATE)
GIVEN = (("day_1", "moderate", 1), ("day_3", "better", 3), ("day_7", "moderate", 7), ("day_14", "none", 14))


def on(step: str, answer: str, day: int) -> CheckedIn:
    noon = dt.datetime(2026, 11, 9, 3, 0, tzinfo=dt.UTC)  # in Tokyo
    return CheckedIn(step, DATE, answer, noon + dt.timedelta(days=day))


@pytest.fixture
def course(faq: Faq) -> tuple[checkins.Entry, ...]:
    return checkins.course([on(*item) for item in GIVEN], ANNA, faq, NOW)


def test_staff_have_words_for_every_answer() -> None:
    assert set(checkins.WORDS) == {answer for answers in ANSWERS.values() for answer in answers}


def test_a_line_tells_the_course_by_day(course: tuple[checkins.Entry, ...]) -> None:
    line = "day 1 pain 4–6 · day 3 swelling better · day 7 pain 4–6 · day 14 pain 0"

    assert checkins.in_a_line(course) == line
    assert checkins.in_a_line(course * 3) == f"day 14 pain 0 · {line}"
    assert checkins.in_a_line(()) == ""


def test_what_is_outside_the_usual_course_is_marked(course: tuple[checkins.Entry, ...]) -> None:
    assert [entry.worry for entry in course] == [False, False, True, False]


def test_days_are_counted_on_the_patients_calendar_from_the_date_as_it_is_now(faq: Faq) -> None:
    late = replace(
        on("day_1", "mild", 1), at=dt.datetime(2026, 11, 10, 20, 0, tzinfo=dt.UTC)
    )  # 5 o'clock in Tokyo
    patients = (
        ANNA,
        replace(ANNA, timezone="America/New_York"),
        replace(ANNA, procedure_date=DATE - dt.timedelta(days=1)),
    )

    assert [checkins.course([late], patient, faq, NOW)[0].day for patient in patients] == [2, 1, 3]


def test_answers_from_before_a_newer_procedure_are_not_part_of_its_course(faq: Faq) -> None:
    newer = replace(ANNA, procedure_date=dt.date(2026, 11, 14))

    assert [entry.day for entry in checkins.course([on(*item) for item in GIVEN], newer, faq, NOW)] == [2, 9]
    assert checkins.course([on(*GIVEN[0])], replace(ANNA, procedure_date=None), faq, NOW) == ()


def test_the_picture_has_later_days_further_right_and_worse_answers_higher(
    course: tuple[checkins.Entry, ...],
) -> None:
    drawn = checkins.chart(course)

    assert drawn
    places = {mark.entry.day: mark for mark in drawn.marks}
    assert [mark.x for mark in drawn.marks] == sorted(mark.x for mark in drawn.marks)
    assert places[14].y > places[1].y == places[7].y
    assert places[3].y == places[14].y  # better, and no pain
    assert all(drawn.left <= mark.x <= drawn.right and 0 < mark.y < drawn.foot for mark in drawn.marks)
    assert len(drawn.line.split()) == 3
    assert [day for _, day in drawn.days] == [0, 1, 3, 7, 14, 30]
    assert checkins.chart(()) is None


def test_a_late_answer_widens_the_picture(faq: Faq) -> None:
    drawn = checkins.chart(checkins.course([on("day_180", "none", 181)], ANNA, faq, NOW))

    assert drawn
    assert [day for _, day in drawn.days][-1] == 180
    assert drawn.marks[0].x <= drawn.right


def test_the_digest_says_how_many_answered(faq: Faq) -> None:
    week = Week({}, 0, None, (), 8, check_ins=(3, 2))

    assert "3 check-ins asked, 67 % answered." in digest(week, 0, 0, 0, faq)
    assert "check-in" not in digest(replace(week, check_ins=(0, 0)), 0, 0, 0, faq)


def test_the_preview_shows_the_question_and_its_answers(faq: Faq) -> None:
    pushes = {step: text for _, step, text in preview(faq, DATE, "ko", "Asia/Tokyo")}

    assert "오늘은 어떠세요?" in pushes["day_1"]
    assert pushes["day_1"].endswith("[0 · 없음] [1~3 · 조금] [4~6 · 중간] [7~10 · 심함]")
    assert "[" not in pushes["day_2"]


# --- over the real page


@pytest.fixture
async def clinic(tmp_path: Path, faq: Faq) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, Reader(faq)) as opened:
        patient = opened.store.give_consent(ANNA.address, NOW - dt.timedelta(days=14), "ja")
        assert patient.id == 1
        opened.store.set_procedure_date(1, DATE, [], NOW)
        for item in (on(*given) for given in GIVEN):
            opened.store.keep_check_in(1, item.step_id, DATE, item.answer, item.at)
        yield opened


async def test_the_patients_page_draws_the_check_ins_and_says_the_same_in_words(clinic: Clinic) -> None:
    page = await page_of(clinic, "care", "/staff/patients/1")

    svg = ET.fromstring(page[page.index("<svg viewBox") : page.index("</svg>") + 6])
    assert svg.get("role") == "img"
    told = "".join(svg.find("desc").itertext())  # type: ignore[union-attr]
    assert told.startswith(
        "Day 1: pain 4–6. Day 3: swelling better. Day 7: pain 4–6, outside the usual course."
    )
    assert [group.get("class") for group in svg.iter("g")] == ["mark", "mark", "mark worry", "mark"]
    assert (
        page.index("Day 14: pain 0</span>") < page.index("Day 7: pain 4–6 <em") < page.index("<h2>Reminders")
    )


async def test_a_patient_without_answers_has_no_picture(clinic: Clinic) -> None:
    clinic.store.give_consent(Address("line", "U2"), NOW, "en")
    page = await page_of(clinic, "care", "/staff/patients/2")

    assert "<svg" not in page
    assert "Check-ins" not in page


async def test_the_alert_card_and_the_conversation_show_the_last_check_ins(clinic: Clinic) -> None:
    line = "Check-ins: day 1 pain 4–6 · day 3 swelling better · day 7 pain 4–6 · day 14 pain 0"

    await clinic.staff.alert(ANNA, OpenAlert("check_in", "call", None, "How are you? – 4–6"), (), NOW)
    page = await page_of(clinic, "care", "/staff/threads/1")

    card = clinic.room.card.text
    assert card.startswith("🟠 CALL · check-in outside the usual course · #1")
    assert line in card
    assert line in page


async def test_an_alert_that_is_told_again_shows_them_to_the_second_contact(clinic: Clinic) -> None:
    await clinic.staff.alert(ANNA, OpenAlert("danger", "urgent", "severe_pain", "it hurts"), (), NOW)

    clinic.clock.forward(minutes=6)
    await clinic.staff.tick(clinic.clock())

    assert "day 14 pain 0" in clinic.room.texts(clinic.room.chats[1])[-1]


async def test_the_journey_page_and_the_figures_show_check_ins(clinic: Clinic) -> None:
    async with Browser(clinic) as nurse:
        await nurse.log_in("care")
        _, journey = await nurse.get("/staff/journey?date=2026-11-20&lang=zh")
        _, figures = await nurse.get("/staff/figures")

    assert "今天感觉怎么样？照照镜子" in journey
    assert "<span>差不多</span>" in journey
    assert "0 asked, 0 answered" in figures
