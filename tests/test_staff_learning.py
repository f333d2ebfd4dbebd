"""What people typed to a patient can help others: kept by one tap, with the patient's consent only; and unanswered questions
in the staff chat, each with its effect and one tap to add it.
"""

import datetime as dt
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.core.effects import OpenAlert
from bot.core.values import Address, Button, Incoming, Learned, Line, Patient
from bot.staff.asking import GONE, NOTHING
from bot.staff.desk import StaffDesk
from bot.staff.editing import Editing
from bot.staff.faqfile import add_question
from bot.staff.learning import NO_CONSENT, learned
from bot.store.figures import Question
from bot.store.store import Store
from intents.faq import Faq
from intents.understand import Understander
from tests.fakes import Clock, FakeChannel
from tests.helpers import NOW
from tests.small_faq import small_text, small_understander
from tests.staff_fakes import STAFF, FakeRoom
from tests.staff_site import Browser, Live, Reader, open_clinic
from tests.test_faqfile import differing

ANNA = Address("line", "U1")
TRUMPET = "can I play the trumpet"


def said(*lines: str) -> list[tuple[int, Line]]:
    """ "p: words" of the patient, "s:" of staff, "b:" of the bot, "n:" a note; numbered from 1."""
    who = {"p": "patient", "s": "staff", "b": "bot", "n": "note"}
    return [(i, Line(NOW, who[line[0]], line[3:])) for i, line in enumerate(lines, 1)]  # type: ignore[arg-type]


def test_an_answer_belongs_to_the_question_before_it() -> None:
    found = learned(said("p: " + TRUMPET, "b: I do not know.", "n: Kim has taken over.", "s: In two weeks."))

    assert found == [Learned(4, TRUMPET, "In two weeks.")]


def test_words_of_one_breath_are_one_question_and_answers_in_a_row_one_answer() -> None:
    found = learned(said("p: hello", "p: when may I sing?", "s: Next week.", "s: Softly at first.", "p: and the flute",
                         "s: That too."))  # fmt: skip

    assert found == [
        Learned(3, "hello when may I sing?", "Next week.\nSoftly at first."),
        Learned(6, "and the flute", "That too."),
    ]


def test_what_the_bot_answered_before_is_another_matter() -> None:
    found = learned(said("p: is swelling normal", "b: Yes.", "p: " + TRUMPET, "s: Yes."))

    assert [item.question for item in found] == [TRUMPET]


def test_a_question_that_the_bot_did_not_know_stays_open() -> None:
    found = learned(
        said(f"p: {TRUMPET}", "b: I do not know.", "p: (tapped: person)", "b: I have told them.", "s: Yes.")
    )

    assert [item.question for item in found] == [TRUMPET]


def test_taps_pictures_and_words_to_nobody_ask_nothing() -> None:
    assert learned(said("p: (photo)", "p: (tapped: person)", "s: Good morning.")) == []
    assert learned(said("s: Good morning.", "p: hello")) == []
    assert learned(said("p: a", "s: b", "b: back", "s: How are you?", "s: Better?")) == [Learned(2, "a", "b")]


def test_a_question_is_cut_to_what_one_phrasing_takes() -> None:
    [item] = learned(said("p: " + "a" * 150, "p: " + "b" * 150, "s: Yes."))
    [long] = learned(said("p: " + "c" * 900, "s: Yes."))

    assert item.question == "b" * 150
    assert long.question == "c" * 200


# --- in the staff chat


class Chat:
    """A staff chat over a small FAQ that can be changed from it."""

    def __init__(self, folder: Path, store: Store, understander: Understander) -> None:
        self.path = folder / "faq.yaml"
        self.path.write_text(small_text(), encoding="utf-8")
        self.store, self.clock, self.room, self.line = store, Clock(), FakeRoom(), FakeChannel("line", "LINE")
        self.live = Live(self.path, small_understander())
        self.desk = StaffDesk(
            store, self.room, {"line": self.line}, lambda: self.live.current.faq, self.clock,
            Editing(self.live, self.path, store),  # type: ignore[arg-type]
        )  # fmt: skip

    def patient(self) -> int:
        return self.store.give_consent(ANNA, NOW, "en").id or 0

    def asks(self, *texts: str, patient: int | None = None, language: str = "en") -> None:
        for text in texts:
            self.store.record_unanswered(text, language, ("swelling", "cost"), patient, NOW)

    async def write(self, text: str, **where: object) -> None:
        await self.desk.heard(self.room.write(text, **where))  # type: ignore[arg-type]
        await self.settled()

    async def settled(self) -> None:
        assert self.desk.asking
        await self.desk.asking.settled()

    async def tap(self, action: str, by: str = "Kim") -> str:
        """Somebody taps a button; of a card that is long gone when none is there."""
        if not any(posted.buttons for posted in self.room.posts):
            await self.room.post(STAFF, "an old card", [Button("x", action)])
        outcome = await self.desk.heard(self.room.tap(action, by))
        await self.settled()
        return outcome

    async def conversation(self, patient: Patient, question: str, answer: str) -> None:
        """The patient asks, a person answers and hands back."""
        thread = self.store.thread_of(patient.address, self.clock(), "en")
        await self.desk.relay.take_over(thread, "Kim", self.clock())
        event = Incoming(patient.address, "p", self.clock(), "text", question)
        line = Line(self.clock(), "patient", question)
        await self.desk.overheard(patient, event, (line,), True, self.clock())
        await self.desk.relay.reply(thread, "Kim", answer, self.clock())
        await self.desk.relay.hand_back(thread, "Kim", self.clock())


