"""Several procedures of one patient: each with its own plan, one opt-out for all, and nothing said twice."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot import links
from bot.core import procedures
from bot.core.conversation import decide
from bot.core.effects import Decision, SetLanguage, SetProcedureDate
from bot.core.procedures import as_of, meant, ordered, spoken_of, with_date
from bot.core.reminders import plan
from bot.core.values import Address, Context, Incoming, Patient, Procedure, Upcoming
from bot.importing import ImportProblems, import_patients
from bot.store.store import Store
from intents.faq import THREAD_LIFT, Faq, FaqProblems, load
from intents.types import Understanding
from tests.helpers import NOW
from tests.outbox_fakes import DAY_0, Clinic, at
from tests.scene import ANNA, Scene
from tests.small_faq import small_text
from tests.staff_site import Browser, Reader, open_clinic
from tests.staff_site import Clinic as SiteClinic

TOP_UP = "top_up"
ZONE = "Asia/Tokyo"
LATER = DAY_0 + dt.timedelta(days=30)  # of the second procedure
LIFT = Procedure(THREAD_LIFT, dt.date(2026, 10, 24))
NEXT = Procedure(TOP_UP, dt.date(2026, 11, 21))
BOTH = Patient(
    Address("fake", "7"), 1, "en", consent_at=NOW, procedure_date=NEXT.date, procedures=(LIFT, NEXT)
)


# --- which one is spoken of


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (LIFT.date - dt.timedelta(days=1), LIFT),
        (NEXT.date - dt.timedelta(days=1), LIFT),
        (NEXT.date, NEXT),
    ],
)
def test_the_newest_that_has_begun_is_spoken_of(today: dt.date, expected: Procedure) -> None:
    assert spoken_of((LIFT, NEXT), today) == expected


def test_without_a_procedure_there_is_nothing_to_speak_of() -> None:
    assert spoken_of((), NOW.date()) is None


def test_the_day_is_counted_on_the_patients_clocks() -> None:
    evening = dt.datetime(2026, 11, 20, 16, tzinfo=dt.UTC)  # the 21st in Tokyo

    assert as_of(BOTH, evening, "Asia/Tokyo").procedure_date == NEXT.date
    assert as_of(BOTH, evening, "UTC").procedure_date == LIFT.date
    assert as_of(replace(BOTH, timezone="UTC"), evening, "Asia/Tokyo").procedure_date == LIFT.date


def test_a_moved_date_leaves_the_other_procedure_as_it_is() -> None:
    moved = with_date(BOTH, TOP_UP, dt.date(2026, 10, 1))

    assert moved.procedures == (Procedure(TOP_UP, dt.date(2026, 10, 1)), LIFT)


def test_a_date_is_meant_for_the_only_procedure_else_the_patient_must_say() -> None:
    only = replace(BOTH, procedures=(NEXT,))

    assert meant(replace(BOTH, procedures=())) == THREAD_LIFT
    assert meant(only) == meant(only, THREAD_LIFT) == TOP_UP
    assert meant(BOTH) is None
    assert meant(BOTH, "no_such") is None
    assert meant(BOTH, THREAD_LIFT) == THREAD_LIFT


def test_of_two_on_one_day_one_is_always_the_newer() -> None:
    same = replace(NEXT, date=LIFT.date)

    assert ordered((same, LIFT)) == ordered((LIFT, same)) == (LIFT, same)


# --- the FAQ


def test_a_step_may_belong_to_one_kind_only(faq: Faq) -> None:
    own = load(small_text().replace("    - id: day_2\n", "    - id: day_2\n      only_for: [top_up]\n"))

    assert "day_2" not in [step.id for step in own.steps_of(THREAD_LIFT)]
    assert "day_2" in [step.id for step in own.steps_of(TOP_UP)]
    assert faq.steps_of(THREAD_LIFT) == faq.steps_of(TOP_UP) == faq.file.reminders.steps


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    thread_lift:\n", "    lift:\n", "thread_lift is missing"),
        ("    top_up:\n", f"    {'t' * 25}:\n", "more than 24 characters"),
        ("    - id: day_2\n", "    - id: day_2\n      only_for: [topup]\n", 'did you mean "top_up"?'),
    ],
)
def test_a_slip_in_the_kinds_is_named_with_its_line(old: str, new: str, problem: str) -> None:
    assert small_text().count(old) == 1

    with pytest.raises(FaqProblems) as caught:
        load(small_text().replace(old, new))

    assert problem in str(caught.value)


def test_a_file_without_kinds_has_the_thread_lift_alone() -> None:
    text = small_text()
    start, end = text.index("  procedures:\n    thread_lift:"), text.index("  steps:\n")
    plain = load(text[:start] + text[end:])

    assert plain.procedures == [THREAD_LIFT]
    assert plain.procedure_name("top_up", "en") == "top up"  # of a patient who has one from before


# --- the reminders, over either database


@pytest.fixture
def clinic(store: Store, faq: Faq) -> Clinic:
    return Clinic(store, faq)


async def test_once_a_newer_procedure_has_begun_nothing_is_said_twice(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, LATER, TOP_UP)

    for day in range(30 + 31):
        await clinic.tick(at(day, 10))
        await clinic.tick(at(day, 20))

    sent = clinic.headlines()
    begun = sent.index("day_0", 1)
    due = [step.id for step in clinic.faq.file.reminders.steps if step.day <= 30]
    assert sent[begun:] == due  # all of the newer one, and nothing of the older one in between
    assert sent[:begun] == due[:begun] == due[:-1]
    assert clinic.store.trouble(at(0, 0)) == []


async def test_until_the_newer_procedure_begins_the_older_one_goes_on(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, DAY_0 + dt.timedelta(days=3), TOP_UP)

    await clinic.run(at(2, 23))
    assert clinic.headlines() == ["day_0", "day_1", "day_2"]

    await clinic.run(at(3, 23))  # its day_3 is due on the morning of the second procedure
    assert clinic.headlines() == ["day_0", "day_1", "day_2", "day_0"]


async def test_a_newer_procedure_that_is_called_off_gives_the_older_ones_days_back(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, DAY_0 + dt.timedelta(days=2), TOP_UP)
    await clinic.run(at(1, 23))

    assert clinic.store.call_off(patient_id, TOP_UP)
    assert not clinic.store.call_off(patient_id, TOP_UP)

    await clinic.run(at(3, 23))
    assert clinic.headlines() == ["day_0", "day_1", "day_2", "day_3"]


async def test_two_procedures_on_one_day_are_one_journey(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, DAY_0, TOP_UP)

    await clinic.run(at(3, 23))

    assert clinic.headlines() == ["day_0", "day_1", "day_2", "day_3"]


async def test_what_only_the_older_procedures_plan_has_still_goes_out(clinic: Clinic) -> None:
    steps = [
        step.model_copy(update={"only_for": [THREAD_LIFT]}) if step.id == "day_3" else step
        for step in clinic.faq.file.reminders.steps
    ]
    changed = clinic.faq.file.reminders.model_copy(update={"steps": steps})
    clinic.faq = Faq(clinic.faq.file.model_copy(update={"reminders": changed}), "own", clinic.faq.places)
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, DAY_0 + dt.timedelta(days=2), TOP_UP)

    await clinic.run(at(5, 23))

    assert clinic.headlines() == ["day_0", "day_1", "day_0", "day_3", "day_1", "day_2"]


async def test_moving_one_date_away_and_back_touches_neither_the_other_nor_doubles(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, LATER, TOP_UP)
    before = clinic.store.upcoming(patient_id)

    clinic.set_date(patient_id, LATER + dt.timedelta(days=7), TOP_UP)
    moved = clinic.store.upcoming(patient_id)
    clinic.set_date(patient_id, LATER, TOP_UP)

    assert clinic.store.upcoming(patient_id) == before
    assert [item for item in moved if item.kind == THREAD_LIFT] == [
        item for item in before if item.kind == THREAD_LIFT
    ]
    assert len(moved) == len(before) == 2 * len(clinic.faq.steps)


async def test_stop_is_for_all_procedures(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    clinic.set_date(patient_id, LATER, TOP_UP)

    clinic.store.set_reminders(patient_id, "stopped", clinic.now)
    assert clinic.store.upcoming(patient_id) == []

    clinic.set_date(patient_id, LATER + dt.timedelta(days=1), TOP_UP)
    assert clinic.store.upcoming(patient_id) == []


async def test_a_step_that_a_kind_loses_is_cancelled_and_comes_back(clinic: Clinic) -> None:
    patient_id = clinic.enrol()
    whole = clinic.faq
    await clinic.tick()
    steps = [
        step.model_copy(update={"only_for": [TOP_UP]}) if step.id == "day_5" else step
        for step in whole.file.reminders.steps
    ]
    changed = whole.file.reminders.model_copy(update={"steps": steps})

    clinic.faq = Faq(whole.file.model_copy(update={"reminders": changed}), "less", whole.places)
    await clinic.tick(at(0, 13))
    assert "day_5" not in {item.step_id for item in clinic.store.upcoming(patient_id)}

    clinic.faq = whole
    await clinic.tick(at(0, 14))
    assert "day_5" in {item.step_id for item in clinic.store.upcoming(patient_id)}
    assert clinic.told == []


def test_the_list_shows_what_will_come_and_not_what_gives_way(faq: Faq) -> None:
    due = dt.datetime(2026, 11, 23, 1, tzinfo=dt.UTC)
    upcoming = [
        Upcoming(dt.datetime(2026, 11, 20, 1, tzinfo=dt.UTC), "day_27", THREAD_LIFT),
        Upcoming(due, "day_30", THREAD_LIFT),
        Upcoming(due, "day_2", TOP_UP),
    ]
    known = {step.id for step in faq.file.reminders.steps}
    upcoming = [item for item in upcoming if item.step_id in known or item.step_id == "day_27"]

    shown = procedures.remaining(BOTH, upcoming, faq)

    assert [item.step_id for item in shown] == ["day_27", "day_2"]


# --- the conversation


def say(faq: Faq, text: str = "", action: str = "", patient: Patient = BOTH, **context: object) -> Decision:
    event = Incoming(patient.address, "1", NOW, "text" if text else "action", text, action)
    understood = Understanding(text, "en", "unknown") if text else None
    patient = as_of(patient, NOW, faq.clinic.timezone)
    return decide(event, understood, Context(patient, NOW, platform="LINE", **context), faq)  # type: ignore[arg-type]


def test_a_date_of_one_who_has_two_asks_which_and_moves_only_that(faq: Faq) -> None:
    asked = say(faq, "22 November 2026")

    assert asked.outcome == "date_which"
    assert asked.effects == ()
    buttons = asked.replies[0].buttons
    assert [button.label for button in buttons] == ["Thread lift", "Top-up threads"]
    assert all(len(button.action) <= 48 for button in buttons)
    assert "Thread lift: 24 October 2026" in asked.replies[0].text

    chosen = say(faq, action=buttons[1].action)
    assert chosen.effects == (SetLanguage("en"), SetProcedureDate(dt.date(2026, 11, 22), TOP_UP))


def test_a_button_of_a_procedure_that_is_gone_asks_again_or_takes_the_only_one(faq: Faq) -> None:
    other = Procedure("neck", LIFT.date)
    gone, only = replace(BOTH, procedures=(other, NEXT)), replace(BOTH, procedures=(LIFT,))

    assert say(faq, action=f"date:2026-11-22:{THREAD_LIFT}", patient=gone).outcome == "date_which"
    moved = say(faq, action="date:2026-11-22:top_up", patient=only)
    assert moved.effects[-1] == SetProcedureDate(dt.date(2026, 11, 22), THREAD_LIFT)


def test_the_card_and_the_list_name_each_procedure(faq: Faq) -> None:
    upcoming = (Upcoming(NOW + dt.timedelta(days=1), "day_3", TOP_UP),)

    card = say(faq, action="recovery", upcoming=upcoming).replies[0]
    listed = say(faq, action="reminders", upcoming=upcoming).replies[0]

    assert "day 2" in card.heading.lower()  # of the newer one
    assert "Thread lift: 24 October 2026" in card.text
    assert "Top-up threads: 21 November 2026" in card.text
    assert listed.text.endswith("(Top-up threads)")


def test_my_data_shows_every_procedure(faq: Faq) -> None:
    text = say(faq, action="data").replies[0].text

    assert "Thread lift: 24 October 2026" in text
    assert "Top-up threads: 21 November 2026" in text


@pytest.mark.parametrize("language", ["en", "ja", "ko", "zh"])
def test_which_is_asked_in_every_language(faq: Faq, language: str) -> None:
    asked = say(faq, action="date:2026-11-22", patient=replace(BOTH, language=language))

    assert faq.procedure_name(TOP_UP, language) in asked.replies[0].text


async def test_the_answer_is_for_the_day_of_the_newer_procedure(scene: Scene) -> None:
    await scene.enrol(date="2026-10-24")
    patient = scene.real.patient(ANNA)
    assert patient is not None
    scene.real.set_procedure_date(patient.id or 0, NEXT.date, [], NOW, TOP_UP)

    await scene.press("recovery")
    assert "2" in scene.channel.texts[-1].splitlines()[0]

    await scene.press(f"date:2026-10-25:{THREAD_LIFT}")
    after = scene.real.patient(ANNA)
    assert after is not None
    assert after.procedures == (Procedure(THREAD_LIFT, dt.date(2026, 10, 25)), NEXT)

    await scene.press("delete:yes")
    assert scene.real.patient(ANNA) is None


# --- put in by staff


@pytest.fixture
async def site(tmp_path: Path, faq: Faq) -> AsyncIterator[SiteClinic]:
    async with open_clinic(tmp_path, Reader(faq)) as opened:
        patient = opened.store.give_consent(BOTH.address, NOW, "en")
        assert patient.id == 1
        opened.store.set_procedure_date(1, LIFT.date, plan(faq.steps_of(THREAD_LIFT), LIFT.date, ZONE), NOW)
        yield opened


async def test_staff_add_move_and_call_off_a_procedure(site: SiteClinic) -> None:
    async with Browser(site) as nurse:
        await nurse.log_in("care")
        _, before = await nurse.get("/staff/patients/1")
        await nurse.post("/staff/patients/1/procedures", kind=TOP_UP, date="2026-11-21")
        _, added = await nurse.get("/staff/patients/1")
        await nurse.post("/staff/patients/1/procedures", kind=TOP_UP, date="2026-12-05")
        _, moved = await nurse.get("/staff/patients/1")
        _, listed = await nurse.get("/staff/patients")
        await nurse.post("/staff/patients/1/procedures/off", kind=TOP_UP)
        _, off = await nurse.get("/staff/patients/1")

    assert "Thread lift: 2026-10-24" in before
    assert '<option value="top_up">' in before
    assert "Top-up threads: 2026-11-21" in added
    assert '<option value="top_up">' not in added
    assert "<dt>Recovery day</dt><dd>2</dd>" in added  # of the newer one, which has begun
    assert "Top-up threads: 2026-12-05" in moved
    assert "<dt>Recovery day</dt><dd>30</dd>" in moved
    assert listed.count('<a href="/staff/patients/1">') == 1
    assert "Top-up threads:" not in off
    assert {item.kind for item in site.store.upcoming(1)} == {THREAD_LIFT}
    audited = [(line.what, line.subject, line.detail) for _, line in site.store.audit_lines()]
    assert ("procedure.called_off", "patient 1", "") in audited
    assert (
        audited.count(("procedure.date", "patient 1", "")) == 2
    )  # the trail outlives the patient: no date in it


@pytest.mark.parametrize("date", ["", "2026-13-01", "2036-01-01", "2016-01-01"])
async def test_a_date_that_cannot_be_changes_nothing(site: SiteClinic, date: str) -> None:
    async with Browser(site) as nurse:
        await nurse.log_in("care")
        await nurse.post("/staff/patients/1/procedures", kind=TOP_UP, date=date)
        _, page = await nurse.get("/staff/patients/1")

    assert "Nothing was changed" in page
    assert site.store.patient(BOTH.address).procedures == (LIFT,)  # type: ignore[union-attr]


async def test_an_unknown_kind_or_patient_is_refused(site: SiteClinic) -> None:
    async with Browser(site) as nurse:
        await nurse.log_in("care")
        kind, _ = await nurse.post("/staff/patients/1/procedures", kind="nose", date="2026-11-21")
        nobody, _ = await nurse.post("/staff/patients/9/procedures", kind=TOP_UP, date="2026-11-21")
        await nurse.post("/staff/patients/1/procedures/off", kind=TOP_UP)
        _, page = await nurse.get("/staff/patients/1")

    assert (kind, nobody) == (400, 404)
    assert "no such procedure" in page


# --- by a link of the clinic, and by import


async def test_staff_make_a_link_with_its_picture_for_a_kind(site: SiteClinic) -> None:
    async def names() -> links.Names:
        return links.Names("smile_bot", "@123abcde")

    site.staff_site.names = names
    async with Browser(site) as nurse:
        await nurse.log_in("care")
        status, page = await nurse.post("/staff/enrol", kind=TOP_UP, date="2026-11-21", lang="zh-Hant", tz="")

    assert status == 200
    assert page.count("<svg") == 2
    assert "<h2>LINE</h2>" in page
    payload = re.search(r"https://t\.me/smile_bot\?start=([\w-]{28})", page)
    assert payload
    link = site.store.invitation(payload[1], ANNA, NOW)
    assert (link.state, link.date, link.kind, link.language, link.traditional) == (
        "open", NEXT.date, TOP_UP, "zh", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"date": "2016-01-01"}, "is too far away"),
        ({"date": "soon"}, "is not a date"),
        ({"date": "2026-11-21", "tz": "Asia/Tokio"}, "is no time zone"),
        ({"date": "2026-11-21"}, "No messenger is set"),
    ],
)
async def test_why_no_link_is_made_is_said(site: SiteClinic, given: dict[str, str], problem: str) -> None:
    async with Browser(site) as nurse:
        await nurse.log_in("care")
        _, page = await nurse.post("/staff/enrol", **given)
        unknown, _ = await nurse.post("/staff/enrol", kind="nose", date="2026-11-21")

    assert problem in page
    assert "<svg" not in page
    assert unknown == 400


async def test_a_link_for_a_second_procedure_adds_it(scene: Scene) -> None:
    await scene.enrol(date="2026-10-24")
    link = scene.real.add_invitation(NEXT.date, NOW + dt.timedelta(days=14), NOW, kind=TOP_UP)

    await scene.receive(scene.event(kind="joined", action=f"start:{link}"))

    patient = scene.real.patient(ANNA)
    assert patient is not None
    assert patient.procedures == (LIFT, NEXT)
    assert {item.kind for item in scene.real.upcoming(patient.id or 0)} == {THREAD_LIFT, TOP_UP}


def test_a_file_has_a_line_for_each_procedure(store: Store, faq: Faq, tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text(
        "channel,chat,procedure_date,consent_date,procedure\n"
        "telegram,5,2026-10-24,2026-10-01,\ntelegram,6,2026-10-24,2026-10-01,thread_lift\n"
        "telegram,5,2026-11-21,2026-10-01,top_up\n"
    )

    for expected in (2, 0):  # a second time nothing is added
        assert import_patients(path, store, faq, NOW).new == expected
        patient = store.patient(Address("telegram", "5"))
        assert patient is not None
        assert patient.procedures == (LIFT, NEXT)
        assert len([item for item in store.upcoming(patient.id or 0) if item.kind == TOP_UP]) >= 10


def test_a_kind_that_nobody_knows_and_a_line_twice_are_faults(store: Store, faq: Faq, tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    line = "telegram,5,2026-11-21,2026-10-01,top_up\n"
    path.write_text(
        f"channel,chat,procedure_date,consent_date,procedure\n{line}{line}telegram,6,2026-11-21,2026-10-01,nose\n"
    )

    with pytest.raises(ImportProblems) as caught:
        import_patients(path, store, faq, NOW)

    same, kind = caught.value.problems
    assert same.startswith("line 3: the same chat as in line 2")
    assert kind == 'line 4: procedure: came "nose"; allowed: thread_lift, top_up'
