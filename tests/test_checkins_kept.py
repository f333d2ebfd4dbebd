"""Check-ins with everything around them: kept sealed and once, asked at the right time, gone when erased, joined, counted."""

import datetime as dt

import pytest
from sqlalchemy import text

from bot.channels.port import SendFailed
from bot.core.reminders import plan
from bot.core.values import Address, Asked
from bot.inbox.sessions import FLOOD_MESSAGES
from bot.store.housekeeping import PATIENTS_KEPT
from bot.store.store import Store
from intents.faq import Faq
from intents.short_answers import ANSWERS
from tests.databases import KEY
from tests.outbox_fakes import DAY_0, Clinic, FakeChannel, at
from tests.scene import ANNA, Scene

pytestmark = pytest.mark.slow  # together longer than all of make check may take

HOME = Address("telegram", "1")


@pytest.fixture
def clinic(store: Store, faq: Faq) -> Clinic:
    return Clinic(store, faq)


def answers(store: Store, patient_id: int) -> list[tuple[str, str]]:
    return [(item.step_id, item.answer) for item in store.check_ins(patient_id)]


def asked(clinic: Clinic) -> list[str]:
    """The steps whose push came with its question, in order."""
    return [
        step
        for step, (_, message) in zip(clinic.headlines(), clinic.telegram.sent, strict=True)
        if any(button.action.startswith(f"check:{step}:") for button in message.buttons)
    ]


# --- the store


def test_each_check_in_is_kept_once_and_a_later_answer_takes_its_place(clinic: Clinic) -> None:
    patient, store = clinic.enrol(), clinic.store

    for step, answer, day in (("day_1", "moderate", 1), ("day_3", "better", 3), ("day_1", "mild", 4)):
        assert store.keep_check_in(patient, step, DAY_0, answer, at(day, 12))

    assert answers(store, patient) == [("day_3", "better"), ("day_1", "mild")]
    assert [item.at for item in store.check_ins(patient)] == [at(3, 12), at(4, 12)]


def test_an_answer_for_a_date_that_was_moved_is_not_kept(clinic: Clinic) -> None:
    patient = clinic.enrol()

    assert not clinic.store.keep_check_in(patient, "day_1", DAY_0 + dt.timedelta(days=1), "mild", at(1, 12))
    assert answers(clinic.store, patient) == []


def test_neither_the_answer_nor_its_length_can_be_read_in_the_database(clinic: Clinic) -> None:
    patient = clinic.enrol()
    every = [answer for offered in ANSWERS.values() for answer in offered]
    for answer in every:
        clinic.store.keep_check_in(patient, f"s_{answer}", DAY_0, answer, at(1, 12))

    with clinic.store.read() as db:
        sealed = [bytes(row[0]) for row in db.execute(text("SELECT answer_sealed FROM check_ins"))]

    assert len({len(blob) for blob in sealed}) == 1
    assert not [answer for answer in every for blob in sealed if answer.encode() in blob]
    assert [answer for _, answer in answers(clinic.store, patient)] == every


def test_the_newest_push_is_the_one_that_a_typed_answer_is_meant_for(clinic: Clinic) -> None:
    patient, store = clinic.enrol(), clinic.store
    assert store.last_sent(patient) is None
    for number in (1, 2):
        with store.write() as db:
            db.execute(
                text(
                    f"UPDATE reminders SET state = 'sending', lease_by = 'w', lease_until = 1 WHERE id = {number}"
                )
            )
            db.execute(
                text(
                    f"UPDATE reminders SET state = 'sent', lease_by = NULL, lease_until = NULL, ended_at = {number} WHERE id = {number}"
                )
            )

    sent = store.last_sent(patient)

    assert sent
    assert (sent.step_id, sent.procedure_date) == ("day_1", DAY_0)