@pytest.fixture
def chat(tmp_path: Path, sqlite_store: Store, understander: Understander) -> Chat:
    return Chat(tmp_path, sqlite_store, understander)


def actions(chat: Chat) -> list[str]:
    return [action for posted in chat.room.posts for action in posted.actions]


async def test_the_commonest_questions_come_first_with_their_effect(chat: Chat) -> None:
    chat.asks("can I bring my dog")
    chat.asks(TRUMPET, patient=chat.patient())
    chat.asks("can i play the trumpet?")
    await chat.write("/questions@smileline_bot")

    first, second = chat.room.posts
    assert first.text.startswith(f"❓ 2 patients · English\n“can i play the trumpet?”\nalso: “{TRUMPET}”")
    assert "As a phrasing of “" in first.text
    assert "→ answer (" in first.text
    assert "can I bring my dog" in second.text
    assert first.actions[0].startswith("ask:add:")
    assert first.actions[-1].startswith("ask:drop:")
    assert chat.path.read_text(encoding="utf-8") == small_text()


async def test_one_tap_adds_it_live_and_takes_it_off_the_list(chat: Chat) -> None:
    chat.asks(TRUMPET)
    await chat.write("/questions")
    await chat.tap("ask:add:1:swelling")

    assert "Added to “" in chat.room.texts()[-1]
    assert differing(small_text(), chat.path.read_text(encoding="utf-8")) == [f'+        - "{TRUMPET}"']
    assert TRUMPET in chat.live.current.faq.entries["swelling"].questions["en"]
    assert chat.store.questions() == []
    [line] = [line for _, line in chat.store.audit_lines() if line.what == "faq.phrasing"]
    assert (line.who, line.subject) == ("Kim", "swelling")


async def test_the_second_to_tap_hears_that_it_is_done(chat: Chat) -> None:
    chat.asks(TRUMPET)
    await chat.tap("ask:add:1:swelling")
    await chat.tap("ask:add:1:swelling", by="Lee")

    assert chat.room.texts()[-1] == GONE


async def test_another_entrys_effect_is_shown_before_it_is_added(chat: Chat) -> None:
    chat.asks(TRUMPET)
    await chat.write("/questions")
    assert "ask:see:1:cost" in actions(chat)
    await chat.tap("ask:see:1:cost")

    assert chat.room.posts[-1].actions[0] == "ask:add:1:cost"
    assert chat.path.read_text(encoding="utf-8") == small_text()


async def test_what_gets_worse_is_marked(chat: Chat) -> None:
    words = "my cheeks are as big as a hamster's"
    chat.path.write_text(add_question(small_text(), "alcohol", "en", words), encoding="utf-8")
    chat.live.reload()
    chat.asks(words)
    await chat.tap("ask:see:1:swelling")

    assert f"⚠️ worse: “{words}”" in chat.room.texts()[-1]


async def test_a_question_is_taken_off_the_list(chat: Chat) -> None:
    chat.asks(TRUMPET)
    await chat.tap("ask:drop:1")

    assert chat.room.texts()[-1] == "Taken off the list."
    assert chat.store.questions() == []


