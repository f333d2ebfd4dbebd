"""Alerts from the patient's words to their end, seen from both sides: the staff chat and the patient's own."""

import datetime as dt

import pytest

from bot.channels.port import SendFailed
from bot.core.effects import OpenAlert
from bot.core.values import Address, Line, Patient
from bot.staff.desk import StaffDesk
from bot.store.store import Store
from intents.faq import Faq
from tests.fakes import Clock, FakeChannel
from tests.helpers import NOW
from tests.staff_fakes import SECOND, STAFF, FakeRoom

ANNA = Patient(Address("line", "U1"), language="en")
FEVER = OpenAlert("danger", "urgent", "fever_infection", "I have 39 of fever")
PERSON = OpenAlert("person", "call", None, "")
CHECK_IN = OpenAlert("check_in", "call", None, "How are you? – 4–6")
TALK = (
    Line(NOW - dt.timedelta(minutes=2), "patient", "is swelling normal"),
    Line(NOW - dt.timedelta(minutes=2), "bot", "Yes, for a week."),
    Line(NOW, "patient", "I have 39 of fever"),
)


class Scene:
    """A desk with its chat, a patient's channel and a clock."""

    def __init__(self, store: Store, faq: Faq, room: FakeRoom | None) -> None:
        self.store, self.faq, self.clock = store, faq, Clock()
        self.line, self.telegram = FakeChannel("line", "LINE"), FakeChannel("telegram", "Telegram")
        self.room = room or FakeRoom()
        channels = {"line": self.line, "telegram": self.telegram}
        self.desk = StaffDesk(store, room, channels, lambda: faq, self.clock)  # type: ignore[arg-type]

    async def alert(self, alert: OpenAlert = FEVER, patient: Patient = ANNA) -> bool:
        return await self.desk.alert(patient, alert, TALK, self.clock())

    async def later(self, **delta: float) -> None:
        self.clock.forward(**delta)
        await self.desk.tick(self.clock())

    async def tap(self, action: str, by: str = "Kim") -> str:
        return await self.desk.heard(self.room.tap(action, by))

    def said(self, key: str, **values: object) -> str:
        return self.desk.voice.words(self.store.recent_threads()[0])(key, **values)


@pytest.fixture
def scene(sqlite_store: Store, faq: Faq) -> Scene:
    return Scene(sqlite_store, faq, FakeRoom())


async def test_an_alert_shows_sign_words_and_what_was_said_before(scene: Scene) -> None:
    told = await scene.alert()

    card = scene.room.card.text
    assert told
    assert "URGENT" in card
    assert "“I have 39 of fever”" in card
    assert "patient: is swelling normal" in card
    assert "line" in card
    assert "no procedure date" in card
    assert scene.room.card.actions == ["staff:ack:1", "staff:take:1", "staff:close:1"]


async def test_the_card_names_the_recovery_day_of_a_known_patient(scene: Scene) -> None:
    patient = scene.store.give_consent(ANNA.address, NOW, "en")
    scene.store.set_procedure_date(patient.id or 0, dt.date(2026, 11, 20), [], NOW)
    known = scene.store.patient(ANNA.address)
    assert known

    await scene.alert(patient=known)

    assert "Patient 1 · line" in scene.room.card.text
    assert "day 3 (procedure 2026-11-20)" in scene.room.card.text


async def test_staff_are_told_aloud_that_the_patient_does_not_know_what_to_do(scene: Scene) -> None:
    await scene.alert()

    await scene.desk.unsaid(ANNA, ("Call 119 now.",), False, NOW)

    assert scene.room.posts[-1].text.startswith("The patient has NOT got the bot's answer")
    assert not scene.room.posts[-1].quiet
    thread = scene.store.recent_threads()[0]
    assert scene.store.lines(thread.id)[-1].text == scene.room.posts[-1].text  # on the page too


async def test_staff_read_when_the_patient_has_it_at_last(scene: Scene) -> None:
    await scene.alert()
    await scene.desk.unsaid(ANNA, ("I have alerted the clinic's staff.",), True, NOW)
    quiet, kept = scene.room.posts[-1].quiet, scene.desk.situation(ANNA.address).unsaid

    await scene.desk.unsaid_told(ANNA.address, NOW)
    await scene.desk.unsaid_told(ANNA.address, NOW)

    assert (quiet, kept) == (True, ("I have alerted the clinic's staff.",))
    assert [post.text for post in scene.room.posts].count(
        "The patient has now got what could not be sent before."
    ) == 1
    assert scene.desk.situation(ANNA.address).unsaid == ()