def test_erasing_takes_the_answers_with_it(clinic: Clinic) -> None:
    patient = clinic.enrol()
    clinic.store.keep_check_in(patient, "day_1", DAY_0, "mild", at(1, 12))

    clinic.store.erase(patient)

    with clinic.store.read() as db:
        assert db.execute(text("SELECT count(*) FROM check_ins")).scalar_one() == 0


def test_answers_of_thirteen_months_ago_go_although_a_newer_procedure_keeps_the_patient(
    clinic: Clinic,
) -> None:
    patient = clinic.enrol()
    clinic.store.keep_check_in(patient, "day_1", DAY_0, "mild", at(1, 12))
    later = DAY_0 + dt.timedelta(days=300)
    clinic.set_date(patient, later)
    clinic.store.keep_check_in(patient, "day_1", later, "none", at(301, 12))

    clinic.store.prune(at(1, 12) + PATIENTS_KEPT)
    both = answers(clinic.store, patient)
    clinic.store.prune(at(1, 12) + PATIENTS_KEPT + dt.timedelta(seconds=1))

    assert [answer for _, answer in both] == ["mild", "none"]
    assert answers(clinic.store, patient) == [("day_1", "none")]


def test_when_two_chats_are_joined_both_keep_their_answers_and_the_first_ones_hold(clinic: Clinic) -> None:
    store, line = clinic.store, Address("line", "2")
    first, second = clinic.enrol(), clinic.enrol("2", "line")
    for patient, step, answer in (
        (first, "day_1", "mild"),
        (second, "day_1", "severe"),
        (second, "day_3", "same"),
    ):
        store.keep_check_in(patient, step, DAY_0, answer, at(3, 12))
    store.offer_code(first, HOME, "123456", at(4, 12))

    assert store.join("123456", line, at(4, 12))

    assert answers(store, first) == [("day_1", "mild"), ("day_3", "same")]
    assert answers(store, second) == []


def test_a_journey_that_only_the_second_chat_had_brings_its_answers_along(clinic: Clinic) -> None:
    store, line = clinic.store, Address("line", "2")
    second = clinic.enrol("2", "line")
    first = store.give_consent(HOME, at(0, 9), "en").id
    assert first
    store.keep_check_in(second, "day_1", DAY_0, "mild", at(1, 12))
    store.offer_code(first, HOME, "123456", at(4, 12))

    assert store.join("123456", line, at(4, 12))

    assert answers(store, first) == [("day_1", "mild")]


# --- the outbox


async def test_the_question_comes_with_the_push_and_is_never_asked_after(clinic: Clinic) -> None:
    clinic.enrol()

    await clinic.run(at(5, 12))

    assert clinic.headlines() == ["day_0", "day_1", "day_2", "day_3", "day_5"]
    assert asked(clinic) == ["day_1", "day_3"]


