"""Is a person there now, and when next: opening hours, being on call, and how soon staff are called again."""

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.core.conversation import decide
from bot.core.hours import is_open, next_opening, next_person, on_call_until, person_there
from bot.core.values import Address, Context, Incoming, Patient
from bot.core.wording import Wording
from bot.staff import rings
from intents.faq import Faq, FaqProblems, load
from intents.faq.shape import Clinic
from tests.small_faq import small_text

TOKYO = ZoneInfo("Asia/Tokyo")
WEEK = {"mon": ["10:00-13:00", "14:00-19:00"], "tue": ["10:00-19:00"]}


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    """A moment of November 2026 in Tokyo; the 23rd is a Monday."""
    return dt.datetime(2026, 11, day, hour, minute, tzinfo=TOKYO).astimezone(dt.UTC)


@pytest.fixture
def clinic(faq: Faq) -> Clinic:
    return clinic_with(faq)


def clinic_with(faq: Faq, **changes: Any) -> Clinic:
    return faq.clinic.model_copy(update={"hours": WEEK, "closed": [], "on_call": {}, **changes})


@pytest.mark.parametrize(
    ("moment", "there"),
    [
        (at(23, 9, 59), False),
        (at(23, 10), True),
        (at(23, 12, 59), True),
        (at(23, 13), False),
        (at(23, 14), True),
        (at(23, 19), False),
        (at(25, 12), False),
    ],
)
def test_the_clinic_is_open_from_the_first_minute_to_the_last(
    clinic: Clinic, moment: dt.datetime, there: bool
) -> None:
    assert is_open(clinic, moment) is there


def test_next_opening_passes_over_closed_dates(faq: Faq) -> None:
    clinic = clinic_with(faq, closed=[dt.date(2026, 11, 24)])

    assert next_opening(clinic, at(23, 19)) == at(30, 10)
    assert not is_open(clinic, at(24, 12))


def test_a_clinic_without_hours_names_no_opening(faq: Faq) -> None:
    clinic = clinic_with(faq, hours={})

    assert next_opening(clinic, at(23, 12)) is None
    assert next_person(clinic, at(23, 12)) is None


def test_a_span_over_midnight_ends_the_next_morning(faq: Faq) -> None:
    clinic = clinic_with(faq, on_call={"mon": ["19:00-09:00"]})

    assert on_call_until(clinic, at(23, 18, 59)) is None
    assert on_call_until(clinic, at(23, 19)) == at(24, 9)
    assert on_call_until(clinic, at(24, 8, 59)) == at(24, 9)
    assert on_call_until(clinic, at(24, 9)) is None


def test_somebody_is_on_call_on_closed_dates_too(faq: Faq) -> None:
    clinic = clinic_with(faq, on_call={"tue": ["08:00-20:00"]}, closed=[dt.date(2026, 11, 24)])

    assert person_there(clinic, at(24, 12))
    assert not is_open(clinic, at(24, 12))


def test_the_next_person_is_whoever_comes_first(faq: Faq) -> None:
    clinic = clinic_with(faq, on_call={"mon": ["21:00-23:00"]})

    assert next_person(clinic, at(23, 19, 30)) == at(23, 21)
    assert next_person(clinic, at(23, 21)) == at(24, 10)


def test_a_wish_for_a_person_counts_from_when_somebody_is_there(faq: Faq) -> None:
    closed, called = clinic_with(faq), clinic_with(faq, on_call={"mon": ["19:00-23:00"]})
    night = at(23, 20)

    assert rings.first_ring("call", closed, night) == at(24, 11)
    assert rings.first_ring("call", called, night) == at(23, 21)
    assert rings.first_ring("urgent", closed, night) == at(23, 20, 5)


def test_the_clinic_says_how_soon_staff_are_called_again(faq: Faq) -> None:
    within = faq.clinic.answer_within.model_copy(update={"urgent": 3, "call": 20})
    clinic, now = clinic_with(faq, answer_within=within), at(23, 12)

    assert rings.first_ring("emergency", clinic, now) == at(23, 12, 3)
    assert rings.first_ring("call", clinic, now) == at(23, 12, 20)
    assert rings.next_ring("urgent", rings.SOON, clinic, now) == at(23, 12, 9)


@pytest.mark.parametrize("language", ["en", "ja", "ko", "zh"])
def test_a_patient_at_night_hears_until_when_somebody_is_on_call(faq: Faq, language: str) -> None:
    called = replace(
        faq, file=faq.file.model_copy(update={"clinic": clinic_with(faq, on_call={"mon": ["19:00-09:00"]})})
    )
    address = Address("fake", "1")
    event = Incoming(address, "1", at(23, 20), "action", action="person")
    context = Context(Patient(address, language=language), at(23, 20), staff_reachable=True)

    said = decide(event, None, context, called).replies[0].text

    assert "9:00" in said
    assert Wording(called, language).moment(at(24, 9).astimezone(TOKYO)) in said


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("on_call: {}", 'on_call: {mon: ["19-9"]}', "opening hours with two digits each"),
        ("on_call: {}", 'on_call: {monday: ["19:00-09:00"]}', "monday"),
        ("urgent: 5", "urgent: 0", "answer_within.urgent"),
        ("urgent: 5", "urgent: soon", "a number of minutes such as 5"),
    ],
)
def test_a_slip_in_them_is_told_with_its_line(old: str, new: str, told: str) -> None:
    text = small_text().replace(old, new, 1)
    assert text != small_text()

    with pytest.raises(FaqProblems, match=told) as caught:
        load(text)
    assert caught.value.problems[0].line > 20


def test_a_file_without_them_stays_good() -> None:
    text = "\n".join(
        line for line in small_text().splitlines() if not line.startswith(("  on_call:", "  answer_within:"))
    )
    clinic = load(text).clinic

    assert clinic.on_call == {}
    assert (clinic.answer_within.urgent, clinic.answer_within.call) == (5, 60)
