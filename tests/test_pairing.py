"""One patient on two channels: a code shown in one chat, typed in the other."""

import asyncio
import datetime as dt
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import pairing
from bot.core.effects import OpenAlert
from bot.core.reminders import plan
from bot.core.values import Address, Incoming
from bot.core.wording import Wording
from bot.outbox import Outbox
from bot.store.store import Store
from intents.faq import Faq
from tests.fakes import FakeChannel
from tests.helpers import NOW
from tests.scene import ANNA, Scene, push_channel

LINE = Address("line", "U-anna")
STRANGER = Address("line", "U-stranger")
DATE = dt.date(2026, 11, 20)


@pytest.fixture
def line(scene: Scene) -> FakeChannel:
    """A second channel of the same process."""
    channel = FakeChannel("line", platform="LINE", retry_keys=True)
    scene.inbox._channels["line"] = channel
    return channel


async def code_for(scene: Scene, who: Address = ANNA) -> str:
    await scene.press("pair", who)
    text = next(text for address, text in said(scene) if address == who)
    found = re.search(r"\d{6}", text)
    assert found, text
    return found[0]


def said(scene: Scene) -> list[tuple[Address, str]]:
    """Newest first, over all channels."""
    everything = [item for channel in scene.inbox._channels.values() for item in reversed(channel.sent)]  # type: ignore[attr-defined]
    return [(address, message.text) for address, message in everything]


def patient_id(store: Store, who: Address) -> int | None:
    patient = store.patient(who)
    return patient.id if patient else None


# --- the code


@pytest.mark.parametrize("text", ["123456", " 123456 ", "123 456", "123-456", "１２３４５６", "123456。"])
def test_a_code_is_known_by_its_form(text: str) -> None:
    assert pairing.typed_code(Incoming(ANNA, "1", NOW, "text", text), None) == "123456"


@pytest.mark.parametrize("text", ["12345", "1234567", "code 123456", "12.34.56", "20261120", "1,234,56", ""])
def test_what_is_no_code_is_not_taken_for_one(text: str) -> None:
    assert pairing.typed_code(Incoming(ANNA, "1", NOW, "text", text), None) is None


@given(st.text(max_size=20))
def test_any_text_is_looked_at_without_an_error(text: str) -> None:
    code = pairing.typed_code(Incoming(ANNA, "1", NOW, "text", text), None)

    assert code is None or re.fullmatch(r"[0-9]{6}", code)


def test_wrong_codes_end_the_tries_of_one_chat_and_begin_anew_later() -> None:
    guesses = pairing.Guesses()
    for _ in range(pairing.TRIES):
        assert guesses.allowed(ANNA, NOW)
        guesses.wrong(ANNA, NOW)

    assert not guesses.allowed(ANNA, NOW + dt.timedelta(minutes=9, seconds=59))
    assert guesses.allowed(ANNA, NOW + dt.timedelta(minutes=10))
    assert guesses.allowed(LINE, NOW)


def test_many_chats_together_cannot_guess_on() -> None:
    guesses = pairing.Guesses()
    for n in range(pairing.ALL_TRIES):
        guesses.wrong(Address("line", f"{n}"), NOW)

    assert not guesses.allowed(ANNA, NOW)


# --- joining, over either database


def consented(store: Store, who: Address, date: dt.date | None = None, faq: Faq | None = None) -> int:
    patient = store.give_consent(who, NOW, "en")
    assert patient.id
    if date and faq:
        planned = plan(faq.file.reminders.steps, date, faq.clinic.timezone)
        store.set_procedure_date(patient.id, date, planned, NOW)
    return patient.id


def test_a_stranger_becomes_the_same_patient(store: Store, faq: Faq) -> None:
    anna = consented(store, ANNA, DATE, faq)
    assert store.offer_code(anna, ANNA, "123456", NOW)

    assert store.code_state("123456", LINE, NOW) == "open"
    joined = store.join("123456", LINE, NOW)
    assert joined
    assert joined[1] == ANNA
    assert patient_id(store, LINE) == anna
    assert store.code_state("123456", LINE, NOW) == "joined"
    assert store.code_state("123456", STRANGER, NOW) == "wrong"