async def test_reading_an_alert_does_not_wait_for_the_cards(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.asks(TRUMPET, "can I bring my dog")
    read, plain = threading.Event(), chat.store.questions

    def slowly() -> Sequence[Question]:
        assert read.wait(10)
        return plain()

    monkeypatch.setattr(chat.store, "questions", slowly)
    alert = OpenAlert("danger", "urgent", "fever_infection", "39 of fever")
    await chat.desk.alert(Patient(ANNA, None, "en"), alert, (), NOW)
    await chat.desk.heard(chat.room.write("/questions"))
    await chat.desk.heard(chat.room.tap("staff:ack:1"))

    assert not any(text.startswith("❓") for text in chat.room.texts())
    assert chat.line.texts == ["Kim of the clinic read this at 12:00."]
    read.set()
    await chat.settled()
    assert any(text.startswith("❓") for text in chat.room.texts())


async def test_cards_that_fail_are_told(chat: Chat) -> None:
    chat.asks(TRUMPET)
    chat.live.current = None
    await chat.write("/questions")

    assert chat.room.texts() == ["The questions could not be shown. Look at the staff page."]


async def test_without_questions_the_chat_says_so(chat: Chat) -> None:
    await chat.write("/questions")

    assert chat.room.texts() == [NOTHING]


async def test_a_file_that_cannot_be_written_is_told_and_the_question_stays(chat: Chat) -> None:
    chat.asks(TRUMPET)
    chat.path.chmod(0o444)
    await chat.tap("ask:add:1:swelling")

    assert "Not added: faq.yaml is read-only" in chat.room.texts()[-1]
    assert len(chat.store.questions()) == 1


async def test_an_entry_that_is_gone_is_told(chat: Chat) -> None:
    chat.asks(TRUMPET)
    await chat.tap("ask:add:1:not_there")

    assert chat.room.texts()[-1] == "That entry is gone."


async def test_other_commands_of_the_staff_go_to_nobody_silently(chat: Chat) -> None:
    await chat.write("/start")

    assert chat.room.posts == []


async def test_what_was_answered_is_offered_at_the_end_and_kept_by_one_tap(chat: Chat) -> None:
    patient = Patient(ANNA, chat.patient(), "en")
    await chat.conversation(patient, TRUMPET, "In two weeks.")

    offer = chat.room.posts[-1]
    assert f"1. “{TRUMPET}”" in offer.text
    [action] = offer.actions
    await chat.tap(action)

    [question] = chat.store.questions()
    assert (question.text, question.reply, question.patient_id) == (TRUMPET, "In two weeks.", patient.id)
    kept, card = chat.room.posts[-2:]
    assert kept.text.startswith("Kept.")
    assert "A colleague answered: In two weeks." in card.text
    assert card.actions[0].startswith("ask:add:1:")


async def test_a_second_tap_keeps_nothing_twice(chat: Chat) -> None:
    await chat.conversation(Patient(ANNA, chat.patient(), "en"), TRUMPET, "In two weeks.")
    [action] = chat.room.posts[-1].actions
    await chat.tap(action)
    await chat.tap(action, by="Lee")

    assert len(chat.store.questions()) == 1
    assert "It is kept already: see Unanswered." in chat.room.texts()


async def test_without_the_patients_consent_nothing_is_offered_or_kept(chat: Chat) -> None:
    await chat.conversation(Patient(ANNA, None, "en"), TRUMPET, "In two weeks.")

    assert not any(action.startswith("learn:") for action in actions(chat))
    await chat.tap("learn:keep:1:2")
    assert chat.room.texts()[-1] == NO_CONSENT
    assert chat.store.questions() == []


async def test_only_what_this_conversation_answered_is_offered(chat: Chat) -> None:
    patient = Patient(ANNA, chat.patient(), "en")
    await chat.conversation(patient, "may I sing", "Yes.")
    chat.clock.forward(days=1)
    await chat.conversation(patient, TRUMPET, "In two weeks.")

    assert "may I sing" not in chat.room.posts[-1].text


async def test_erasing_the_patient_takes_what_was_kept_along(chat: Chat) -> None:
    patient = Patient(ANNA, chat.patient(), "en")
    await chat.conversation(patient, TRUMPET, "In two weeks, dear Anna.")
    await chat.tap(chat.room.posts[-1].actions[0])
    chat.store.erase(patient.id or 0)

    assert chat.store.questions() == []
    assert b"dear Anna" not in (chat.path.parent / "s.db").read_bytes()


# --- on the staff page


async def test_on_the_page_one_tap_keeps_it_and_leads_an_admin_to_it(tmp_path: Path, faq: Faq) -> None:
    async with (
        open_clinic(tmp_path, Reader(faq)) as clinic,
        Browser(clinic) as nurse,
        Browser(clinic) as admin,
    ):
        patient = clinic.store.give_consent(ANNA, NOW, "en")
        thread = clinic.store.thread_of(ANNA, NOW, "en")
        lines = [
            Line(NOW, "patient", TRUMPET),
            Line(NOW + dt.timedelta(seconds=1), "staff", "In two weeks.", "Kim"),
        ]
        clinic.store.add_lines(thread.id, lines, NOW)
        await nurse.log_in("care")
        await admin.log_in("admin")
        _, page = await nurse.get("/staff/threads/1")
        first = await nurse.post("/staff/threads/1/learn", line="2")
        again = await admin.post("/staff/threads/1/learn", line="2")
        odd = await nurse.post("/staff/threads/1/learn", line="1")
        wrong = await nurse.post("/staff/threads/1/learn", line="x")
        kept = [(q.text, q.reply, q.patient_id) for q in clinic.store.questions()]

    assert page.count("Keep for the FAQ</button>") == 1
    assert first == (303, "/staff/threads/1")
    assert again == (303, "/staff/unanswered")
    assert (odd[0], wrong[0]) == (303, 400)
    assert kept == [(TRUMPET, "In two weeks.", patient.id)]
