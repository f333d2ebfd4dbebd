"""The reminder engine as patients and staff meet it, over both databases."""

import datetime as dt

import pytest

from bot.channels.port import SendFailed
from bot.core.values import Address, AlertKind
from bot.store.deliveries import Claims, Start
from bot.store.store import Store
from intents.faq import Faq
from tests.outbox_fakes import DAY_0, Clinic, FakeChannel, all_urgent, at

pytestmark = pytest.mark.slow  # together longer than all of make check may take

HOME = Address("telegram", "1")


@pytest.fixture
def clinic(store: Store, faq: Faq) -> Clinic:
    return Clinic(store, faq)


async def test_each_reminder_of_a_journey_arrives_once_on_its_day(clinic: Clinic) -> None:
    clinic.enrol()
    steps = clinic.faq.file.reminders.steps

    for due in [at(step.day, step.at.hour, step.at.minute) for step in steps]:
        await clinic.tick(due)
        await clinic.tick(due + dt.timedelta(hours=1))

    assert clinic.headlines() == [step.id for step in steps]
    assert clinic.told == []


async def test_nothing_goes_out_a_minute_early(clinic: Clinic) -> None:
    clinic.enrol()

    await clinic.tick(at(0, 19, 29))
    early = clinic.telegram.calls
    await clinic.tick(at(0, 19, 30))

    assert (early, clinic.headlines()) == (0, ["day_0"])


async def test_enrolling_on_day_five_brings_one_message_not_five(clinic: Clinic) -> None:
    clinic.now = at(5, 12)
    clinic.enrol()

    await clinic.run(at(6, 12))

    assert clinic.headlines() == ["day_5"]


async def test_enrolling_between_steps_brings_one_catch_up_that_names_the_day(clinic: Clinic) -> None:
    clinic.now = at(4, 20)
    clinic.enrol()

    await clinic.tick()

    assert clinic.headlines() == ["day_3"]
    assert "day 4" in clinic.texts()[0]


async def test_enrolling_at_night_waits_for_the_morning(clinic: Clinic) -> None:
    clinic.now = at(4, 23)
    clinic.enrol()

    await clinic.run(at(5, 7, 59))
    night = list(clinic.texts())
    await clinic.tick(at(5, 8))

    assert (night, clinic.headlines()) == ([], ["day_3"])


async def test_an_outage_of_two_days_brings_one_message(clinic: Clinic) -> None:
    clinic.enrol()

    await clinic.tick(at(0, 19, 30))
    await clinic.tick(at(3, 12))

    assert clinic.headlines() == ["day_0", "day_3"]


async def test_an_outage_of_forty_days_loses_nothing_silently(clinic: Clinic) -> None:
    clinic.enrol()

    await clinic.tick(at(40, 12))

    states = {row.step_id for row in clinic.store.upcoming(1)}
    assert len(clinic.texts()) == 1
    assert states == {s.id for s in clinic.faq.file.reminders.steps if s.day > 40}


