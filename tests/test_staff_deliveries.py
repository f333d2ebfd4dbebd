"""The staff's page of reminders to look at."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.reminders import Planned
from bot.core.values import Address
from bot.staff.patient_pages import together
from bot.store.deliveries import Claims, End, Result
from bot.store.watch import Listed
from intents.faq import Faq
from tests.helpers import NOW
from tests.staff_site import Clinic, Reader, open_clinic, page_of

DUE = NOW - dt.timedelta(hours=30)
DATE = (NOW - dt.timedelta(days=1)).date()


@pytest.fixture
async def clinic(tmp_path: Path, faq: Faq) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, Reader(faq)) as opened:
        yield opened


def leave_out(clinic: Clinic, count: int) -> None:
    """`count` patients whose day_0 was due while nothing could be sent."""
    planned = [Planned("day_0", DUE, DUE + dt.timedelta(hours=4), "skip")]
    for number in range(count):
        patient = clinic.store.give_consent(Address("telegram", f"9{number}"), DUE, "en")
        assert patient.id is not None
        clinic.store.set_procedure_date(patient.id, DATE, planned, DUE - dt.timedelta(hours=1))
    claims = Claims("w", (), ("day_0",), limit=1000, room={"telegram": 1000})
    claimed = clinic.store.claim(claims, NOW)
    late = [Result(item.due.id, item.due.patient_id, End("missed", "late")) for item in claimed]
    assert all(clinic.store.apply(claims, late, NOW))
    assert len(late) == count


def listed(patient_id: int, step: str = "day_0", state: str = "missed", doubtful: bool = False) -> Listed:
    return Listed(patient_id, patient_id, step, DUE, state, "late", doubtful)


def test_an_outage_is_a_line_not_one_for_each_patient() -> None:
    rows = [listed(2), listed(1), listed(3, "day_1"), listed(4, state="failed"), listed(5, doubtful=True)]

    groups = together(rows)

    assert [(item.step_id, patients) for item, patients in groups] == [("day_0", [1, 2]), ("day_1", [3])]


async def test_what_was_left_out_is_shown_with_its_reason_and_its_patients(clinic: Clinic) -> None:
    leave_out(clinic, 5)

    page = await page_of(clinic, "care", "/staff/deliveries")

    left_out = page[page.index("<h2>Left out</h2>") :]
    assert "<summary>5 patients</summary>" in left_out
    assert '<a href="/staff/patients/5">5</a>' in left_out
    assert "too late" in left_out
    assert left_out.count("<tr>") == 2
    assert "needs a look" not in page


@pytest.mark.parametrize(("hours", "shown"), [(23, False), (25, True)])
async def test_an_alert_that_nobody_closes_is_on_the_page(clinic: Clinic, hours: int, shown: bool) -> None:
    anna, opened_at = Address("line", "U1"), NOW - dt.timedelta(hours=hours)
    clinic.store.thread_of(anna, opened_at)
    clinic.store.open_alert(anna, None, "person", "call", None, "please call me", opened_at)

    page = await page_of(clinic, "care", "/staff/deliveries")

    assert ("Alerts open for more than a day" in page) is shown
    assert ('href="/staff/threads/1"' in page) is shown
    assert ("needs a look" in page) is not shown
    assert "please call me" not in page


async def test_nothing_to_look_at_is_said(clinic: Clinic) -> None:
    page = await page_of(clinic, "care", "/staff/deliveries")

    assert "Nothing in the last 30 days needs a look." in page
    assert "Left out" not in page