async def test_a_reader_is_named_to_the_patient_with_the_time(scene: Scene) -> None:
    await scene.alert()

    await scene.tap("staff:ack:1")

    assert scene.line.texts == ["Kim of the clinic read this at 12:00."]
    assert scene.room.posts[0].actions == ["staff:take:1", "staff:close:1"]
    assert [line.what for _, line in scene.store.audit_lines()] == ["alert.read"]


async def test_the_second_reader_hears_who_was_first(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:ack:1")

    await scene.tap("staff:ack:1", by="Lee")

    assert scene.room.texts()[-1] == "Alert #1 was read by Kim already."
    assert len(scene.line.sent) == 1


async def test_ten_messages_make_one_alert_and_ring_once(scene: Scene) -> None:
    for _ in range(10):
        await scene.alert()
        scene.clock.forward(seconds=20)

    cards = [posted for posted in scene.room.posts if posted.buttons]
    assert len(scene.store.open_alerts()) == 1
    assert len(cards) == 1


async def test_writing_on_does_not_put_the_next_call_off(scene: Scene) -> None:
    await scene.alert()
    await scene.later(minutes=4)
    await scene.alert()

    await scene.later(minutes=1)

    assert "Nobody has read alert #1 for 5 minutes" in scene.room.texts()[-1]


async def test_danger_anew_after_it_was_read_shows_a_new_card(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:ack:1")

    await scene.alert()

    assert "staff:ack:1" in scene.room.card.actions
    assert scene.room.posts[0].actions == []


async def test_a_worrying_check_in_makes_more_of_a_wish_for_a_person_that_was_read(scene: Scene) -> None:
    await scene.alert(PERSON)
    await scene.tap("staff:ack:1")

    await scene.alert(CHECK_IN)

    (alert,) = scene.store.open_alerts()
    assert (alert.kind, alert.acknowledged_at) == ("check_in", None)
    assert scene.room.card.text.startswith("🟠 CALL · check-in outside the usual course · #1")
    assert "“How are you? – 4–6”" in scene.room.card.text
    assert scene.room.card.actions[0] == "staff:ack:1"
    assert scene.room.posts[0].buttons == ()  # only the new card can be tapped

    await scene.later(minutes=61)
    assert "Nobody has read alert #1 for 61 minutes" in scene.room.texts()[-1]


async def test_a_worrying_check_in_does_not_put_off_the_call_for_a_wish_that_waits(scene: Scene) -> None:
    await scene.alert(PERSON)
    await scene.later(minutes=50)
    await scene.alert(CHECK_IN)
    card = scene.room.card.text

    await scene.later(minutes=10)

    assert "check-in outside the usual course" in card
    assert "Nobody has read alert #1 for 60 minutes" in scene.room.texts()[-1]


async def test_a_check_in_that_did_not_reach_the_chat_is_told_soon(scene: Scene) -> None:
    await scene.alert(PERSON)
    scene.room.failures = [SendFailed("not_found")]
    told = await scene.alert(CHECK_IN)

    await scene.later(seconds=30)

    assert not told
    assert "Nobody has read alert #1" in scene.room.texts()[-1]


async def test_a_worrying_check_in_under_a_danger_that_was_read_is_heard_and_leaves_it_a_danger(
    scene: Scene,
) -> None:
    await scene.alert()
    await scene.tap("staff:ack:1")

    await scene.alert(CHECK_IN)

    (alert,) = scene.store.open_alerts()
    assert (alert.kind, alert.acknowledged_by) == ("danger", "Kim")
    assert (scene.room.texts()[-1], scene.room.posts[-1].quiet) == ("“How are you? – 4–6”", False)


async def test_a_further_wish_for_a_person_makes_no_less_of_a_check_in(scene: Scene) -> None:
    await scene.alert(CHECK_IN)
    await scene.tap("staff:ack:1")

    await scene.alert(PERSON)

    (alert,) = scene.store.open_alerts()
    assert (alert.kind, alert.acknowledged_by) == ("check_in", "Kim")


async def test_an_unread_danger_is_told_again_after_five_minutes_not_before(scene: Scene) -> None:
    await scene.alert()

    await scene.later(minutes=4, seconds=59)
    before = list(scene.room.texts())
    await scene.later(seconds=1)

    assert len(before) == 1
    assert "Nobody has read alert #1 for 5 minutes" in scene.room.texts()[1]
    assert "I have 39 of fever" in scene.room.texts(SECOND)[0]
    assert scene.line.texts == [scene.said("alert_unanswered", minutes=5)]
    assert scene.room.posts[0].actions == []
    assert scene.room.posts[1].actions == ["staff:ack:1", "staff:take:1", "staff:close:1"]


async def test_the_patient_hears_it_again_after_fifteen_minutes_and_then_no_more(scene: Scene) -> None:
    await scene.alert()

    for _ in range(40):
        await scene.later(minutes=1)

    assert scene.line.texts == [scene.said("alert_unanswered", minutes=m) for m in (5, 15)]
    assert len(scene.room.texts(SECOND)) == 4  # after 5, 10, 15 and 30 minutes


async def test_nothing_rings_once_it_was_read(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:ack:1")
    written = len(scene.room.posts)

    await scene.later(hours=3)

    assert len(scene.room.posts) == written


async def test_a_wish_for_a_person_waits_an_hour(scene: Scene) -> None:
    await scene.alert(PERSON)

    await scene.later(minutes=59)
    before = len(scene.line.sent)
    await scene.later(minutes=1)

    assert before == 0
    assert scene.line.texts == [scene.said("alert_unanswered", minutes=60)]


async def test_at_night_a_wish_for_a_person_waits_for_the_opening(scene: Scene) -> None:
    scene.clock.now = dt.datetime(2026, 11, 23, 18, 0, tzinfo=dt.UTC)  # Tuesday 3:00 in Tokyo; opens at 10:00
    await scene.alert(PERSON)

    await scene.later(hours=7, minutes=59)
    before = len(scene.line.sent)
    await scene.later(minutes=1)

    assert before == 0
    assert scene.line.texts == [scene.said("alert_unanswered", minutes=60)]


async def test_a_danger_sign_rings_at_night_as_well(scene: Scene) -> None:
    scene.clock.now = dt.datetime(2026, 11, 23, 18, 0, tzinfo=dt.UTC)
    await scene.alert()

    await scene.later(minutes=5)

    assert len(scene.line.sent) == 1


async def test_closing_asks_for_a_reason_and_tells_the_patient(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:close:1")
    reasons = scene.room.card.actions

    await scene.tap("staff:shut:1:phone")

    assert "staff:shut:1:phone" in reasons
    assert "staff:keep:1" in reasons
    assert scene.store.open_alerts() == []
    assert scene.store.alert(1).close_reason == "Spoke by phone"  # type: ignore[union-attr]
    assert scene.line.texts == [scene.said("alert_closed")]
    assert all(not posted.buttons for posted in scene.room.posts)


async def test_not_yet_brings_the_buttons_back(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:close:1")

    await scene.tap("staff:keep:1")

    assert scene.room.card.actions == ["staff:ack:1", "staff:take:1", "staff:close:1"]


async def test_an_alert_that_did_not_reach_the_chat_is_tried_again_soon(scene: Scene) -> None:
    scene.room.failures = [SendFailed("unreachable")]
    told = await scene.alert()

    await scene.later(seconds=31)

    assert not told
    assert "I have 39 of fever" in scene.room.card.text
    assert scene.line.sent == []


async def test_when_the_chat_stays_away_the_patient_still_hears_the_truth(scene: Scene) -> None:
    scene.room.failures = [SendFailed("unreachable")] * 100
    await scene.alert()

    for _ in range(12):
        await scene.later(seconds=30)

    assert scene.line.texts == [scene.said("alert_unanswered", minutes=5)]


async def test_a_patient_who_cannot_be_told_is_named_to_the_staff(scene: Scene) -> None:
    await scene.alert()
    scene.line.failures = [SendFailed("blocked", permanent=True)]

    await scene.tap("staff:ack:1")

    assert "could not be told (blocked): please call" in scene.room.texts()[-1]


async def test_without_a_staff_chat_an_open_staff_page_counts_as_reached(
    sqlite_store: Store, faq: Faq
) -> None:
    scene = Scene(sqlite_store, faq, None)
    unseen = await scene.alert()
    scene.desk.watched()

    seen = await scene.alert()

    assert not unseen
    assert seen
    assert len(sqlite_store.open_alerts()) == 1


async def test_without_a_staff_chat_nobody_reading_is_told_to_the_patient_too(
    sqlite_store: Store, faq: Faq
) -> None:
    scene = Scene(sqlite_store, faq, None)
    await scene.alert()

    await scene.later(minutes=5)

    assert scene.line.texts == [scene.said("alert_unanswered", minutes=5)]


async def test_where_the_chat_has_topics_each_patient_gets_one(scene: Scene) -> None:
    scene.room.topics = True
    ben = Patient(Address("telegram", "77"), language="ja")

    await scene.alert()
    await scene.alert(patient=ben)
    await scene.alert(PERSON)

    assert scene.room.opened == ["Visitor 1 · line", "Visitor 2 · telegram"]
    assert [posted.topic for posted in scene.room.posts] == ["9001", "9002", "9001"]


async def test_a_topic_that_somebody_deleted_loses_nothing(scene: Scene) -> None:
    scene.room.topics = True
    await scene.alert()
    scene.room.failures = [SendFailed("refused")]

    await scene.later(minutes=5)

    assert "Nobody has read" in scene.room.texts()[-1]


async def test_below_the_first_card_where_the_chat_has_no_topics(scene: Scene) -> None:
    await scene.alert()
    await scene.alert(PERSON)

    first, second = scene.room.posts
    assert second.reply_to == first.id
    assert first.chat == STAFF


async def test_two_processes_ring_once(scene: Scene, faq: Faq) -> None:
    await scene.alert()
    other = StaffDesk(scene.store, FakeRoom(), {"line": scene.line}, lambda: faq, scene.clock)  # type: ignore[arg-type,dict-item]
    scene.clock.forward(minutes=5)
    [ring] = scene.store.due_rings(scene.clock())

    first = scene.store.claim_ring(ring, scene.clock() + dt.timedelta(minutes=5))
    await other.tick(scene.clock())
    second = scene.store.claim_ring(ring, scene.clock())

    assert first
    assert not second
    assert scene.line.sent == []


def named(scene: Scene) -> list[str]:
    """What waits in the staff's post."""
    return [notice.text for notice in scene.store.untold_notices()]


async def test_a_wish_that_was_read_and_forgotten_is_named_after_a_day_not_before(scene: Scene) -> None:
    patient = scene.store.give_consent(ANNA.address, NOW, "en")
    await scene.alert(PERSON, patient)
    await scene.tap("staff:ack:1")

    await scene.later(hours=24)
    before = named(scene)
    await scene.later(seconds=15)

    assert before == []
    assert named(scene) == [
        "Alert #1 (wants a person, patient 1) has been open since 23 Nov, 12:00; until it is closed, the patient's "
        "routine reminders wait. Please close it when it is dealt with."
    ]


async def test_a_forgotten_alert_is_named_once_a_day_and_not_in_the_night(scene: Scene) -> None:
    scene.clock.now = dt.datetime(2026, 11, 23, 18, 0, tzinfo=dt.UTC)  # Tuesday 3:00 in Tokyo
    await scene.alert(PERSON)

    await scene.later(hours=29, minutes=59)  # Wednesday 8:59
    night = named(scene)
    counts = []
    for _ in range(3):
        await scene.later(minutes=1)
        counts.append(len(named(scene)))
    await scene.later(hours=24)

    assert night == []
    assert counts == [1, 1, 1]
    assert len(named(scene)) == 2
    assert "reminders" not in named(scene)[0]  # a visitor has none


async def test_a_closed_alert_is_not_named(scene: Scene) -> None:
    await scene.alert(PERSON)
    await scene.tap("staff:shut:1:chat")

    await scene.later(hours=25)

    assert named(scene) == []


async def test_the_digest_counts_what_is_open_for_more_than_a_day(scene: Scene) -> None:
    await scene.alert(PERSON)
    fresh = await scene.desk.digest.text(scene.clock() + dt.timedelta(hours=24))
    old = await scene.desk.digest.text(scene.clock() + dt.timedelta(hours=24, seconds=1))

    assert "1 still open. " in fresh
    assert "1 still open, 1 of them for more than a day. " in old


async def test_erasing_a_patient_takes_the_conversation_along(scene: Scene) -> None:
    patient = scene.store.give_consent(ANNA.address, NOW, "en")
    await scene.alert(patient=patient)

    scene.store.erase(patient.id or 0)

    assert scene.store.recent_threads() == []
    assert scene.store.open_alerts() == []
    await scene.later(minutes=6)
    assert scene.line.sent == []
