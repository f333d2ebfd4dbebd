"""The inbox over the real SQLite store: nothing is lost, nothing answered twice, nothing kept without consent."""

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bot.channels.port import SendFailed
from bot.core.effects import OpenAlert
from bot.core.values import Address
from bot.inbox import sessions, turns
from bot.inbox.crowd import STRANGERS_AT_ONCE, STRANGERS_PER_SECOND
from bot.inbox.meanings import AT_ONCE
from intents.types import Match, Understanding
from intents.understand import Message as Words
from intents.understand import Understander
from tests.fakes import FakeChannel
from tests.scene import ANNA, BEN, Scene, push_channel


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def rows(folder: Path, table: str) -> int:
    with sqlite3.connect(folder / "smileline.db") as db:
        count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    db.close()
    return count


# --- stored, once, in order


async def test_an_event_is_on_disk_when_receive_returns(scene: Scene) -> None:
    await scene.inbox.receive(scene.event("swollen"))
    stored_before_handled = scene.unhandled()
    await scene.inbox.drain()

    assert stored_before_handled == ["1"]
    assert scene.unhandled() == []


async def test_an_event_that_cannot_be_stored_is_left_to_the_platform(scene: Scene) -> None:
    scene.store.broken = {"write_events"}
    event = scene.event("swollen")

    with pytest.raises(OperationalError):
        await scene.receive(event)
    scene.store.broken = set()
    await scene.receive(event)

    assert len(scene.channel.texts) == 1


async def test_an_event_that_comes_twice_is_answered_once(scene: Scene) -> None:
    event = scene.event("swollen")
    await asyncio.gather(*(scene.inbox.receive(event) for _ in range(5)))
    await scene.inbox.drain()
    await scene.receive(event)
    scene.restarted()
    await scene.receive(event)

    assert len(scene.channel.texts) == 1


async def test_messages_of_one_patient_are_answered_in_order(scene: Scene) -> None:
    for n in range(8):
        scene.understands.meanings[f"q{n}"] = {
            "outcome": "answer",
            "matches": (Match(list(scene.faq.entries)[n], 1.0),),
        }
    scene.channel.failures = [SendFailed("unreachable"), SendFailed("rate_limited", retry_after=3)]

    for n in range(8):
        await scene.inbox.receive(scene.event(f"q{n}"))
    await scene.inbox.drain()

    answers = [
        scene.faq.say(entry.answer, "en").split("\n")[0] for entry in [*scene.faq.entries.values()][:8]
    ]
    assert [text.split("\n")[0] for text in scene.channel.texts] == answers


async def test_nobody_waits_for_another_patients_platform(scene: Scene) -> None:
    gate = asyncio.Event()
    plain = scene.channel.send

    async def send(address: Address, message: Any, **more: Any) -> None:
        if address == ANNA:
            await gate.wait()
        await plain(address, message, **more)

    scene.inbox.conversing.turns["fake"] = turns.Turns(lease_seconds=0.02)
    scene.channel.send = send  # type: ignore[method-assign]
    await scene.inbox.receive(scene.event("swollen", ANNA))
    await scene.inbox.receive(scene.event("swollen", BEN))
    async with asyncio.timeout(5):
        while not scene.channel.sent:
            await asyncio.sleep(0)

    assert [address for address, _ in scene.channel.sent] == [BEN]
    gate.set()
    await scene.inbox.drain()


# --- after a kill


async def test_what_was_stored_and_not_answered_is_answered_after_the_restart(scene: Scene) -> None:
    for text in ("swollen", "hello there"):
        scene.real.remember_event(scene.event(text))
    scene.real.remember_event(scene.event("swollen", BEN))

    assert await scene.restarted().resume() == 3
    await scene.inbox.drain()
    assert [address for address, _ in scene.channel.sent].count(ANNA) == 2
    assert scene.unhandled() == []
    assert await scene.restarted().resume() == 0


async def test_a_leftover_is_sent_as_one_that_may_have_been_sent(scene: Scene) -> None:
    scene.channel.retry_keys = True
    event = scene.event("swollen")
    await scene.receive(event)
    again = replace(event, event_id="other")
    scene.real.remember_event(again)
    await scene.restarted().resume()
    await scene.inbox.drain()

    assert scene.channel.repeats == [False, True]
    assert len(set(scene.channel.keys)) == 2
    assert None not in scene.channel.keys