async def test_a_moved_date_moves_what_is_to_come_and_moving_back_doubles_nothing(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.run(at(2, 12))
    clinic.set_date(patient, DAY_0 + dt.timedelta(days=7))
    clinic.set_date(patient, DAY_0)

    await clinic.run(at(4, 12))

    assert clinic.headlines() == ["day_0", "day_1", "day_2", "day_3"]


async def test_a_date_corrected_by_a_day_does_not_repeat_what_was_sent(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.run(at(3, 12))
    clinic.set_date(patient, DAY_0 - dt.timedelta(days=1))

    await clinic.run(at(4, 12))

    assert clinic.headlines() == ["day_0", "day_1", "day_2", "day_3", "day_5"]


async def test_pause_holds_and_resume_goes_on_with_one_message(clinic: Clinic) -> None:
    patient = clinic.enrol()
    clinic.store.set_reminders(patient, "paused")
    await clinic.run(at(3, 12))
    held = list(clinic.texts())
    clinic.store.set_reminders(patient, "on")

    await clinic.tick()

    assert (held, clinic.headlines()) == ([], ["day_3"])


async def test_stop_means_nothing_more(clinic: Clinic) -> None:
    patient = clinic.enrol()
    await clinic.tick(at(0, 20))
    clinic.store.set_reminders(patient, "stopped")

    await clinic.run(at(3, 12))

    assert clinic.headlines() == ["day_0"]
    assert clinic.store.upcoming(patient) == []


async def test_stop_between_claim_and_send_still_stops_it(clinic: Clinic) -> None:
    patient = clinic.enrol()
    claims = Claims("w", tuple(clinic.faq.steps), ())
    (claimed,) = clinic.store.claim(claims, at(0, 20))
    clinic.store.set_reminders(patient, "stopped")

    started = clinic.store.apply(claims, [Start(claimed.due.id, "telegram")], at(0, 20))

    assert started == [False]


@pytest.mark.parametrize(("kind", "urgency"), [("danger", "emergency"), ("person", "call")])
async def test_no_cheerful_push_while_an_alert_is_open(clinic: Clinic, kind: AlertKind, urgency: str) -> None:
    clinic.enrol()
    alert = clinic.store.open_alert(HOME, None, kind, urgency, None, "I cannot breathe", clinic.now)
    await clinic.run(at(1, 12))
    during = list(clinic.texts())
    clinic.store.close_alert(alert.id, "Ann", "seen", clinic.now)

    await clinic.tick()

    assert (during, clinic.headlines()) == ([], ["day_1"])


async def test_urgent_reminders_go_out_under_an_open_alert(clinic: Clinic) -> None:
    clinic.faq = all_urgent(clinic.faq)
    clinic.enrol()
    clinic.store.open_alert(HOME, None, "person", "call", None, "please call me", clinic.now)

    await clinic.run(at(1, 12))

    assert clinic.headlines() == ["day_0", "day_1"]


async def test_when_a_forgotten_wish_is_closed_only_what_still_says_something_goes_out(
    clinic: Clinic,
) -> None:
    patient = clinic.enrol()
    alert = clinic.store.open_alert(HOME, None, "person", "call", None, "please call me", clinic.now)
    await clinic.run(at(3, 12))
    clinic.store.close_alert(alert.id, "Ann", "phone", clinic.now)

    await clinic.tick()

    assert clinic.headlines() == ["day_3"]
    over = {row.step_id: (row.state, row.reason) for row in clinic.store.reminder_rows(patient)}
    assert {step: over[step][0] for step in ("day_0", "day_1", "day_2")} == {
        "day_0": "missed",
        "day_1": "missed",
        "day_2": "missed",
    }
    assert clinic.store.trouble(at(0, 0)) == []  # staff knew of it


@pytest.mark.parametrize("urgent", [False, True])
async def test_a_wish_between_claim_and_send_stops_what_is_routine(clinic: Clinic, urgent: bool) -> None:
    clinic.enrol()
    claims = Claims("w", tuple(clinic.faq.steps), ())
    (claimed,) = clinic.store.claim(claims, at(0, 20))
    clinic.store.open_alert(HOME, None, "person", "call", None, "please call me", at(0, 20))

    started = clinic.store.apply(claims, [Start(claimed.due.id, "telegram", urgent=urgent)], at(0, 20))

    assert started == [urgent]


async def test_no_cheerful_push_while_a_person_talks_with_the_patient(clinic: Clinic) -> None:
    clinic.enrol()
    thread = clinic.store.thread_of(HOME, clinic.now)
    clinic.store.take_over(thread.id, "Ann", clinic.now)
    await clinic.run(at(1, 12))
    during = list(clinic.texts())
    clinic.store.hand_back(thread.id)

    await clinic.tick()

    assert (during, clinic.headlines()) == ([], ["day_1"])


async def test_handing_back_under_an_open_alarm_still_sends_nothing(clinic: Clinic) -> None:
    clinic.enrol()
    thread = clinic.store.thread_of(HOME, clinic.now)
    clinic.store.open_alert(HOME, None, "danger", "emergency", "x", "I cannot breathe", clinic.now)
    clinic.store.take_over(thread.id, "Ann", clinic.now)
    await clinic.run(at(1, 12))
    clinic.store.hand_back(thread.id)

    await clinic.tick()

    assert clinic.texts() == []


async def test_a_blocked_bot_is_told_once_and_comes_back_with_the_patient(clinic: Clinic) -> None:
    clinic.enrol()
    clinic.telegram.faults.append(SendFailed("blocked", permanent=True))
    await clinic.run(at(2, 12))
    calls = clinic.telegram.calls
    clinic.store.mark_reachable(HOME)

    await clinic.tick()

    assert calls == 1
    assert [text for text in clinic.told if "blocked" in text] == clinic.told[:1]
    assert clinic.headlines() == ["day_2"]


async def test_a_second_channel_takes_over_when_the_first_is_blocked(clinic: Clinic) -> None:
    patient = clinic.enrol()
    clinic.store.link_address(patient, Address("line", "U1"))
    clinic.telegram.faults.append(SendFailed("blocked", permanent=True))

    await clinic.tick(at(0, 20))

    assert clinic.headlines(clinic.line) == ["day_0"]


async def test_a_refused_connection_is_tried_again_until_it_works(clinic: Clinic) -> None:
    clinic.enrol()
    clinic.telegram.faults.extend([SendFailed("unreachable")] * 3)

    await clinic.run(at(0, 20), dt.timedelta(minutes=4))

    assert (clinic.headlines(), clinic.telegram.calls) == (["day_0"], 4)


async def test_retry_after_is_obeyed_for_the_chat_and_others_go_on(clinic: Clinic) -> None:
    clinic.enrol("1")
    clinic.enrol("2")
    clinic.telegram.faults.append(SendFailed("rate_limited", retry_after=600))
    await clinic.tick(at(0, 19, 30))
    first = [address.chat for address, _ in clinic.telegram.sent]
    await clinic.run(at(0, 19, 39), dt.timedelta(minutes=1))
    waiting = clinic.telegram.calls

    await clinic.run(at(0, 19, 50), dt.timedelta(minutes=1))

    assert (first, waiting) == (["2"], 2)
    assert [address.chat for address, _ in clinic.telegram.sent] == ["2", "1"]


async def test_a_lost_answer_on_telegram_is_sent_once_more_and_listed(clinic: Clinic) -> None:
    clinic.enrol()
    clinic.telegram.faults.append("lost")

    await clinic.run(at(0, 20), dt.timedelta(minutes=4))

    (listed,) = clinic.store.trouble(at(0, 0))
    assert clinic.headlines() == ["day_0", "day_0"]
    assert (listed.state, listed.doubtful) == ("sent", True)


async def test_two_lost_answers_on_telegram_go_to_staff_not_to_the_patient_again(clinic: Clinic) -> None:
    clinic.enrol()
    clinic.telegram.faults.extend(["lost", "lost"])

    await clinic.run(at(0, 20, 30), dt.timedelta(minutes=4))

    (listed,) = clinic.store.trouble(at(0, 0))
    assert clinic.telegram.calls == 2
    assert (listed.state, listed.reason) == ("failed", "unknown_outcome")
    assert any("unknown_outcome" in text for text in clinic.told)


async def test_lost_answers_on_line_never_double(clinic: Clinic) -> None:
    clinic.enrol(channel="line")
    clinic.line.faults.extend(["lost"] * 4)

    await clinic.run(at(0, 20, 30), dt.timedelta(minutes=4))

    assert clinic.headlines(clinic.line) == ["day_0"]
    assert clinic.line.calls == 5
    assert clinic.store.trouble(at(0, 0)) == []


async def test_a_refused_message_is_given_up_after_three_tries(clinic: Clinic) -> None:
    clinic.enrol()
    clinic.telegram.faults.extend([SendFailed("refused")] * 5)

    await clinic.run(at(0, 20, 30), dt.timedelta(minutes=4))

    assert clinic.telegram.calls == 3
    assert any("given up (refused)" in text for text in clinic.told)


async def test_a_channel_that_raises_nonsense_costs_nobody_else(clinic: Clinic) -> None:
    clinic.enrol("1")
    clinic.enrol("2")
    clinic.telegram.faults.append(ZeroDivisionError())

    await clinic.tick(at(0, 19, 30))

    assert [address.chat for address, _ in clinic.telegram.sent] == ["2"]


async def test_a_channel_that_is_down_is_left_alone_and_drains_afterwards(clinic: Clinic) -> None:
    for chat in range(60):
        clinic.enrol(str(chat))
    clinic.telegram.always = SendFailed("unreachable")
    await clinic.run(at(0, 20, 20), dt.timedelta(minutes=1))
    calls = clinic.telegram.calls
    clinic.telegram.always = None

    await clinic.run(at(0, 20, 58), dt.timedelta(minutes=1))

    assert calls < 60 + 50
    assert sorted(int(address.chat) for address, _ in clinic.telegram.sent) == list(range(60))
    assert any("reminders are due, none sent since" in text for text in clinic.told)


async def test_a_dead_sender_loses_nothing_and_only_what_had_started_may_double(clinic: Clinic) -> None:
    clinic.enrol("1")
    clinic.enrol("2")
    claims = Claims("dead", tuple(clinic.faq.steps), ())
    claimed = clinic.store.claim(claims, at(0, 19, 30))
    clinic.store.apply(claims, [Start(claimed[0].due.id, "telegram")], at(0, 19, 30))

    await clinic.run(at(0, 19, 40), dt.timedelta(minutes=1))

    listed = clinic.store.trouble(at(0, 0))
    assert sorted(address.chat for address, _ in clinic.telegram.sent) == ["1", "2"]
    assert [row.id for row in listed] == [claimed[0].due.id]
    assert any("may arrive twice" in text for text in clinic.told)


async def test_a_hanging_send_does_not_hold_up_the_others(store: Store, faq: Faq) -> None:
    clinic = Clinic(store, faq, send_timeout_seconds=0.2)
    clinic.enrol("1")
    clinic.enrol("2")
    clinic.telegram.faults.append("hang")

    await clinic.tick(at(0, 19, 30))

    assert [address.chat for address, _ in clinic.telegram.sent] == ["2"]


class Metered(FakeChannel):
    """LINE with a plan of 200 messages a month, of which so many are used."""

    def __init__(self, used: int) -> None:
        super().__init__("line", retry_keys=True)
        self.used = used

    async def quota(self) -> tuple[int | None, int]:
        return 200, self.used


async def test_the_quota_reserve_holds_pushes_and_they_ride_along_with_a_reply(
    store: Store, faq: Faq
) -> None:
    clinic = Clinic(store, faq)
    clinic.channels["line"] = clinic.line = line = Metered(195)
    clinic.outbox = clinic.new_outbox()
    clinic.enrol("U1", "line")
    await clinic.tick(at(0, 19, 30))
    pushed = list(line.sent)

    ride = await clinic.outbox.ride_along(Address("line", "U1"), "event")
    assert ride is not None
    await ride.ended(True, clinic.now)

    assert pushed == []
    assert "Rest tonight" in ride.message.text
    assert store.sent_count(1) == 1
    assert await clinic.outbox.ride_along(Address("line", "U1"), "event") is None
    assert any("5 of this month's 200 messages are left" in text for text in clinic.told)


async def test_staff_hear_three_times_a_month_how_far_the_quota_is_used(store: Store, faq: Faq) -> None:
    class Metered(FakeChannel):
        used = 139

        async def quota(self) -> tuple[int | None, int]:
            return 200, self.used

    clinic = Clinic(store, faq)
    clinic.channels["line"] = clinic.line = line = Metered("line", retry_keys=True)
    clinic.outbox = clinic.new_outbox()
    heard = []
    for hour, used in enumerate((139, 140, 179, 180, 199, 200, 201)):
        line.used = used
        await clinic.tick(at(1, 1 + hour, hour))
        heard.append(len([text for text in clinic.told if "this month" in text]))

    assert heard == [0, 1, 1, 2, 2, 3, 3]
    assert "140 of this month's 200" in clinic.told[0]
    assert "20 of this month's 200 messages are left" in clinic.told[1]
    assert "all 200 messages of this month are used" in clinic.told[2]


async def test_a_refilled_quota_lets_the_held_ones_go(store: Store, faq: Faq) -> None:
    clinic = Clinic(store, faq)
    clinic.channels["line"] = clinic.line = line = Metered(200)
    clinic.outbox = clinic.new_outbox()
    clinic.enrol("U1", "line")
    await clinic.tick(at(1, 10))
    line.used = 0

    await clinic.tick(at(1, 11, 1))
    await clinic.tick(at(1, 11, 2))

    assert clinic.headlines(line) == ["day_1"]


async def test_staff_change_the_time_of_a_step_and_journeys_follow(clinic: Clinic, faq: Faq) -> None:
    patient = clinic.enrol()
    await clinic.tick()
    steps = [
        s.model_copy(update={"at": dt.time(11)}) if s.id == "day_1" else s for s in faq.file.reminders.steps
    ]
    changed = faq.file.model_copy(
        update={"reminders": faq.file.reminders.model_copy(update={"steps": steps})}
    )
    clinic.faq = Faq(changed, "new", faq.places)

    await clinic.tick()

    assert clinic.store.upcoming(patient)[1].due_at == at(1, 11)


async def test_a_step_that_staff_added_reaches_journeys_under_way(clinic: Clinic, faq: Faq) -> None:
    few = faq.file.reminders.model_copy(update={"steps": faq.file.reminders.steps[:3]})
    clinic.faq = Faq(faq.file.model_copy(update={"reminders": few}), "few", faq.places)
    patient = clinic.enrol()
    await clinic.tick()
    clinic.faq = faq

    await clinic.tick()

    assert len(clinic.store.upcoming(patient)) == len(faq.file.reminders.steps)


async def test_staff_are_told_later_when_they_cannot_be_told_now(clinic: Clinic) -> None:
    async def fails(_text: str) -> None:
        raise ConnectionError

    clinic.store.notice("k", "Look at this.", clinic.now)
    clinic.outbox._watchman._tell_staff = fails
    await clinic.tick()
    clinic.outbox._watchman._tell_staff = clinic._tell

    await clinic.tick()
    await clinic.tick()

    assert clinic.told == ["Look at this."]


async def test_a_later_patients_check_in_asks_for_their_own_procedure(clinic: Clinic) -> None:
    clinic.enrol("1")
    clinic.enrol("2", date=DAY_0 + dt.timedelta(days=1))

    await clinic.run(at(2, 12))  # one process sends day_1 to both, a day apart

    asked = {
        address.chat: [button.action for button in message.buttons if button.action.startswith("check:day_1")]
        for address, message in clinic.telegram.sent
        if any(button.action.startswith("check:day_1") for button in message.buttons)
    }
    assert {chat: actions[0].split(":")[2] for chat, actions in asked.items()} == {
        "1": "261116",
        "2": "261117",
    }