def test_a_code_holds_ten_minutes(store: Store) -> None:
    anna = consented(store, ANNA)
    store.offer_code(anna, ANNA, "123456", NOW)
    end = NOW + dt.timedelta(minutes=pairing.MINUTES)

    assert store.code_state("123456", LINE, end - dt.timedelta(seconds=1)) == "open"
    assert store.code_state("123456", LINE, end) == "wrong"
    assert store.join("123456", LINE, end) is None


def test_a_new_code_voids_the_older_one(store: Store) -> None:
    anna = consented(store, ANNA)
    store.offer_code(anna, ANNA, "123456", NOW)
    store.offer_code(anna, ANNA, "654321", NOW)

    assert store.code_state("123456", LINE, NOW) == "wrong"
    assert store.code_state("654321", ANNA, NOW) == "own"


def test_two_patients_never_hold_the_same_code(store: Store) -> None:
    anna, ben = consented(store, ANNA), consented(store, STRANGER)

    assert store.offer_code(anna, ANNA, "123456", NOW)
    assert not store.offer_code(ben, STRANGER, "123456", NOW)
    assert store.offer_code(ben, STRANGER, "123456", NOW + dt.timedelta(minutes=11))


def test_of_two_who_type_a_code_at_once_one_joins(store: Store) -> None:
    anna = consented(store, ANNA)
    store.offer_code(anna, ANNA, "123456", NOW)

    async def both() -> list[object]:
        return await asyncio.gather(
            *(asyncio.to_thread(store.join, "123456", who, NOW) for who in (LINE, STRANGER))
        )

    assert sum(joined is not None for joined in asyncio.run(both())) == 1


def test_two_patients_become_one_with_the_first_ones_plan(store: Store, faq: Faq) -> None:
    anna = consented(store, ANNA, DATE, faq)
    other = consented(store, LINE, dt.date(2026, 11, 22), faq)
    store.record_unanswered("q", "en", (), other, NOW)
    store.open_alert(LINE, other, "danger", "urgent", None, "words", NOW)
    store.offer_code(anna, ANNA, "123456", NOW)
    plan_before = store.upcoming(anna)

    assert store.join("123456", LINE, NOW)
    patient = store.patient(LINE)
    assert patient
    assert (patient.id, patient.procedure_date) == (anna, DATE)
    assert store.upcoming(anna) == plan_before
    assert store.upcoming(other) == []
    assert [alert.patient_id for alert in store.open_alerts()] == [anna]


def test_a_plan_that_only_the_second_has_is_taken_over(store: Store, faq: Faq) -> None:
    anna, other = consented(store, ANNA), consented(store, LINE, DATE, faq)
    plan_before = store.upcoming(other)
    store.offer_code(anna, ANNA, "123456", NOW)

    assert store.join("123456", LINE, NOW)
    assert store.upcoming(anna) == plan_before
    patient = store.patient(ANNA)
    assert patient
    assert patient.procedure_date == DATE


@pytest.mark.parametrize(
    ("first", "second", "after"),
    [("on", "stopped", "stopped"), ("paused", "on", "paused"), ("stopped", "paused", "stopped")],
)
def test_the_stricter_opt_out_holds_for_both(
    store: Store, faq: Faq, first: str, second: str, after: str
) -> None:
    anna, other = consented(store, ANNA, DATE, faq), consented(store, LINE, DATE, faq)
    store.set_reminders(anna, first, NOW)  # type: ignore[arg-type]
    store.set_reminders(other, second, NOW)  # type: ignore[arg-type]
    store.offer_code(anna, ANNA, "123456", NOW)

    assert store.join("123456", LINE, NOW)
    patient = store.patient(ANNA)
    assert patient
    assert patient.reminders == after
    assert bool(store.upcoming(anna)) == (after != "stopped")