async def test_leftovers_of_a_channel_that_is_not_set_wait_for_it(scene: Scene) -> None:
    scene.real.remember_event(scene.event("swollen", Address("line", "U1")))

    assert await scene.inbox.resume() == 0
    assert len(scene.unhandled()) == 1


async def test_resume_leaves_alone_what_this_process_has_in_hand(scene: Scene) -> None:
    await scene.inbox.receive(scene.event("swollen"))
    resumed = await scene.inbox.resume()
    await scene.inbox.drain()

    assert (resumed, len(scene.channel.texts)) == (0, 1)


async def test_more_leftovers_than_a_page_are_all_resumed(scene: Scene) -> None:
    events = [scene.event("swollen", Address("fake", f"{n}")) for n in range(1100)]
    scene.real.write_events(events)

    assert await scene.inbox.resume() == 1100
    await scene.inbox.drain()
    assert len(scene.channel.texts) == 1100


# --- failures give the way to a person


def apology(scene: Scene) -> str:
    return scene.faq.message("error", "en")[:30]


@pytest.mark.parametrize(
    ("before", "again"),
    [
        (["swollen"], "answer"),
        (["swollen", "I cannot breathe"], "danger"),
        (["swollen", "gibberish"], "nothing"),
        ([], "nothing"),
    ],
)
async def test_what_is_said_of_the_last_reply_is_not_taken_for_an_older_one(
    scene: Scene, before: list[str], again: str
) -> None:
    scene.understands.meanings["really?"] = {"outcome": "smalltalk", "small_talk": "follow_up"}
    for text in (*before, "really?"):
        await scene.say(text)

    told = {
        "answer": scene.faq.entries["swelling"].answer["en"].splitlines()[0],
        "danger": next(
            line
            for line in scene.faq.red_flags["breathing_swallowing"].reply["en"].splitlines()
            if "{" not in line
        ),
        "nothing": scene.faq.message("follow_up_none", "en"),
    }
    assert [name for name, words in told.items() if words in scene.channel.last.text] == [again]


async def test_a_broken_matcher_gives_the_way_to_a_person(scene: Scene) -> None:
    scene.understands.fails = RuntimeError("broken")

    await scene.say("swollen")

    assert scene.channel.last.text.startswith(apology(scene))
    assert "+00 000 0001" in scene.channel.last.text
    assert scene.unhandled() == []


async def test_a_file_that_cannot_be_served_gives_the_way_to_a_person(scene: Scene) -> None:
    def broken() -> Understander:
        raise RuntimeError("no FAQ")

    scene.inbox.conversing._understander = broken

    await scene.say("swollen")

    assert "+00 000 0001" in scene.channel.last.text


async def test_an_absent_database_gives_the_way_to_a_person(scene: Scene) -> None:
    scene.store.broken = {"patient"}

    await scene.say("swollen")

    assert scene.channel.last.text.startswith(apology(scene))


@pytest.mark.parametrize("broken", [{"patient"}, {"upcoming", "sent_count", "patient"}])
async def test_danger_is_answered_even_without_a_database(scene: Scene, broken: set[str]) -> None:
    scene.store.broken = broken

    await scene.say("I cannot breathe")

    assert "119" in scene.channel.texts[0]
    assert apology(scene) not in scene.channel.texts[0]
    assert scene.channel.texts[1] == scene.faq.message("alert_sent", "en")
    assert [alert.red_flag for _, alert in scene.staff.alerts] == ["breathing_swallowing"]


async def test_danger_is_answered_when_the_staffs_side_cannot_be_asked(scene: Scene) -> None:
    def away(address: Address) -> Any:
        raise ConnectionError

    scene.staff.situation = away  # type: ignore[method-assign]

    await scene.say("I cannot breathe")

    assert "119" in scene.channel.texts[0]


async def test_the_patient_hears_the_truth_when_staff_cannot_be_told(scene: Scene) -> None:
    scene.staff.fails = True

    await scene.say("I cannot breathe")

    assert "119" in scene.channel.texts[0]
    assert scene.channel.texts[1].startswith(scene.faq.message("alert_not_sent", "en")[:30])


async def test_staff_hear_of_danger_while_the_patients_platform_is_away(scene: Scene) -> None:
    waiting = asyncio.Event()

    async def hang(address: Address, message: Any, **more: Any) -> None:
        await waiting.wait()

    scene.channel.send = hang  # type: ignore[method-assign]
    await scene.inbox.receive(scene.event("I cannot breathe"))
    async with asyncio.timeout(5):
        while not scene.staff.alerts:
            await asyncio.sleep(0)

    assert scene.staff.alerts[0][1] == OpenAlert(
        "danger", "emergency", "breathing_swallowing", "I cannot breathe"
    )
    waiting.set()
    await scene.inbox.drain()


