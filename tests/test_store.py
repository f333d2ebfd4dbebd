"""The store over both databases: what is kept, once, in order, sealed, and gone when erased."""

import datetime as dt
import stat
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from bot.core.reminders import TRANSITIONS, plan
from bot.core.values import Address, Incoming
from bot.store.crypto import Vault, load_key
from bot.store.housekeeping import EVENTS_KEPT
from bot.store.schema import metadata
from bot.store.store import Store, StoreAway, StoreError, StoreSettingsError, WrongKeyError
from intents.faq import Faq
from tests.databases import KEY
from tests.outbox_fakes import DAY_0, Clinic, at

HOME = Address("telegram", "987654321")


def event(number: int, words: str = "my cheek hurts") -> Incoming:
    return Incoming(HOME, f"e{number}", at(0, 9), "text", words, language_hint="ja", reply_handle="r")


def test_an_event_is_kept_once_however_often_it_is_delivered(store: Store) -> None:
    assert [store.remember_event(event(1)), store.remember_event(event(1))] == [True, False]


def test_unhandled_events_come_back_whole_and_in_order(store: Store) -> None:
    events = [event(3), event(1, "ひきつれ 🙂"), event(2)]
    for item in events:
        store.remember_event(item)

    assert store.unhandled_events() == events
    assert store.unhandled_events(limit=1) == events[:1]


def test_a_done_event_is_wiped_and_still_recognised(store: Store) -> None:
    store.remember_event(event(1))

    store.event_done("telegram", "e1", "answer", entry="smile_pain", score=0.9, language="en")

    assert store.unhandled_events() == []
    assert store.remember_event(event(1)) is False


def test_old_event_ids_are_pruned_and_waiting_ones_are_not(store: Store) -> None:
    store.remember_event(event(1))
    store.remember_event(event(2))
    store.event_done("telegram", "e1", "answer", now=at(0, 9))

    gone = store.prune(at(0, 9) + EVENTS_KEPT + dt.timedelta(seconds=1))

    assert gone == 1
    assert store.unhandled_events() == [event(2)]


def test_ten_threads_remember_one_event_once(store: Store) -> None:
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(store.remember_event(event(1)))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False] * 9 + [True]


def test_consent_twice_makes_one_patient(store: Store) -> None:
    first = store.give_consent(HOME, at(0, 9), "en")
    second = store.give_consent(HOME, at(1, 9), "zh", True)

    assert first.id == second.id
    assert (second.language, second.traditional, second.consent_at) == ("zh", True, at(0, 9))


def test_a_fault_of_the_driver_is_the_stores_error_and_quotes_nobody(store: Store) -> None:
    with store.write() as db:
        db.execute(text("DROP TABLE addresses" if store.is_sqlite else "DROP TABLE addresses CASCADE"))

    with pytest.raises(StoreError) as caught:
        store.patient(Address("line", "U-anna"))

    assert isinstance(caught.value, StoreAway if store.is_sqlite else StoreError)
    assert "U-anna" not in str(caught.value)


def test_nothing_is_known_of_a_stranger(store: Store) -> None:
    assert store.patient(HOME) is None
    store.mark_unreachable(HOME, "blocked")
    assert store.patient(HOME) is None


def test_one_open_alert_for_each_address_and_the_gravest_wins(store: Store) -> None:
    first = store.open_alert(HOME, None, "person", "call", None, "please call me", at(0, 9))
    store.acknowledge_alert(first.id, "Ann", at(0, 9))
    second = store.open_alert(HOME, None, "danger", "emergency", "breathing", "I cannot breathe", at(0, 10))

    (alert,) = store.open_alerts()
    assert (first.id, second.id) == (alert.id, alert.id)
    assert (alert.kind, alert.urgency, alert.red_flag) == ("danger", "emergency", "breathing")
    assert alert.acknowledged_at is None
    assert [message.text for message in alert.messages] == ["please call me", "I cannot breathe"]


def test_a_closed_alert_makes_room_for_a_new_one(store: Store) -> None:
    first = store.open_alert(HOME, None, "danger", "urgent", "x", "swollen", at(0, 9))

    assert [store.close_alert(first.id, "Ann", "seen", at(0, 10)) for _ in range(2)] == [True, False]
    assert store.alert_open(HOME) is False
    assert store.open_alert(HOME, None, "danger", "urgent", "x", "again", at(0, 11)).id != first.id


def test_two_staff_acknowledge_and_one_is_first(store: Store) -> None:
    alert = store.open_alert(HOME, None, "danger", "urgent", "x", "swollen", at(0, 9))

    assert [store.acknowledge_alert(alert.id, who, at(0, 10)) for who in ("Ann", "Ben")] == [True, False]


@pytest.mark.parametrize("old", TRANSITIONS)
def test_the_schema_allows_exactly_the_changes_that_the_core_knows(store: Store, faq: Faq, old: str) -> None:
    clinic = Clinic(store, faq)
    allowed = set()
    for number, new in enumerate(TRANSITIONS):
        clinic.enrol(str(number))
        row = "(SELECT max(id) FROM reminders)"
        lease = "lease_by = CASE WHEN '{0}' = 'sending' THEN 'w' END, lease_until = CASE WHEN '{0}' = 'sending' THEN 1 END"
        with store.write() as db:
            db.execute(text("DELETE FROM reminders"))
            fields = "procedure_id, procedure_date, step_id, due_at, expires_at, next_at, state, lease_by, lease_until, ended_at"
            held = "'w', 1" if old == "sending" else "NULL, NULL"
            db.execute(
                text(
                    f"INSERT INTO reminders ({fields}) VALUES (1, '2026-01-01', 's', 1, 1, 1, '{old}', {held}, 1)"
                )
            )
        try:
            with store.write() as db:
                db.execute(
                    text(f"UPDATE reminders SET state = '{new}', {lease.format(new)} WHERE id = {row}")
                )
        except StoreError:
            continue
        allowed.add(new)

    assert allowed - {old} == TRANSITIONS[old]  # type: ignore[index]


