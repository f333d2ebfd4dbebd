"""What the staff's side keeps, over SQLite and PostgreSQL alike."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.core.reminders import plan
from bot.core.values import Address, Incoming, Learned, Line
from bot.store.care import ASKED_FOR, TALK_KEPT, THREADS_KEPT, Card
from bot.store.pictures import PICTURES_KEPT
from bot.store.store import Store
from intents.faq import Faq
from tests.databases import ready_store
from tests.helpers import NOW

ANNA, BEN = Address("line", "U1"), Address("telegram", "77")
HOUR = dt.timedelta(hours=1)


def test_one_thread_an_address_in_the_language_of_the_last_words(store: Store) -> None:
    first, second = store.thread_of(ANNA, NOW, "en"), store.thread_of(ANNA, NOW + HOUR, "zh", True)

    assert first.id == second.id
    assert (second.language, second.traditional, second.seen_at) == ("zh", True, NOW + HOUR)
    assert store.thread_of(BEN, NOW).id != first.id
    assert store.thread_at(ANNA) == second


def test_a_thread_belongs_to_the_patient_from_their_consent_on(store: Store) -> None:
    assert store.thread_of(ANNA, NOW).patient_id is None

    patient = store.give_consent(ANNA, NOW, "en")

    assert store.thread_of(ANNA, NOW).patient_id == patient.id


def test_only_the_end_of_a_conversation_is_kept_in_order(store: Store) -> None:
    thread = store.thread_of(ANNA, NOW)
    for i in range(TALK_KEPT + 5):
        store.add_lines(thread.id, [Line(NOW, "patient", f"word {i}")], NOW)

    kept = [line.text for line in store.lines(thread.id)]
    assert kept == [f"word {i}" for i in range(5, TALK_KEPT + 5)]


def test_taking_over_is_won_by_one(store: Store) -> None:
    thread = store.thread_of(ANNA, NOW)

    assert store.take_over(thread.id, "Kim", NOW)
    assert not store.take_over(thread.id, "Lee", NOW)
    assert store.situation(ANNA, NOW).taken_over
    assert store.hand_back(thread.id)
    assert not store.hand_back(thread.id)
    assert not store.situation(ANNA, NOW).taken_over


def test_what_could_not_be_told_hangs_on_the_open_alert(store: Store) -> None:
    nothing_open = store.keep_unsaid(ANNA, ("call 119",))
    alert = store.open_alert(ANNA, None, "danger", "urgent", None, "x", NOW)

    assert not nothing_open
    assert store.keep_unsaid(ANNA, ("call 119", "staff know"))
    assert store.keep_unsaid(ANNA, ("staff know", "wait"))
    assert store.situation(ANNA, NOW).unsaid == ("call 119", "staff know", "wait")
    assert store.situation(BEN, NOW).unsaid == ()
    store.close_alert(alert.id, "Kim", "called", NOW)
    store.open_alert(ANNA, None, "danger", "urgent", None, "x", NOW)
    assert store.situation(ANNA, NOW).unsaid == ()
    assert not store.forget_unsaid(ANNA)


def test_what_was_told_at_last_is_told_once(store: Store) -> None:
    store.open_alert(ANNA, None, "danger", "urgent", None, "x", NOW)
    store.keep_unsaid(ANNA, ("call 119",))

    assert store.forget_unsaid(ANNA)
    assert not store.forget_unsaid(ANNA)
    assert store.situation(ANNA, NOW).unsaid == ()
    assert store.situation(ANNA, NOW).alert_open


def test_of_what_could_not_be_told_the_newest_is_kept(store: Store) -> None:
    store.open_alert(ANNA, None, "danger", "urgent", None, "x", NOW)
    for number in range(9):
        store.keep_unsaid(ANNA, (f"{number}",))

    assert store.situation(ANNA, NOW).unsaid == ("5", "6", "7", "8")


def test_waiting_counts_from_the_first_word_and_only_while_taken(store: Store) -> None:
    thread = store.thread_of(ANNA, NOW)
    store.patient_waits(thread.id, NOW)
    untaken = store.thread(thread.id)
    store.take_over(thread.id, "Kim", NOW)
    store.patient_waits(thread.id, NOW)
    store.patient_waits(thread.id, NOW + HOUR)

    taken = store.thread(thread.id)
    assert untaken
    assert untaken.waiting_since is None
    assert taken
    assert taken.waiting_since == NOW
    assert store.told_waiting(thread.id, 1)
    assert not store.told_waiting(thread.id, 1)


def test_posts_and_topics_lead_to_their_thread_only(store: Store) -> None:
    anna, ben = store.thread_of(ANNA, NOW), store.thread_of(BEN, NOW)
    store.remember_post("-1", 10, anna.id)
    store.remember_post("-1", 11, ben.id)
    store.remember_post("-2", 10, ben.id)
    store.set_topic(ben.id, "9")

    def found(chat: str, message: int) -> int | None:
        thread = store.thread_of_post(chat, message)
        return thread.id if thread else None

    assert [found("-1", 10), found("-1", 11), found("-2", 10), found("-2", 11)] == [
        anna.id,
        ben.id,
        ben.id,
        None,
    ]
    topic = store.thread_of_topic("9")
    assert topic
    assert topic.id == ben.id
    assert store.thread_of_topic("10") is None
    assert store.first_post("-1", anna.id) == 10


def test_rings_fall_due_once_each_until_the_alert_is_read(store: Store) -> None:
    alert = store.open_alert(ANNA, None, "danger", "urgent", None, "x", NOW)
    store.ring_at(alert.id, NOW, NOW + HOUR)
    early = store.due_rings(NOW + HOUR - dt.timedelta(microseconds=1))
    [ring] = store.due_rings(NOW + HOUR)

    assert early == []
    assert store.claim_ring(ring, NOW + 2 * HOUR)
    assert not store.claim_ring(ring, NOW + 2 * HOUR)
    store.set_card(alert.id, Card("-1", 5))
    assert store.card(alert.id) == Card("-1", 5)
    store.acknowledge_alert(alert.id, "Kim", NOW)
    assert store.due_rings(NOW + 9 * HOUR) == []
    assert store.open_count() == (1, 0)


def test_an_appointment_goes_its_way_once(store: Store) -> None:
    thread = store.thread_of(ANNA, NOW)
    store.ask_wishes(thread.id, NOW)
    store.ask_wishes(thread.id, NOW)
    asking, late = (
        store.situation(ANNA, NOW).asking_wishes,
        store.situation(ANNA, NOW + ASKED_FOR).asking_wishes,
    )
    request = store.request_appointment(thread.id, "Tuesday", NOW)

    assert (asking, late) == (True, False)
    assert not store.situation(ANNA, NOW).asking_wishes
    assert [item.wishes for item in store.open_appointments()] == ["Tuesday"]
    assert store.decide_appointment(request.id, "confirmed", "Tuesday 10:00", "Kim", NOW)
    assert not store.decide_appointment(request.id, "declined", "", "Lee", NOW)
    assert store.decide_appointment(request.id, "moved", "Friday", "Lee", NOW)
    decided = store.decided_appointments()
    assert [(item.state, item.when, item.decided_by) for item in decided] == [("moved", "Friday", "Lee")]


def test_feedback_is_counted_by_day(store: Store) -> None:
    for helpful in (True, True, False):
        store.count_feedback("swelling", helpful, NOW.date())
    store.count_feedback("swelling", True, NOW.date() - dt.timedelta(days=30))

    [figures] = store.week(NOW - dt.timedelta(days=7), NOW).entries
    assert (figures.helpful, figures.not_helpful) == (2, 1)


def test_a_question_and_its_reply_are_kept_once_for_each_patient(store: Store) -> None:
    anna, ben = (store.give_consent(who, NOW, "en").id or 0 for who in (ANNA, BEN))
    asked = Learned(7, "may I sing", "Softly.")

    assert [store.keep_answered(asked, "en", who, NOW) for who in (anna, anna, ben)] == [True, False, True]
    kept = store.questions()
    assert {(q.text, q.reply, q.patient_id) for q in kept} == {
        ("may I sing", "Softly.", who) for who in (anna, ben)
    }
    assert store.question_of_talk(7, anna) in [q.id for q in kept if q.patient_id == anna]
    assert store.question_of_talk(8, anna) is None


def test_handing_back_lets_held_pushes_go_on(store: Store, faq: Faq) -> None:
    anna = store.give_consent(ANNA, NOW, "en").id or 0
    planned = plan(faq.file.reminders.steps, NOW.date(), "Asia/Tokyo")
    store.set_procedure_date(anna, NOW.date(), planned, NOW)
    with store.write() as db:
        db.execute(text("UPDATE reminders SET state = 'held', reason = 'alert', ended_at = 1"))
    thread = store.thread_of(ANNA, NOW)
    store.take_over(thread.id, "Kim", NOW)

    assert store.hand_back(thread.id)
    assert not store.hand_back(thread.id)
    assert {row.state for row in store.reminder_rows(anna)} == {"pending"}


def test_how_often_an_entry_was_only_a_choice_is_counted(store: Store) -> None:
    became = ("answer", "choices", "choices", "choices", "unknown")
    for number, outcome in enumerate(became):
        store.remember_event(Incoming(ANNA, str(number), NOW, "text", "x"))
        store.event_done(
            ANNA.channel, str(number), outcome, None if outcome == "unknown" else "cost", now=NOW
        )

    [figures] = store.week(NOW - dt.timedelta(days=7), NOW + HOUR).entries
    assert (figures.entry, figures.answers, figures.choices) == ("cost", 1, 3)
    assert figures.share_of_choices == 0.75


def test_a_session_is_found_by_its_cookie_and_ends_with_the_account(store: Store) -> None:
    assert store.put_account("Kim", "care", "hash", NOW)
    account = store.account("Kim")
    assert account
    store.open_session(account.id, "token", NOW, 24 * HOUR)
    found = store.session("token")

    assert found
    assert found.account.name == "Kim"
    assert store.session("other") is None
    assert not store.put_account("Kim", "admin", "hash2", NOW)
    assert store.session("token") is None


@pytest.mark.parametrize("sql", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_audit_trail_refuses_every_change(store: Store, sql: str) -> None:
    store.audit("Kim", "read", "patient 1", NOW)

    with pytest.raises(SQLAlchemyError, match="only added"), store.write() as db:
        db.execute(text(sql))
    assert [line.subject for _, line in store.audit_lines()] == ["patient 1"]


def test_old_conversations_are_forgotten_and_open_ones_are_not(store: Store) -> None:
    store.thread_of(ANNA, NOW)
    store.thread_of(BEN, NOW)
    store.open_alert(BEN, None, "danger", "urgent", None, "x", NOW)

    gone = store.prune_care(NOW + THREADS_KEPT + HOUR)

    assert gone == 1
    assert [thread.address for thread in store.recent_threads()] == [BEN]


def test_after_erasure_no_word_of_the_conversation_is_left_in_any_file(tmp_path: Path) -> None:
    store = ready_store(tmp_path / "s.db")
    patient = store.give_consent(ANNA, NOW, "en")
    thread = store.thread_of(ANNA, NOW)
    store.add_lines(thread.id, [Line(NOW, "patient", "words")], NOW)
    store.request_appointment(thread.id, "wishes", NOW)
    store.remember_post("-1", 10, thread.id)
    with store.read() as db:
        sealed = [
            bytes(row[0])
            for row in db.execute(
                text("SELECT text_sealed FROM talk UNION SELECT wishes_sealed FROM appointments")
            )
        ]

    store.erase(patient.id or 0)

    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(sealed) == 2
    assert not any(value in files for value in sealed)
    with store.read() as db:
        for table in ("threads", "talk", "posts", "appointments"):
            assert db.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
    store.close()


def test_a_picture_of_that_name_is_kept_once_and_found_in_its_conversation_only(store: Store) -> None:
    mine, other = store.thread_of(ANNA, NOW), store.thread_of(BEN, NOW)
    name = "n" * 32
    for jpeg in (b"first", b"handled again"):
        assert store.keep_picture(mine.id, "patient", jpeg, NOW, name) == name

    assert [(shown.who, shown.name) for shown in store.pictures_of(mine.id, NOW)] == [("patient", name)]
    assert store.picture_at(ANNA, name, NOW) == b"first"
    assert store.picture_at(BEN, name, NOW) is None
    assert store.picture_at(ANNA, name, NOW + PICTURES_KEPT) is None
    assert store.pictures_of(other.id, NOW) == []


def test_all_chats_of_a_patient_are_known_until_they_are_erased(store: Store) -> None:
    patient = store.give_consent(ANNA, NOW, "en")
    assert patient.id
    assert store.link_address(patient.id, BEN)
    assert store.chats_of(patient.id) == [ANNA, BEN]

    store.erase(patient.id)

    assert store.chats_of(patient.id) == []