async def test_an_answer_waits_for_a_platform_that_is_away(scene: Scene) -> None:
    scene.channel.failures = [SendFailed("unreachable") for _ in range(15)]

    await scene.say("swollen")

    assert len(scene.channel.texts) == 1
    assert max(scene.slept) >= 30


async def test_a_wait_that_the_platform_asks_for_is_kept(scene: Scene) -> None:
    scene.channel.failures = [SendFailed("rate_limited", retry_after=17)]

    await scene.say("swollen")

    assert scene.slept == [17]
    assert len(scene.channel.texts) == 1


async def test_a_patient_who_blocked_us_is_not_written_to_again(scene: Scene) -> None:
    await scene.enrol()
    scene.channel.failures = [SendFailed("blocked", permanent=True)]

    await scene.say("swollen")

    with sqlite3.connect(scene.real._engine.url.database) as db:
        assert db.execute("SELECT reachable, reason FROM addresses").fetchall() == [(0, "blocked")]
    db.close()
    assert scene.unhandled() == []


@pytest.mark.parametrize("back", [{"kind": "joined"}, {"text": "hello again"}])
async def test_a_patient_who_is_back_gets_reminders_again(scene: Scene, back: dict[str, Any]) -> None:
    await scene.enrol()
    await scene.receive(scene.event(kind="left"))
    gone = push_channel(scene.real, 1)
    await scene.receive(scene.event(**back))

    assert (gone, push_channel(scene.real, 1)) == (None, "fake")


async def test_a_fault_of_the_channel_itself_still_ends_the_event(scene: Scene) -> None:
    scene.channel.failures = [ValueError("a bug"), ValueError("a bug")]

    await scene.say("swollen")
    await scene.say("swollen")

    assert len(scene.channel.texts) == 1
    assert scene.unhandled() == []


async def test_what_is_done_is_recorded_when_the_database_is_back(scene: Scene) -> None:
    plain = scene.channel.send

    async def send(address: Address, message: Any, **more: Any) -> None:
        await plain(address, message, **more)
        scene.store.broken = {"write_events"}
        asyncio.get_running_loop().call_later(0.1, scene.store.broken.clear)

    scene.channel.send = send  # type: ignore[method-assign]
    await scene.say("swollen")

    assert scene.unhandled() == []
    assert len(scene.channel.texts) == 1


# --- consent and erasure


async def test_nothing_about_a_person_is_kept_before_consent(scene: Scene, scene_folder: Path) -> None:
    for text in ("swollen", "my name is Anna Kowalska", "20 Nov"):
        await scene.say(text)
    await scene.press("lang:ja")
    scene.real.empty_log()

    kept = bytes_in(scene_folder)
    assert b"Kowalska" not in kept
    assert ANNA.chat.encode() not in kept
    assert scene.real.mac(ANNA) not in kept
    assert [rows(scene_folder, table) for table in ("patients", "addresses", "unanswered")] == [0, 0, 0]


async def test_with_consent_date_and_language_are_kept_and_no_address_in_the_clear(
    scene: Scene, scene_folder: Path
) -> None:
    await scene.enrol()

    patient = scene.real.patient(ANNA)
    assert patient
    assert (patient.procedure_date, patient.language) == (dt.date(2026, 11, 20), "en")
    assert ANNA.chat.encode() not in bytes_in(scene_folder)


async def test_erasing_leaves_no_byte_and_no_row(scene: Scene, scene_folder: Path) -> None:
    await scene.enrol()
    await scene.say("a question that nobody has answered")
    await scene.press("pair")
    await scene.press("check:day_1:261120:mild")
    with sqlite3.connect(scene_folder / "smileline.db") as db:
        sealed = [row[0] for row in db.execute("SELECT chat_sealed FROM addresses")]
        sealed += [row[0] for row in db.execute("SELECT text_sealed FROM unanswered")]
        sealed += [row[0] for row in db.execute("SELECT answer_sealed FROM check_ins")]
    db.close()
    await scene.press("delete:yes")

    kept = bytes_in(scene_folder)
    tables = ("patients", "addresses", "procedures", "reminders", "unanswered", "pairings", "check_ins")
    assert [rows(scene_folder, table) for table in tables] == [0] * 7
    assert len(sealed) == 3
    assert not [blob for blob in [*sealed, scene.real.mac(ANNA)] if blob in kept]