def test_where_the_first_cannot_be_reached_reminders_go_to_the_second(store: Store, faq: Faq) -> None:
    anna = consented(store, ANNA, DATE, faq)
    consented(store, LINE)
    store.offer_code(anna, ANNA, "123456", NOW)
    store.mark_unreachable(ANNA, "blocked")

    assert store.join("123456", LINE, NOW)
    assert push_channel(store, anna) == "line"


def test_erasing_on_either_chat_erases_both(store: Store, faq: Faq) -> None:
    anna = consented(store, ANNA, DATE, faq)
    store.offer_code(anna, ANNA, "123456", NOW)
    store.join("123456", LINE, NOW)
    store.erase(anna)

    assert store.patient(ANNA) is None
    assert store.patient(LINE) is None
    assert store.code_state("123456", STRANGER, NOW) == "wrong"


# --- in the conversation


async def test_a_code_is_for_those_who_agreed_that_something_is_kept(scene: Scene) -> None:
    await scene.press("pair")

    assert scene.channel.last.text == scene.faq.message("consent_needed", "en")


@pytest.mark.parametrize("text", ["/pair", "/PAIR "])
async def test_the_command_may_be_typed_where_there_are_no_commands(scene: Scene, text: str) -> None:
    await scene.enrol()
    await scene.say(text)

    assert re.search(r"\b\d{6}\b", scene.channel.last.text)
    assert f"{pairing.MINUTES} minutes" in scene.channel.last.text


async def test_my_data_offers_the_code_by_a_button(scene: Scene) -> None:
    await scene.enrol()
    await scene.press("data")
    offered = next(button for button in scene.channel.last.buttons if button.action == "pair")
    await scene.say(offered.label)

    assert re.search(r"\b\d{6}\b", scene.channel.last.text)


async def test_a_chat_without_a_messenger_offers_no_code(scene: Scene) -> None:
    scene.channel.platform = ""
    await scene.enrol()
    await scene.press("data")

    assert "pair" not in [button.action for button in scene.channel.last.buttons]


@pytest.mark.parametrize("language", ["en", "ja", "ko", "zh"])
def test_only_a_platform_is_said_to_carry_the_messages(faq: Faq, language: str) -> None:
    for key in ("consent_ask", "privacy"):
        carried = Wording(faq, language, platform="LINE").on_data(key)
        at_home = Wording(faq, language).on_data(key)

        assert "LINE" in carried
        assert at_home == Wording(faq, language)(f"{key}_here")
        assert not re.search(r"LINE|Telegram|Smileline|abroad|海外|외국|国外", at_home)


async def test_the_second_platform_asks_for_its_part_of_the_consent(scene: Scene, line: FakeChannel) -> None:
    await scene.enrol()
    code = await code_for(scene)
    await scene.say(code, LINE)
    asked = line.last

    assert "LINE" in asked.text
    assert [button.action for button in asked.buttons] == [f"consent:pair-{code}", "consent:no", "privacy"]
    assert scene.real.patient(LINE) is None
    await scene.press(asked.buttons[0].action, LINE)
    assert line.last.text == scene.faq.message("pair_done", "en")
    assert patient_id(scene.real, LINE) == patient_id(scene.real, ANNA)


async def test_the_chat_where_the_code_was_shown_hears_of_it(scene: Scene, line: FakeChannel) -> None:
    await scene.enrol()
    code = await code_for(scene)
    await scene.press(f"consent:pair-{code}", LINE)

    assert scene.channel.last.text == scene.faq.message("pair_done", "en")


async def test_a_patient_known_on_both_sides_joins_at_once(scene: Scene, line: FakeChannel) -> None:
    await scene.enrol()
    await scene.enrol(LINE)
    await scene.say(await code_for(scene), LINE)

    assert line.last.text == scene.faq.message("pair_done", "en")


async def test_a_code_typed_where_it_was_shown_is_shown_again(scene: Scene) -> None:
    await scene.enrol()
    code = await code_for(scene)
    await scene.say(code)

    assert code in scene.channel.last.text
    assert scene.real.code_state(code, LINE, NOW) == "open"


