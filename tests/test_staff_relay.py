"""People talk with patients through the bot: each word goes to exactly one patient, or to nobody and says so."""

import pytest

from bot.channels.port import SendFailed
from bot.core.effects import OpenAlert
from bot.core.values import Address, Incoming, Line, Patient
from bot.inbox.inbox import Inbox
from bot.staff.listening import NOBODY
from bot.staff.relay import LEAVING
from bot.store.store import Store
from intents.faq import Faq
from tests.scene import Understands
from tests.staff_fakes import SECOND, STAFF, FakeRoom
from tests.test_alerts import ANNA, Scene

BEN = Patient(Address("telegram", "77"), language="ja")


@pytest.fixture
def scene(sqlite_store: Store, faq: Faq) -> Scene:
    return Scene(sqlite_store, faq, FakeRoom())


async def wrote(
    scene: Scene, patient: Patient, text: str, kind: str = "text", message: str | None = None
) -> None:
    """The patient writes while people are concerned with them."""
    event = Incoming(patient.address, "p", scene.clock(), kind, text, message=message)  # type: ignore[arg-type]
    line = Line(scene.clock(), "patient", text or "(photo)")
    taken = scene.desk.situation(patient.address).taken_over
    await scene.desk.overheard(patient, event, (line,), taken, scene.clock())


async def test_a_reply_goes_to_that_patient_on_the_channel_they_wrote_from(scene: Scene) -> None:
    await scene.alert()
    await scene.alert(patient=BEN)
    annas, bens = (posted.id for posted in scene.room.posts)

    await scene.desk.heard(scene.room.write("Please come in now.", reply_to=annas))
    await scene.desk.heard(scene.room.write("今日は大丈夫です", reply_to=bens))

    assert scene.line.texts == [scene.faq.message("relay_start", "en"), "Please come in now."]
    assert {address for address, _ in scene.line.sent} == {ANNA.address}
    assert scene.telegram.texts == [scene.faq.message("relay_start", "ja"), "今日は大丈夫です"]
    assert {address for address, _ in scene.telegram.sent} == {BEN.address}


async def test_words_in_a_patients_topic_go_to_that_patient(scene: Scene) -> None:
    scene.room.topics = True
    await scene.alert()
    await scene.alert(patient=BEN)

    await scene.desk.heard(scene.room.write("はい", thread="9002"))

    assert scene.telegram.texts[-1] == "はい"
    assert scene.line.sent == []


async def test_a_reply_to_something_else_goes_to_nobody_and_says_so(scene: Scene) -> None:
    await scene.alert()

    outcome = await scene.desk.heard(scene.room.write("Hello dear", reply_to=3))

    assert outcome == "to_nobody"
    assert scene.room.texts()[-1] == NOBODY
    assert scene.line.sent == []
    assert scene.telegram.sent == []


async def test_loose_words_while_a_patient_waits_go_to_nobody_and_say_so(scene: Scene) -> None:
    await scene.alert()

    await scene.desk.heard(scene.room.write("Come in now please"))

    assert scene.room.texts()[-1] == NOBODY


async def test_colleagues_may_chat_when_nobody_waits(scene: Scene) -> None:
    await scene.desk.heard(scene.room.write("Lunch?"))

    assert scene.room.posts == []


async def test_notes_and_commands_are_not_passed_on(scene: Scene) -> None:
    await scene.alert()
    card = scene.room.card.id

    await scene.desk.heard(scene.room.write("// she was here in May", reply_to=card))
    await scene.desk.heard(scene.room.write("/help", reply_to=card))

    assert scene.line.sent == []


async def test_changing_a_message_is_said_not_to_be_passed_on(scene: Scene) -> None:
    await scene.alert()

    await scene.desk.heard(scene.room.write("Come in", reply_to=scene.room.card.id, kind="edited"))

    assert "not passed on" in scene.room.texts()[-1]
    assert scene.line.sent == []


async def test_taking_over_silences_the_bot_and_one_tap_brings_it_back(scene: Scene) -> None:
    await scene.alert()

    await scene.tap("staff:take:1")
    during = scene.desk.situation(ANNA.address)
    offered = scene.room.posts[0].actions
    await scene.tap("staff:back:1")

    assert during.taken_over
    assert offered == ["staff:back:1", "staff:close:1"]
    assert not scene.desk.situation(ANNA.address).taken_over
    assert scene.line.texts == [scene.said("relay_start"), scene.said("relay_end")]