async def test_a_patient_erases_everything_while_a_person_talks_with_them(
    scene: Scene, scene_folder: Path
) -> None:
    await scene.enrol()
    scene.staff.taken.add(ANNA)
    await scene.say("/delete")
    asked = scene.channel.last
    scene.clock.forward(seconds=5)
    await scene.say("Yes")

    assert [button.action for button in asked.buttons] == ["delete:yes", "delete:no"]
    assert rows(scene_folder, "patients") == 0
    assert scene.channel.last.text == scene.faq.message("delete_done", "en")
    assert scene.staff.left == [ANNA]


async def test_a_yes_to_the_person_who_has_written_since_deletes_nothing(
    scene: Scene, scene_folder: Path
) -> None:
    await scene.enrol()
    scene.staff.taken.add(ANNA)
    await scene.say("/delete")
    scene.clock.forward(seconds=5)
    scene.staff.wrote_at = scene.clock()
    await scene.say("Yes")

    address, lines, waits = scene.staff.said[-1]
    assert rows(scene_folder, "patients") == 1
    assert (address, [line.text for line in lines], waits) == (ANNA, ["Yes"], True)


async def test_the_person_reads_what_the_bot_has_done_and_owes_no_answer(scene: Scene) -> None:
    await scene.enrol()
    scene.staff.taken.add(ANNA)
    await scene.press("stop")
    await scene.say("and my cheek?")

    (_, done, waits), (_, words, still_waits) = scene.staff.said
    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.reminders == "stopped"
    assert scene.channel.last.text == scene.faq.message("reminders_stopped", "en")
    assert [(line.who, waits) for line in done] == [("patient", False), ("bot", False), ("note", False)]
    assert done[-1].text == "The bot has stopped the reminders."
    assert ([line.text for line in words], still_waits) == (["and my cheek?"], True)


async def test_a_staff_chat_that_is_away_keeps_nobody_from_erasing(scene: Scene, scene_folder: Path) -> None:
    await scene.enrol()
    scene.staff.taken.add(ANNA)
    scene.staff.fails = True
    await scene.press("delete:yes")

    assert rows(scene_folder, "patients") == 0
    assert scene.channel.last.text == scene.faq.message("delete_done", "en")


async def test_danger_beside_a_person_and_an_open_deletion_is_danger(scene: Scene) -> None:
    await scene.enrol()
    scene.staff.taken.add(ANNA)
    await scene.press("delete")
    await scene.say("I cannot breathe")

    assert [alert.kind for _, alert in scene.staff.alerts] == ["danger"]


async def test_after_erasing_the_conversation_goes_on_without_keeping(
    scene: Scene, scene_folder: Path
) -> None:
    await scene.enrol()
    await scene.press("delete:yes")
    await scene.say("another unanswered question")
    await scene.press("reminders")

    assert rows(scene_folder, "patients") == rows(scene_folder, "unanswered") == 0
    assert scene.channel.last.text == scene.faq.message("reminders_none", "en")


async def test_what_another_process_changed_is_seen_at_once(scene: Scene) -> None:
    await scene.enrol()
    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.id
    scene.real.set_reminders(patient.id, "stopped")

    await scene.press("reminders")

    assert scene.channel.last.text == scene.faq.message("reminders_stopped", "en")


async def test_a_language_chosen_before_consent_lives_in_memory(scene: Scene) -> None:
    await scene.press("lang:ja")
    await scene.press("reminders")

    assert scene.channel.last.text == scene.faq.message("reminders_none", "ja")


# --- floods


async def test_a_flood_is_told_once_and_then_not_answered(scene: Scene) -> None:
    for _ in range(sessions.FLOOD_MESSAGES + 10):
        await scene.say("swollen")

    slow = scene.faq.message("rate_limited", "en")
    assert len(scene.channel.texts) == sessions.FLOOD_MESSAGES + 1
    assert scene.channel.texts[-1].startswith(slow[:20])


