"""What every channel keeps, tested the same way over all of them. Adding a channel is one line in CHANNELS."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest

from bot.channels.port import SendFailed
from bot.channels.splitting import split
from bot.core.values import Button, DatePicker, Message
from tests import channel_fakes
from tests.channel_fakes import IMPATIENT, PATIENT, FaultyPerson, Person

pytestmark = pytest.mark.slow

FAULTY = {
    "telegram by polling": channel_fakes.telegram_polling,
    "telegram by webhook": channel_fakes.telegram_webhook,
    "line": channel_fakes.line,
}
CHANNELS = {**FAULTY, "web": channel_fakes.web_page}
DAY = dt.date(2026, 11, 20)
LONG = " ".join(f"This is sentence number {n} of a long answer 🙂." for n in range(400))


@pytest.fixture(params=CHANNELS)
async def person(request: pytest.FixtureRequest) -> AsyncIterator[Person]:
    async with CHANNELS[request.param]() as person:
        yield person
        assert person.violations() == []


@pytest.fixture(params=FAULTY)
async def messenger(request: pytest.FixtureRequest) -> AsyncIterator[FaultyPerson]:
    hangs = request.node.callspec.params.get("fault") == "hang"
    async with FAULTY[request.param](seconds=IMPATIENT if hangs else PATIENT) as person:
        yield person
        assert person.violations() == []


async def test_words_arrive_as_they_were_typed(person: Person) -> None:
    await person.say("腫れが\n心配です 🙂")

    (event,) = await person.inbox.first(1)
    assert (event.kind, event.text, event.address) == ("text", "腫れが\n心配です 🙂", person.address)
    assert event.at.tzinfo is not None


async def test_messages_keep_their_order(person: Person) -> None:
    for number in range(20):
        await person.say(f"message {number}")

    events = await person.inbox.first(20)
    assert [event.text for event in events] == [f"message {number}" for number in range(20)]
    assert len({event.event_id for event in events}) == 20


async def test_the_person_sees_words_and_buttons(person: Person) -> None:
    message = Message(
        "Shall I remind you?", (Button("I agree", f"consent:{DAY}"), Button("No", "consent:no"))
    )

    await person.channel.send(person.address, message)

    assert person.texts() == ["Shall I remind you?"]
    assert person.labels() == ["I agree", "No"]


@pytest.mark.parametrize("action", ["person", "entry:swelling", "lang:zh-Hant", "x" * 48])
async def test_a_tapped_button_comes_back_as_its_action(person: Person, action: str) -> None:
    action = action if action[0] != "x" else "entry:" + "x" * 42
    await person.channel.send(person.address, Message("Choose", (Button("This one", action),)))

    await person.tap("This one")

    (event,) = await person.inbox.first(1)
    assert (event.kind, event.action, event.address) == ("action", action, person.address)


async def test_a_day_chosen_from_the_platforms_picker_comes_back_as_a_date(person: Person) -> None:
    picker = DatePicker("Pick a day", DAY - dt.timedelta(days=90), DAY + dt.timedelta(days=30), DAY)
    await person.channel.send(
        person.address, Message("When was it?", (Button("Today", f"date:{DAY}"),), picker)
    )

    await person.pick(DAY.replace(day=9))

    (event,) = await person.inbox.first(1)
    assert (event.kind, event.action) == ("action", "date:2026-11-09")


async def test_a_long_text_arrives_whole_and_its_buttons_last(messenger: FaultyPerson) -> None:
    await messenger.channel.send(messenger.address, Message(LONG, (Button("More", "help"),)))

    seen = messenger.texts()
    assert len(seen) > 1
    assert " ".join(seen) == LONG
    assert all(part.endswith(".") for part in seen)
    assert messenger.labels() == ["More"]


async def test_a_message_without_words_is_refused_here(messenger: FaultyPerson) -> None:
    with pytest.raises(SendFailed) as failed:
        await messenger.channel.send(messenger.address, Message("  "))

    assert (failed.value.reason, failed.value.permanent, failed.value.sent) == ("refused", False, "no")


@pytest.mark.parametrize("kind", ["photo", "voice", "sticker", "other"])
async def test_what_has_no_words_is_named(messenger: FaultyPerson, kind: str) -> None:
    await messenger.show(kind)

    (event,) = await messenger.inbox.first(1)
    assert (event.kind, event.text) == (kind, "")


async def test_joining_and_leaving_are_events(messenger: FaultyPerson) -> None:
    await messenger.join()
    await messenger.leave()

    assert [event.kind for event in await messenger.inbox.first(2)] == ["joined", "left"]


async def test_what_could_not_be_stored_is_delivered_again(messenger: FaultyPerson) -> None:
    messenger.inbox.failures = [OSError("disk full"), OSError("disk full")]

    await messenger.say("it hurts")
    await messenger.say("and now?")

    events = await messenger.inbox.first(2, seconds=10)
    assert [event.text for event in events] == ["it hurts", "and now?"]


async def test_an_answer_still_goes_out_after_the_stop(person: Person) -> None:
    await person.channel.stop()

    await person.channel.send(person.address, Message("The last word"))
    await person.channel.stop()

    assert person.texts() == ["The last word"]


async def test_typing_is_shown_and_never_fails(messenger: FaultyPerson) -> None:
    await messenger.channel.typing(messenger.address)
    await messenger.unplug()

    await messenger.channel.typing(messenger.address)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("blocked", ("blocked", True, None, "no")),
        ("rate_limited", ("rate_limited", False, 7, "no")),
        ("refused", ("refused", False, None, "no")),
        ("token", ("token_refused", False, None, "no")),
        ("server_error", ("unknown_outcome", False, None, "unknown")),
        ("lost_answer", ("unknown_outcome", False, None, "unknown")),
        ("odd_answer", ("unknown_outcome", False, None, "unknown")),
        ("hang", ("unknown_outcome", False, None, "unknown")),
    ],
)
async def test_each_failure_is_told_in_our_words(
    messenger: FaultyPerson, fault: str, expected: tuple[str, bool, float | None, str]
) -> None:
    messenger.fail(fault)

    with pytest.raises(SendFailed) as failed:
        await messenger.channel.send(messenger.address, Message("Hello"), retry_key=str(uuid.uuid4()))

    error = failed.value
    assert (error.reason, error.permanent, error.retry_after, error.sent) == expected
    assert error.__cause__ is not None


async def test_nobody_there_is_a_permanent_failure(messenger: FaultyPerson) -> None:
    messenger.fail("nobody")

    with pytest.raises(SendFailed) as failed:
        await messenger.channel.send(messenger.address, Message("Hello"), retry_key=str(uuid.uuid4()))

    assert failed.value.permanent


async def test_a_platform_that_is_away_has_surely_got_nothing(messenger: FaultyPerson) -> None:
    await messenger.unplug()

    with pytest.raises(SendFailed) as failed:
        await messenger.channel.send(messenger.address, Message("Hello"), retry_key=str(uuid.uuid4()))

    assert (failed.value.reason, failed.value.permanent, failed.value.sent) == ("unreachable", False, "no")


def test_the_long_text_is_longer_than_any_platform_takes() -> None:
    assert len(split(LONG, 5000)) > 1