async def test_taking_over_counts_as_having_read(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")

    await scene.later(minutes=5)

    assert scene.said("alert_unanswered", minutes=5) not in scene.line.texts


async def test_only_one_person_takes_over(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")

    await scene.tap("staff:take:1", by="Lee")

    assert scene.room.texts()[-1] == "Kim has taken over already."


async def test_closing_brings_the_bot_back(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")

    await scene.tap("staff:shut:1:chat")

    assert not scene.desk.situation(ANNA.address).taken_over
    assert scene.line.texts[-2:] == [scene.said("alert_closed"), scene.said("relay_end")]


async def test_what_the_patient_answers_stands_in_their_thread(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")

    await wrote(scene, ANNA, "I am on my way")

    posted = scene.room.posts[-1]
    assert posted.text == "“I am on my way”"
    assert posted.reply_to == scene.room.posts[0].id
    assert not posted.quiet
    assert [line.text for line in scene.store.lines(1)][-1] == "I am on my way"


async def test_staff_read_that_the_patient_erases_all_before_it_is_gone(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")
    card = scene.room.posts[0].id

    await scene.desk.leaving(ANNA.address, scene.clock())
    scene.store.erase_visitor(ANNA.address)
    await scene.desk.heard(scene.room.write("are you there?", reply_to=card))

    last = scene.room.posts[-2]
    assert (last.text, last.reply_to, last.quiet) == (LEAVING, card, False)
    assert scene.room.texts()[-1] == NOBODY
    [line] = [line for _, line in scene.store.audit_lines() if line.what == "data.erased"]
    assert (line.who, line.subject) == ("the patient", "thread 1")


async def test_a_patient_who_erases_all_beside_a_person_talks_with_the_bot_again(scene: Scene) -> None:
    inbox = Inbox(
        scene.store, lambda: Understands(scene.faq), {"line": scene.line}, scene.desk, scene.clock,  # type: ignore[arg-type, return-value]
    )  # fmt: skip
    await scene.alert()
    await scene.tap("staff:take:1")
    for number, action in enumerate(("delete", "delete:yes", "help")):
        await inbox.receive(Incoming(ANNA.address, str(number), scene.clock(), "action", action=action))
        await inbox.drain()

    asked, done, helped = scene.line.texts[-3:]
    words = scene.desk.voice.words(scene.store.thread_of(ANNA.address, scene.clock()))
    assert asked == f"{words('delete_confirm')}\n\n{words('delete_ends_talk')}"
    assert (done, helped) == (words("delete_done"), words("help"))
    assert scene.room.texts()[-2:] == [
        "“(tapped: delete)”\nThe bot asks the patient whether everything that is kept shall be deleted.",
        LEAVING,
    ]
    assert scene.store.open_alerts() == []


async def test_an_erasure_that_concerns_nobody_is_written_down_only(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:shut:1:chat")
    written = len(scene.room.posts)

    await scene.desk.leaving(ANNA.address, scene.clock())
    await scene.desk.leaving(BEN.address, scene.clock())

    assert len(scene.room.posts) == written
    assert [line.what for _, line in scene.store.audit_lines()].count("data.erased") == 1


async def test_what_the_bot_has_done_is_shown_quietly_and_nobody_is_waited_for(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")
    event = Incoming(ANNA.address, "p", scene.clock(), "text", "/stop")
    lines = (Line(scene.clock(), "patient", "/stop"), Line(scene.clock(), "note", "The bot has done it."))

    await scene.desk.overheard(ANNA, event, lines, False, scene.clock())

    posted = scene.room.posts[-1]
    assert (posted.text, posted.quiet) == ("“/stop”\nThe bot has done it.", True)
    assert scene.store.taken_threads()[0].waiting_since is None


async def test_when_a_person_wrote_last_is_known(scene: Scene) -> None:
    await scene.alert()
    before = scene.desk.situation(ANNA.address).staff_at
    await scene.tap("staff:take:1")
    scene.clock.forward(minutes=3)
    await scene.desk.heard(scene.room.write("Come in", reply_to=scene.room.posts[0].id))

    assert before is None
    assert scene.desk.situation(ANNA.address).staff_at == scene.clock()
    assert scene.desk.situation(BEN.address).staff_at is None


async def test_an_undelivered_reply_is_said_at_once(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")
    scene.line.failures = [SendFailed("blocked", permanent=True)]

    await scene.desk.heard(scene.room.write("Come in", reply_to=scene.room.posts[0].id))

    assert "NOT delivered: the patient has blocked the bot" in scene.room.texts()[-1]


async def test_a_patients_picture_is_passed_on_within_telegram(scene: Scene) -> None:
    await scene.alert(patient=BEN)
    await scene.tap("staff:take:1")

    await wrote(scene, BEN, "", kind="photo", message="55")

    assert scene.room.copies == [("77", 55, STAFF)]


async def test_the_staffs_picture_is_passed_on_within_telegram(scene: Scene) -> None:
    await scene.alert(patient=BEN)
    await scene.tap("staff:take:1")
    picture = scene.room.write("how to tape", reply_to=scene.room.posts[0].id, kind="photo")

    await scene.desk.heard(picture)

    assert scene.room.copies == [(STAFF, int(picture.message or 0), "77")]


async def test_a_picture_that_cannot_be_sent_elsewhere_is_said(scene: Scene) -> None:
    await scene.alert()

    await scene.desk.heard(scene.room.write("", reply_to=scene.room.card.id, kind="photo"))

    assert "NOT delivered: pictures cannot be sent to line" in scene.room.texts()[-1]
    assert scene.room.copies == []


async def test_a_reply_in_the_second_contacts_chat_reaches_the_patient(scene: Scene) -> None:
    await scene.alert()
    await scene.later(minutes=5)
    second = next(posted for posted in scene.room.posts if posted.chat == SECOND)

    await scene.desk.heard(scene.room.write("I am coming", reply_to=second.id, chat=SECOND, by="Dr Lee"))

    assert scene.line.texts[-1] == "I am coming"
    assert scene.store.recent_threads()[0].taken_by == "Dr Lee"


async def test_a_patient_who_waits_is_not_left_alone(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")
    await wrote(scene, ANNA, "are you there?")

    await scene.later(minutes=10)
    reminded = scene.room.texts()[-1]
    await scene.later(minutes=10)
    told = scene.line.texts[-1]
    await scene.later(minutes=40)

    assert reminded == "⏰ Kim: the patient has waited 10 minutes for your answer."
    assert told == scene.said("alert_unanswered", minutes=20)
    assert scene.line.texts[-1] == scene.said("relay_end")
    assert not scene.desk.situation(ANNA.address).taken_over


async def test_an_answer_ends_the_waiting(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")
    await wrote(scene, ANNA, "are you there?")
    await scene.later(minutes=9)

    await scene.desk.heard(scene.room.write("Yes!", reply_to=scene.room.posts[0].id))
    await scene.later(minutes=59)

    assert scene.line.texts[-1] == "Yes!"
    assert scene.desk.situation(ANNA.address).taken_over


async def test_a_conversation_that_everybody_forgot_goes_back_to_the_bot(scene: Scene) -> None:
    await scene.alert()
    await scene.tap("staff:take:1")

    await scene.later(hours=11, minutes=59)
    still = scene.desk.situation(ANNA.address).taken_over
    await scene.later(minutes=1)

    assert still
    assert not scene.desk.situation(ANNA.address).taken_over


async def test_a_tap_on_a_patient_who_is_gone_says_so(scene: Scene) -> None:
    await scene.alert()
    tap = scene.room.tap("staff:ack:99")

    outcome = await scene.desk.heard(tap)

    assert outcome == "staff_ack"
    assert "is gone" in scene.room.texts()[-1]


async def test_a_failure_of_ours_is_told_to_the_staff(scene: Scene) -> None:
    await scene.alert()
    scene.line.failures = [RuntimeError("bug")]

    outcome = await scene.desk.heard(scene.room.write("Come in", reply_to=scene.room.card.id))

    assert outcome == "failed"
    assert "failed on our side" in scene.room.texts()[-1]


async def test_a_person_alert_without_words_reads_well(scene: Scene) -> None:
    await scene.alert(OpenAlert("person", "call", None, ""), BEN)

    assert "(tapped the button, wrote nothing)" in scene.room.card.text