async def test_a_wrong_or_old_code_is_told_so(scene: Scene, line: FakeChannel) -> None:
    await scene.enrol()
    code = await code_for(scene)
    scene.clock.forward(minutes=pairing.MINUTES)
    await scene.say(code, LINE)

    assert line.last.text == scene.faq.message("pair_invalid", "en")


async def test_after_a_few_wrong_codes_the_right_one_is_not_looked_at(
    scene: Scene, line: FakeChannel
) -> None:
    await scene.enrol()
    code = await code_for(scene)
    for n in range(pairing.TRIES):
        await scene.say(f"{(int(code) + n + 1) % 10**6:06}", STRANGER)
    await scene.say(code, STRANGER)

    assert line.last.text == scene.faq.message("pair_invalid", "en")
    assert scene.real.code_state(code, LINE, NOW) == "open"


async def test_handled_again_after_a_crash_it_is_still_done(scene: Scene, line: FakeChannel) -> None:
    await scene.enrol()
    code = await code_for(scene)
    typed = scene.event(who=LINE, action=f"consent:pair-{code}")
    await scene.receive(typed)
    scene.real.remember_event(replace(typed, event_id="again"))
    channels = scene.inbox._channels
    scene.restarted()._channels.update(channels)
    await scene.inbox.resume()
    await scene.inbox.drain()

    assert line.texts == [scene.faq.message("pair_done", "en")] * 2


async def test_a_code_that_another_holds_is_drawn_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = consented(scene.real, STRANGER)
    scene.real.offer_code(other, STRANGER, "000007", NOW)
    consented(scene.real, ANNA)
    draws = iter([7, 8])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(draws))
    await scene.press("pair")

    assert "000008" in scene.channel.last.text


async def test_danger_is_answered_on_both_chats_and_told_of_one_patient(
    scene: Scene, line: FakeChannel
) -> None:
    await scene.enrol()
    code = await code_for(scene)
    await scene.press(f"consent:pair-{code}", LINE)
    await scene.say("I cannot breathe", LINE)

    patient, alert = scene.staff.alerts[0]
    assert isinstance(alert, OpenAlert)
    assert (patient.id, patient.address) == (patient_id(scene.real, ANNA), LINE)


async def test_one_plan_one_push_and_one_opt_out(scene: Scene, line: FakeChannel) -> None:
    await scene.enrol()
    code = await code_for(scene)
    await scene.press(f"consent:pair-{code}", LINE)
    outbox = Outbox(
        scene.real,
        lambda: scene.faq,
        scene.inbox._channels,
        clock=scene.clock,
        tell_staff=lambda text: asyncio.sleep(0),  # type: ignore[arg-type, return-value]
        sleep=lambda seconds: asyncio.sleep(0),
    )
    # "fake" is where the first chat is; the outbox knows rates of real channels only, which is all the same here
    before = len(scene.channel.sent), len(line.sent)
    for _ in range(40):
        scene.clock.forward(hours=12)
        await outbox.tick()
    pushed = len(scene.channel.sent) - before[0], len(line.sent) - before[1]

    assert pushed[0] >= 3
    assert pushed[1] == 0
    await scene.press("stop", LINE)
    for _ in range(40):
        scene.clock.forward(hours=12)
        await outbox.tick()
    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.reminders == "stopped"
    assert (len(scene.channel.sent) - before[0], len(line.sent) - before[1]) == (pushed[0], 1)


async def test_when_the_preferred_chat_is_blocked_the_other_takes_over(
    scene: Scene, line: FakeChannel
) -> None:
    await scene.enrol()
    code = await code_for(scene)
    await scene.press(f"consent:pair-{code}", LINE)
    anna = patient_id(scene.real, ANNA)
    before = push_channel(scene.real, anna)
    await scene.receive(scene.event(who=ANNA, kind="left"))

    assert (before, push_channel(scene.real, anna)) == ("fake", "line")