async def test_who_has_answered_today_is_not_asked_again_today(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.run(at(1, 12))
    clinic.store.keep_check_in(
        patient, "day_1", DAY_0, "mild", at(3, 8)
    )  # late, two hours before the next question

    await clinic.run(at(7, 12))

    assert clinic.headlines()[-3:] == ["day_3", "day_5", "day_7"]
    assert asked(clinic) == ["day_1", "day_7"]


async def test_who_answered_the_evening_before_is_asked(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.run(at(1, 12))
    clinic.store.keep_check_in(patient, "day_1", DAY_0, "mild", at(2, 23))

    await clinic.run(at(3, 12))

    assert asked(clinic) == ["day_1", "day_3"]


async def test_a_push_that_was_answered_has_arrived_and_is_not_sent_again(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.run(at(0, 20))
    clinic.telegram.faults.append("lost")
    await clinic.tick(at(1, 10))
    clinic.store.keep_check_in(patient, "day_1", DAY_0, "mild", at(1, 10))

    await clinic.run(at(1, 18))

    assert clinic.headlines() == ["day_0", "day_1"]
    states = {row.step_id: (row.state, row.reason) for row in clinic.store.reminder_rows(patient)}
    assert states["day_1"] == ("sent", "answered")


async def test_a_push_that_surely_did_not_arrive_still_asks(clinic: Clinic) -> None:
    clinic.enrol()
    await clinic.run(at(0, 20))
    clinic.telegram.faults.append(SendFailed("network"))

    await clinic.run(at(1, 18))

    assert asked(clinic) == ["day_1"]


async def test_a_catch_up_asks_too(clinic: Clinic) -> None:
    clinic.now = at(4, 20)
    clinic.enrol()

    await clinic.tick()

    assert "day 4" in clinic.texts()[0]
    assert asked(clinic) == ["day_3"]


async def test_no_cheerful_push_while_staff_look_after_a_worrying_answer(clinic: Clinic) -> None:
    clinic.enrol()
    alert = clinic.store.open_alert(HOME, None, "check_in", "call", None, "4-6", clinic.now)
    await clinic.run(at(1, 12))
    held = list(clinic.texts())
    clinic.store.close_alert(alert.id, "Kim", "Spoke by phone", clinic.now)

    await clinic.tick()

    assert (held, clinic.headlines()) == ([], ["day_1"])


async def test_a_worrying_answer_while_a_person_is_wanted_holds_the_pushes_too(clinic: Clinic) -> None:
    clinic.enrol()
    clinic.store.open_alert(HOME, None, "person", "call", None, "", clinic.now)
    clinic.store.open_alert(HOME, None, "check_in", "call", None, "4-6", clinic.now)

    await clinic.run(at(1, 12))

    assert clinic.texts() == []


async def test_asked_and_answered_are_counted(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.run(at(8, 12))
    clinic.store.keep_check_in(patient, "day_3", DAY_0, "better", at(3, 12))
    steps = [step.id for step in clinic.faq.file.reminders.steps if step.check_in]

    assert clinic.store.week(at(0, 0), at(8, 12), steps).check_ins == (3, 1)
    assert clinic.store.week(at(4, 0), at(8, 12), steps).check_ins == (1, 0)
    assert clinic.store.week(at(0, 0), at(8, 12)).check_ins == (0, 0)


async def test_a_ride_along_asks_in_the_quiet_hours_as_well(clinic: Clinic) -> None:
    clinic.enrol()
    await clinic.tick(at(0, 20))
    clinic.now = at(1, 22)

    ride = await clinic.outbox.ride_along(HOME, "event-1")

    assert ride
    assert ride.message.buttons[0].action.startswith("check:day_1:")


# --- the inbox


def action(answer: str, step: str = "day_1", date: str = "261120") -> str:
    return f"check:{step}:{date}:{answer}"


def patient_of(scene: Scene) -> int:
    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.id
    return patient.id


async def test_a_tap_is_kept_and_answered_after_any_restart(scene: Scene) -> None:
    await scene.enrol()
    scene.restarted()

    await scene.press(action("mild"))
    await scene.press(action("none"))

    assert answers(scene.real, patient_of(scene)) == [("day_1", "none")]
    assert scene.channel.texts[-2].startswith("Thank you for telling me")
    assert scene.channel.last.text.startswith("I have changed your answer")


async def test_without_consent_an_answer_is_heard_and_not_kept(scene: Scene) -> None:
    await scene.press(action("mild"))

    with scene.real.read() as db:
        assert db.execute(text("SELECT count(*) FROM check_ins")).scalar_one() == 0
    assert scene.channel.last.text.startswith("Thank you")


async def test_worse_than_usual_opens_an_alert_that_the_patient_hears_of(scene: Scene) -> None:
    await scene.enrol(date="2026-11-13")  # today is day 10

    await scene.press(action("moderate", "day_7", "261113"))

    assert [alert.kind for _, alert in scene.staff.alerts] == ["check_in"]
    assert scene.channel.last.text == scene.faq.message("alert_sent", "en")
    assert scene.staff.talk[-2].text.endswith("– 4–6 · medium")


async def test_when_staff_cannot_be_told_the_patient_hears_that(scene: Scene) -> None:
    await scene.enrol()
    scene.staff.answers = False

    await scene.press(action("worse", "day_3"))

    assert scene.channel.last.text.startswith("I could not reach the staff")


@pytest.mark.parametrize("broken", [{"keep_check_in"}, {"patient", "keep_check_in"}])
async def test_danger_is_answered_although_it_cannot_be_kept(scene: Scene, broken: set[str]) -> None:
    await scene.enrol()
    scene.store.broken = broken

    await scene.press(action("severe"))

    reply = scene.faq.red_flags["severe_pain"].reply["en"].split(":")[0]
    assert [text for text in scene.channel.texts if text.startswith(reply)]
    assert [alert.red_flag for _, alert in scene.staff.alerts] == ["severe_pain"]


async def test_a_danger_sign_is_answered_in_a_flood_of_taps(scene: Scene) -> None:
    await scene.enrol()
    for _ in range(FLOOD_MESSAGES):
        await scene.press("help")

    await scene.press(action("severe"))

    assert [alert.red_flag for _, alert in scene.staff.alerts] == ["severe_pain"]


async def test_an_answer_that_cannot_be_kept_is_not_said_to_be(scene: Scene) -> None:
    await scene.enrol()
    scene.store.broken = {"keep_check_in"}

    await scene.press(action("mild"))

    assert scene.channel.last.text.startswith("Sorry, something failed on my side")


async def test_the_answer_counts_for_the_date_as_it_is_when_it_is_kept(scene: Scene) -> None:
    await scene.enrol()
    keep = scene.real.keep_check_in

    def moved_meanwhile(patient_id: int, *rest: object) -> bool:
        date = dt.date(2026, 11, 19)
        scene.real.set_procedure_date(patient_id, date, plan([], date, "Asia/Tokyo"), scene.clock())
        return keep(patient_id, *rest)  # type: ignore[arg-type]

    scene.store.keep_check_in = moved_meanwhile  # type: ignore[attr-defined]
    await scene.press(action("mild"))

    assert answers(scene.real, patient_of(scene)) == []
    assert scene.channel.last.text.startswith("Thank you")


async def test_a_number_typed_after_the_push_is_the_answer_and_later_it_is_not(scene: Scene) -> None:
    await scene.enrol()
    pushed = Asked("day_1", dt.date(2026, 11, 20), scene.clock.now)
    scene.store.last_sent = lambda _: pushed  # type: ignore[attr-defined]
    scene.clock.forward(minutes=5)
    await scene.press("help")  # the bot says something else
    await scene.say("5")
    before = answers(scene.real, patient_of(scene))
    scene.restarted()

    await scene.say("5")

    assert (before, answers(scene.real, patient_of(scene))) == ([], [("day_1", "moderate")])


async def test_what_another_process_sent_can_be_answered_by_typing(scene: Scene, faq: Faq) -> None:
    await scene.enrol()
    clinic = Clinic(scene.real, faq)
    clinic.channels["fake"] = FakeChannel("fake")
    clinic.outbox = clinic.new_outbox()
    await clinic.tick(dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC))
    scene.clock.now = dt.datetime(2026, 11, 24, 1, 5, tzinfo=dt.UTC)

    await scene.say("better")

    assert answers(scene.real, patient_of(scene)) == [("day_3", "better")]


# --- the move to another database


@pytest.mark.slow
def test_answers_move_to_another_database(sqlite_store: Store, postgres_url: str, faq: Faq) -> None:
    from bot.store.moving import move_store

    source, target = sqlite_store, Store.open(postgres_url, KEY)
    patient = Clinic(source, faq).enrol()
    source.keep_check_in(patient, "day_1", DAY_0, "mild", at(1, 12))

    move_store(source, target)

    assert target.check_ins(patient) == source.check_ins(patient)
    target.keep_check_in(patient, "day_3", DAY_0, "better", at(3, 12))
    assert answers(target, patient) == [("day_1", "mild"), ("day_3", "better")]
    source.close()
    target.close()