def test_the_migrations_build_what_the_code_expects(store: Store) -> None:
    with store.read() as db:
        differences = compare_metadata(MigrationContext.configure(db), metadata)

    assert [d for d in differences if "sqlite_autoincrement" not in str(d)] == []


def test_upgrading_again_or_together_changes_nothing(empty_url: str) -> None:
    stores = [Store.open(empty_url, KEY) for _ in range(3)]
    threads = [threading.Thread(target=store.upgrade) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [store.healthy() for store in stores] == [True] * 3
    for store in stores:
        store.close()


def test_another_data_key_is_refused_before_it_can_do_harm(store: Store, database_url: str) -> None:
    other = Store.open(database_url, b"another key of thirty-two bytes!")

    with pytest.raises(WrongKeyError, match="data key is not the one"):
        other.upgrade()
    other.close()


def test_a_database_that_is_not_there_is_unhealthy_not_an_exception(tmp_path: Path) -> None:
    store = Store.open("postgresql+psycopg://postgres@127.0.0.1:1/none", KEY)

    assert store.healthy() is False
    store.close()


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "nonsense secret", "sqlite://"])
def test_a_url_that_cannot_work_says_what_is_allowed_without_its_password(url: str) -> None:
    with pytest.raises(StoreSettingsError) as caught:
        Store.open(url, KEY)

    assert "SMILELINE_DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first, second = load_key(None, tmp_path / "data"), load_key(None, tmp_path / "data")

    assert first == second
    assert len(first) == 32
    assert stat.S_IMODE((tmp_path / "data" / "data.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["short", "not base64 !!!", "QUJD"])
def test_a_wrong_key_setting_is_refused_without_being_shown(value: str, tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError) as caught:
        load_key(value, tmp_path)

    assert value not in str(caught.value)


def test_a_sealed_value_cannot_be_moved_to_another_place() -> None:
    vault = Vault(KEY)

    with pytest.raises(WrongKeyError):
        vault.unseal(vault.seal("words", "alerts.text"), "events.payload")


def test_after_erasure_no_byte_of_the_patient_is_left(
    sqlite_store: Store, sqlite_path: Path, faq: Faq
) -> None:
    other = sqlite_store.give_consent(Address("line", "U-other"), at(0, 9), "ja")
    patient = sqlite_store.give_consent(HOME, at(0, 9), "en").id
    assert patient is not None
    sqlite_store.set_procedure_date(
        patient, DAY_0, plan(faq.file.reminders.steps, DAY_0, "Asia/Tokyo"), at(0, 9)
    )
    sqlite_store.open_alert(HOME, patient, "danger", "urgent", "x", "swollen words", at(0, 9))
    sqlite_store.record_unanswered("question words", "en", ("a",), patient, at(0, 9))
    sqlite_store.keep_check_in(patient, "day_1", DAY_0, "moderate", at(1, 12))
    with sqlite_store.read() as db:
        secrets = [
            bytes(v) for row in db.execute(text("SELECT chat_sealed, chat_mac FROM addresses")) for v in row
        ]
        secrets = secrets[2:]
        secrets += [bytes(row[0]) for row in db.execute(text("SELECT text_sealed FROM alert_messages"))]
        secrets += [bytes(row[0]) for row in db.execute(text("SELECT text_sealed FROM unanswered"))]
        secrets += [bytes(row[0]) for row in db.execute(text("SELECT answer_sealed FROM check_ins"))]
    present = b"".join(path.read_bytes() for path in sqlite_path.parent.iterdir())

    sqlite_store.erase(patient)

    left = b"".join(path.read_bytes() for path in sqlite_path.parent.iterdir())
    assert [secret in present for secret in secrets] == [True] * 5
    assert [secret in left for secret in secrets] == [False] * 5
    assert sqlite_store.patient(HOME) is None
    assert sqlite_store.patient(other.address) == other


def test_an_erased_patients_number_is_never_given_to_another(store: Store) -> None:
    first = store.give_consent(HOME, at(0, 9), "en").id
    assert first is not None
    store.erase(first)

    assert store.give_consent(Address("line", "U2"), at(0, 9), "en").id != first


def test_a_handled_events_words_leave_the_files(sqlite_store: Store, sqlite_path: Path) -> None:
    sqlite_store.remember_event(event(1))
    with sqlite_store.read() as db:
        sealed = bytes(db.execute(text("SELECT payload_sealed FROM events")).scalar_one())

    sqlite_store.event_done("telegram", "e1", "answer")
    sqlite_store.empty_log()

    assert sealed not in b"".join(path.read_bytes() for path in sqlite_path.parent.iterdir())


def test_the_words_are_never_readable_in_the_files(sqlite_store: Store, sqlite_path: Path) -> None:
    sqlite_store.remember_event(event(1, "readable words"))
    sqlite_store.open_alert(HOME, None, "danger", "urgent", "x", "readable words", at(0, 9))

    everything = b"".join(path.read_bytes() for path in sqlite_path.parent.iterdir())
    assert b"readable words" not in everything
    assert HOME.chat.encode() not in everything