async def test_a_swarm_of_strangers_waits_and_patients_and_danger_do_not(scene: Scene) -> None:
    await scene.enrol(BEN)
    scene.slept.clear()
    for number in range(STRANGERS_AT_ONCE - 1):  # Ben was one, before he agreed
        await scene.inbox.receive(scene.event("swollen", Address("fake", f"stranger {number}")))
    await scene.inbox.drain()
    assert scene.slept == []

    late = Address("fake", "one too many")
    await scene.say("swollen", late)
    assert scene.slept == [pytest.approx(1 / STRANGERS_PER_SECOND)]
    await scene.say("swollen", BEN)
    await scene.say("I cannot breathe", Address("fake", "another"))

    assert len(scene.slept) == 1
    assert len(scene.channel.texts) == STRANGERS_AT_ONCE + 5  # two of the enrolment's, two about danger


async def test_danger_in_a_flood_is_answered(scene: Scene) -> None:
    for _ in range(sessions.FLOOD_MESSAGES + 1):
        await scene.say("swollen")
    await scene.say("I cannot breathe")

    assert "119" in scene.channel.texts[-2]


async def test_in_a_flood_a_person_can_be_called_once(scene: Scene) -> None:
    scene.understands.meanings["a person please"] = {"outcome": "answer", "service": "person"}
    for _ in range(sessions.FLOOD_MESSAGES + 1):
        await scene.say("swollen")
    before = len(scene.channel.texts)

    await scene.say("a person please")
    assert len(scene.channel.texts) > before


async def test_after_a_flood_the_patient_is_answered_again(scene: Scene) -> None:
    for _ in range(sessions.FLOOD_MESSAGES + 1):
        await scene.say("swollen")
    scene.seconds += sessions.FLOOD_SECONDS + 1
    before = len(scene.channel.texts)
    await scene.say("swollen")

    assert len(scene.channel.texts) == before + 1


async def test_one_flood_does_not_silence_another_patient(scene: Scene) -> None:
    for _ in range(sessions.FLOOD_MESSAGES + 5):
        await scene.say("swollen")
    await scene.say("swollen", BEN)

    assert scene.channel.sent[-1][0] == BEN


# --- one answer at a time, so that a kill leaves one in doubt


async def in_flight(scene: Scene, people: int, seconds: float) -> int:
    """The most answers that were under way at once when each send takes `seconds`."""
    now, most = 0, 0

    async def send(address: Address, message: Any, **more: Any) -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(seconds)
        now -= 1

    scene.channel.send = send  # type: ignore[method-assign]
    for n in range(people):
        await scene.inbox.receive(scene.event("swollen", Address("fake", f"{n}")))
    await scene.inbox.drain()
    return most


async def test_answers_leave_one_after_the_other(scene: Scene) -> None:
    assert await in_flight(scene, 20, 0.002) == 1


@dataclass
class KnowingChannel(FakeChannel):
    """Its platform will tell of a reply that came or did not, or no longer."""

    knows: bool = True

    def will_know(self, reply_handle: str | None, *, doubted: bool = False) -> bool:
        return self.knows


async def test_answers_of_which_the_platform_will_tell_leave_beside_each_other(scene: Scene) -> None:
    scene.channel = KnowingChannel()
    scene.restarted().conversing.turns["fake"] = turns.Turns(lease_seconds=60)
    assert await in_flight(scene, 20, 0.02) == turns.BESIDE


async def test_answers_of_which_it_will_not_leave_one_after_the_other(scene: Scene) -> None:
    scene.channel = KnowingChannel(knows=False)
    scene.restarted().conversing.turns["fake"] = turns.Turns(lease_seconds=60)
    assert await in_flight(scene, 20, 0.002) == 1


async def test_a_slow_platform_does_not_keep_the_others_waiting(scene: Scene) -> None:
    scene.inbox.conversing.turns["fake"] = turns.Turns(lease_seconds=0.02)

    assert await in_flight(scene, 5, 0.2) > 1


async def test_of_many_at_once_few_are_read_before_the_platform_is_listened_to_again(scene: Scene) -> None:
    read, most, plain = 0, 0, scene.understands.understand_all

    def understand_all(messages: Sequence[Words]) -> list[Understanding]:
        nonlocal read
        read += len(messages)
        return plain(messages)

    async def listen() -> None:
        nonlocal read, most
        while True:
            read, most = 0, max(most, read)
            await asyncio.sleep(0)

    scene.understands.understand_all = understand_all  # type: ignore[method-assign]
    listening = asyncio.create_task(listen())
    people = [Address("fake", f"{number}") for number in range(30)]
    await asyncio.gather(*(scene.inbox.receive(scene.event("swollen", who)) for who in people))
    await scene.inbox.drain()
    listening.cancel()

    assert len(scene.channel.texts) == 30
    assert 1 < most <= AT_ONCE


