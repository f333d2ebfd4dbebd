"""Visits, feedback and the people's side through the whole inbox: store, understanding, desk and both chats."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from bot.core.conversation import decide
from bot.core.values import Address, Context, Incoming, Patient
from bot.core.wording import Wording
from bot.inbox import Inbox
from bot.staff.desk import StaffDesk
from bot.staff.digest import digest
from bot.store.figures import EntryFigures
from bot.store.store import Store
from intents.faq import Faq
from intents.types import Match, Understanding
from intents.understand import Message, Understander
from tests.fakes import Clock, FakeChannel
from tests.helpers import NOW
from tests.staff_fakes import STAFF, FakeRoom

HOME = Address("telegram", "77")


class Reader:
    """Understands a few words for sure, so that these tests do not hang on what was learned elsewhere."""

    def __init__(self, faq: Faq) -> None:
        self.faq = faq

    def understand(self, text: str, hint: str | None = None) -> Understanding:
        if "fever" in text:
            return Understanding(text, "en", "danger", "urgent", "fever_infection")
        if "breathe" in text:
            return Understanding(text, "en", "danger", "emergency", "breathing_swallowing")
        for entry in ("swelling", "bruising"):
            if entry in text:
                return Understanding(text, "en", "answer", matches=(Match(entry, 0.9),))
        return Understanding(text, "en", "unknown")

    def understand_all(self, messages: Sequence[Message]) -> list[Understanding]:
        return [self.understand(*message) for message in messages]


class Clinic:
    """Inbox and desk over a real store; `say` and `press` are the patient's, `room` is the staff's."""

    def __init__(self, store: Store, faq: Faq, room: FakeRoom | None) -> None:
        self.store, self.faq, self.clock = store, faq, Clock()
        self.channel, self.room = FakeChannel("telegram", "Telegram"), room or FakeRoom()
        channels = {"telegram": self.channel}
        self.desk = StaffDesk(store, room, channels, lambda: faq, self.clock)  # type: ignore[arg-type]
        self.understander, self.events = cast(Understander, Reader(faq)), 0
        self.inbox = self.start()

    def start(self) -> Inbox:
        """A new process: what was only in memory is gone."""
        channels = {"telegram": self.channel}
        return Inbox(self.store, lambda: self.understander, channels, self.desk, self.clock)  # type: ignore[arg-type]

    async def take(self, event: Incoming) -> None:
        await self.inbox.receive(event)
        await self.inbox.drain()

    async def say(self, text: str, kind: str = "text", message: str | None = None) -> None:
        self.events += 1
        await self.take(
            Incoming(HOME, f"e{self.events}", self.clock(), kind, text, language_hint="en", message=message)  # type: ignore[arg-type]
        )

    async def press(self, action: str) -> None:
        self.events += 1
        event = Incoming(HOME, f"e{self.events}", self.clock(), "action", action=action, language_hint="en")
        await self.take(event)

    async def staff(self, event: Incoming) -> None:
        await self.take(event)

    def words(self, key: str, **values: object) -> str:
        return Wording(self.faq, "en", platform="Telegram")(key, **values)

    @property
    def offered(self) -> list[str]:
        return [button.action for button in self.channel.last.buttons]


@pytest.fixture
def clinic(sqlite_store: Store, faq: Faq) -> Clinic:
    return Clinic(sqlite_store, faq, FakeRoom())


# --- visits


async def test_the_answer_about_booking_offers_to_book(clinic: Clinic) -> None:
    await clinic.press("entry:book_consultation")

    assert clinic.offered[0] == "book"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I'd like to book a consultation", "en"), ("can I move my appointment to Friday", "en"),
        ("I want to cancel my appointment", "en"), ("カウンセリングを予約したい", "ja"), ("予約を変更したいです", "ja"),
        ("予約をキャンセルしたい", "ja"), ("상담 예약하고 싶어요", "ko"), ("예약 변경하고 싶어요", "ko"),
        ("예약 취소하고 싶어요", "ko"), ("我想预约面诊", "zh"), ("我想改预约时间", "zh"), ("我想取消预约", "zh"),
    ],
)  # fmt: skip
def test_booking_moving_and_cancelling_in_own_words_lead_to_a_request(
    text: str, language: str, understander: Understander
) -> None:
    meaning = understander.understand(text)
    context = Context(Patient(Address("line", "U1")), NOW, takes_requests=True)
    event = Incoming(context.patient.address, "1", NOW, "text", text)

    [reply] = decide(event, meaning, context, understander.faq).replies

    assert reply.buttons[0].action == "book"
    assert meaning.language == language


async def test_wishes_become_a_request_that_staff_confirm_with_one_tap(clinic: Clinic) -> None:
    await clinic.press("book")
    await clinic.say("Tuesday at 3 pm, because of a dimple")
    card = clinic.room.card
    await clinic.staff(clinic.room.tap("visit:ok:1"))

    assert "“Tuesday at 3 pm, because of a dimple”" in card.text
    assert clinic.channel.texts == [
        clinic.words("appointment_ask"),
        clinic.words("appointment_received"),
        clinic.words("appointment_confirmed", when="“Tuesday at 3 pm, because of a dimple”"),
    ]
    assert clinic.store.open_appointments() == []


async def test_staff_name_another_time_by_replying(clinic: Clinic) -> None:
    await clinic.press("book")
    await clinic.say("Monday at 5 pm")
    await clinic.staff(clinic.room.tap("visit:move:1"))
    question = clinic.room.posts[-1]

    await clinic.staff(clinic.room.write("Wednesday 25 Nov, 11:00", reply_to=question.id))

    assert question.text.startswith("Which day and time for request #1?")
    assert clinic.channel.texts[-1] == clinic.words("appointment_moved", when="Wednesday 25 Nov, 11:00")


async def test_a_declined_visit_may_be_asked_for_again(clinic: Clinic) -> None:
    await clinic.press("book")
    await clinic.say("on Sunday at midnight")

    await clinic.staff(clinic.room.tap("visit:no:1"))

    assert clinic.channel.texts[-1] == clinic.words("appointment_declined")
    assert clinic.offered == ["book"]


async def test_the_second_to_decide_hears_who_was_first(clinic: Clinic) -> None:
    await clinic.press("book")
    await clinic.say("Friday at 10:00 please")
    await clinic.staff(clinic.room.tap("visit:ok:1"))

    await clinic.staff(clinic.room.tap("visit:no:1", by="Lee"))

    assert clinic.room.texts()[-1] == "Request #1 was confirmed by Kim already."
    assert len(clinic.channel.sent) == 3


async def test_a_danger_sign_among_the_wishes_is_answered_as_danger_and_the_wishes_are_kept(
    clinic: Clinic,
) -> None:
    await clinic.press("book")

    await clinic.say("tomorrow please, I have a fever of 39.5 and my cheek is full of pus")

    assert len(clinic.store.open_alerts()) == 1
    assert len(clinic.store.open_appointments()) == 1
    assert clinic.words("appointment_received") not in clinic.channel.texts


async def test_wishes_survive_a_restart_between_question_and_answer(clinic: Clinic) -> None:
    await clinic.press("book")
    clinic.inbox = clinic.start()

    await clinic.say("Friday 10:00")

    assert [request.wishes for request in clinic.store.open_appointments()] == ["Friday 10:00"]


async def test_turning_to_something_else_makes_no_request(clinic: Clinic) -> None:
    await clinic.press("book")
    await clinic.press("entry:swelling")

    await clinic.say("how long does the swelling last")

    assert clinic.store.open_appointments() == []


async def test_cancel_makes_no_request(clinic: Clinic) -> None:
    await clinic.press("book")
    await clinic.press("book:no")

    await clinic.say("Friday 10:00")

    assert clinic.store.open_appointments() == []


async def test_a_question_for_wishes_is_forgotten_after_hours(clinic: Clinic) -> None:
    await clinic.press("book")
    clinic.clock.forward(hours=7)

    await clinic.say("is swelling normal?")

    assert clinic.store.open_appointments() == []


async def test_nobody_is_asked_for_wishes_that_nobody_would_read(sqlite_store: Store, faq: Faq) -> None:
    clinic = Clinic(sqlite_store, faq, None)

    await clinic.press("book")

    assert clinic.channel.texts == [clinic.words("person_unreachable")]


# --- people, through the inbox


async def test_danger_breaks_through_while_a_person_talks(clinic: Clinic) -> None:
    await clinic.say("I have a fever of 39.5 and pus")
    await clinic.staff(clinic.room.tap("staff:take:1"))
    before = len(clinic.channel.sent)
    await clinic.say("thank you, I will come")
    silent = len(clinic.channel.sent) == before

    await clinic.say("I can not breathe and my throat is closing")

    assert silent
    assert len(clinic.channel.sent) > before
    assert len(clinic.store.open_alerts()) == 1
    assert clinic.store.open_alerts()[0].urgency == "emergency"


async def test_the_alert_shows_what_was_said_before_it(clinic: Clinic) -> None:
    await clinic.say("is bruising normal?")

    await clinic.say("I have a fever of 39.5 and pus")

    assert "patient: is bruising normal?" in clinic.room.card.text


async def test_what_a_patient_adds_is_seen_quietly_while_the_alert_is_open(clinic: Clinic) -> None:
    await clinic.say("I have a fever of 39.5 and pus")

    await clinic.say("is bruising normal?")

    assert clinic.room.posts[-1].text == "“is bruising normal?”"
    assert clinic.room.posts[-1].quiet
    assert len(clinic.channel.sent) == 3  # the danger reply, that staff know, and the answer


async def test_nothing_a_patient_says_is_kept_without_an_alert(clinic: Clinic) -> None:
    await clinic.say("is bruising normal?")

    assert clinic.store.recent_threads() == []


async def test_staff_events_are_handled_once_though_they_come_twice(clinic: Clinic) -> None:
    await clinic.say("I have a fever of 39.5 and pus")
    reply = clinic.room.write("Please come in.", reply_to=clinic.room.card.id)

    await clinic.staff(reply)
    await clinic.staff(reply)

    assert clinic.channel.texts.count("Please come in.") == 1


async def test_patients_cannot_press_the_staffs_buttons(clinic: Clinic) -> None:
    await clinic.say("I have a fever of 39.5 and pus")

    await clinic.press("staff:shut:1:false")

    assert len(clinic.store.open_alerts()) == 1


async def test_a_visitor_who_never_agreed_can_delete_what_an_alert_kept(clinic: Clinic) -> None:
    await clinic.say("I have a fever of 39.5 and pus")

    await clinic.press("delete:yes")

    assert clinic.store.open_alerts() == []
    assert clinic.store.recent_threads() == []


# --- was this helpful?


async def test_the_first_answer_asks_whether_it_helped_and_the_next_three_do_not(clinic: Clinic) -> None:
    asked = []
    for _ in range(5):
        await clinic.press("entry:swelling")
        asked.append("good:swelling" in clinic.offered)

    assert asked == [True, False, False, False, True]


async def test_verdicts_are_counted_without_a_name(clinic: Clinic) -> None:
    await clinic.press("good:swelling")
    await clinic.press("bad:swelling")
    await clinic.press("bad:swelling")
    await clinic.press("bad:no_such_entry")

    now = clinic.clock()
    [figures] = clinic.store.week(now - dt.timedelta(days=7), now + dt.timedelta(days=1)).entries
    assert (figures.entry, figures.helpful, figures.not_helpful) == ("swelling", 1, 2)
    assert clinic.channel.texts[0] == clinic.words("helpful_thanks")
    assert clinic.offered == ["person"]


# --- the digest


async def test_the_digest_comes_once_on_monday_morning(clinic: Clinic) -> None:
    clinic.clock.now = dt.datetime(2026, 11, 22, 23, 59, tzinfo=dt.UTC)  # Monday 8:59 in Tokyo
    await clinic.desk.tick(clinic.clock())
    early = clinic.store.untold_notices()
    for _ in range(4):
        clinic.clock.forward(minutes=30)
        await clinic.desk.tick(clinic.clock())

    assert early == []
    [notice] = clinic.store.untold_notices()
    assert notice.text.startswith("📊 The last seven days")


async def test_the_digest_counts_and_names_what_did_not_help(clinic: Clinic) -> None:
    await clinic.press("entry:swelling")
    await clinic.press("bad:swelling")
    await clinic.say("I have a fever of 39.5 and pus")
    clinic.clock.now = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)

    text = await clinic.desk.digest.text(clinic.clock())

    assert "1 question: 100 % answered" in text
    assert "1 still open" in text
    assert f"{clinic.faq.say(clinic.faq.entries['swelling'].label, 'en')} (1)" in text
    assert "fever" not in text


def test_the_digest_names_what_is_offered_rather_than_answered(sqlite_store: Store, faq: Faq) -> None:
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    entries = (EntryFigures("cost", 1, 0, 0, choices=3), EntryFigures("swelling", 5, 0, 0, choices=4))
    week = replace(sqlite_store.week(now - dt.timedelta(days=7), now), entries=entries)

    text = digest(week, 0, 0, 0, faq)

    label = faq.say(faq.entries["cost"].label, "en")
    assert f"Offered as a choice rather than answered: {label} (75 %)." in text


def test_an_empty_week_has_a_digest_too(sqlite_store: Store, faq: Faq) -> None:
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)

    text = digest(sqlite_store.week(now - dt.timedelta(days=7), now), 0, 0, 0, faq)

    assert "0 questions: 0 % answered" in text
    assert STAFF not in text