async def test_danger_waits_for_no_turn(scene: Scene) -> None:
    gate, plain = asyncio.Event(), scene.channel.send

    async def send(address: Address, message: Any, **more: Any) -> None:
        if address == BEN:
            await gate.wait()
        await plain(address, message, **more)

    scene.channel.send = send  # type: ignore[method-assign]
    scene.inbox.conversing.turns["fake"] = turns.Turns(lease_seconds=60)
    await scene.inbox.receive(scene.event("swollen", BEN))
    await scene.inbox.receive(scene.event("I cannot breathe", ANNA))
    async with asyncio.timeout(5):
        while not scene.channel.sent:
            await asyncio.sleep(0)

    assert "119" in scene.channel.texts[0]
    gate.set()
    await scene.inbox.drain()


# --- a question left open


async def test_consent_may_be_typed_after_another_question(scene: Scene) -> None:
    await scene.press("date:2026-11-20")
    await scene.say("swollen")
    await scene.say(scene.faq.message("btn_agree", "en"))

    patient = scene.real.patient(ANNA)
    assert patient is not None
    assert patient.procedure_date == dt.date(2026, 11, 20)


@pytest.mark.parametrize("between", ["consent:no", "delete:yes"])
async def test_what_was_declined_or_deleted_is_open_no_more(scene: Scene, between: str) -> None:
    await scene.press("date:2026-11-20")
    await scene.press(between)
    await scene.say(scene.faq.message("btn_agree", "en"))

    assert scene.real.patient(ANNA) is None


async def test_a_plain_yes_agrees_to_the_last_question_only(scene: Scene) -> None:
    await scene.press("date:2026-11-20")
    await scene.say("swollen")
    await scene.say("yes")

    assert scene.real.patient(ANNA) is None


# --- pictures and menus


async def test_a_picture_from_before_the_alert_is_shown_with_it(scene: Scene) -> None:
    await scene.receive(scene.event(kind="photo", file="f1"))
    assert scene.staff.pictures == ()

    await scene.press("person")
    await scene.press("person")

    assert [event.file for event in scene.staff.pictures] == ["f1"]


async def test_a_picture_whose_caption_tells_of_danger_is_shown(scene: Scene) -> None:
    await scene.receive(scene.event("I cannot breathe", kind="photo", file="f1"))

    assert [event.file for event in scene.staff.pictures] == ["f1"]


async def test_what_was_erased_is_shown_to_nobody(scene: Scene) -> None:
    await scene.receive(scene.event(kind="photo", file="f1"))
    await scene.say("my secret")
    await scene.press("delete:yes")
    await scene.press("person")

    assert scene.staff.pictures == ()
    assert "my secret" not in str(scene.staff.talk)


class Menus(FakeChannel):
    """A messenger with a menu in each language."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[Address, str]] = []

    async def show_menu(self, address: Address, language: str) -> None:
        self.shown.append((address, language))


async def test_the_menu_follows_the_language(scene: Scene) -> None:
    scene.channel = menus = Menus()
    scene.restarted()

    await scene.receive(scene.event(kind="joined", language_hint="ja-JP"))
    await scene.press("lang:ko")
    await scene.say("swollen")
    await scene.press("lang:zh-Hant")
    await scene.enrol()

    assert menus.shown == [(ANNA, language) for language in ("ja", "ko", "zh-Hant", "zh-Hant")]


async def test_the_profiles_language_is_the_first_guess_of_what_a_text_is_in(scene: Scene) -> None:
    """The stand-in takes its hint for the language, as texts of Han characters alone do."""
    await scene.receive(scene.event("腫脹", language_hint="ja-JP"))
    await scene.receive(scene.event("腫脹", BEN, language_hint="xx"))

    unknown = [scene.faq.message("unknown", language).split("{")[0][:12] for language in ("ja", "en")]
    assert [text.startswith(head) for text, head in zip(scene.channel.texts, unknown, strict=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize(("after", "typed"), [(0.0, [ANNA]), (60.0, [])])
async def test_an_answer_that_takes_time_is_announced(
    scene: Scene, after: float, typed: list[Address]
) -> None:
    scene.typing_after_seconds = after
    scene.restarted()
    await scene.say("swollen")

    assert scene.channel.typed == typed
