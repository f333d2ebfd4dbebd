"""Telegram over real HTTP, against a Bot API server that checks every request."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot import logs
from bot.channels.port import SendFailed
from bot.core.journey import reminder
from bot.core.values import Address, Button, DatePicker, Incoming, Message
from bot.core.wording import Wording
from intents.faq import Faq
from tests import channel_fakes
from tests.channel_fakes import CHAT, Kept, TelegramPerson, telegram_channel
from tests.peers import bot_api

pytestmark = pytest.mark.slow

DAY = dt.date(2026, 11, 20)
PICKER = DatePicker("Pick a day", DAY - dt.timedelta(days=90), DAY + dt.timedelta(days=30), DAY)
GROUP = -10077


@pytest.fixture
async def person() -> AsyncIterator[TelegramPerson]:
    async with channel_fakes.telegram_polling() as person:
        yield person
        assert person.violations() == []


def shown(person: TelegramPerson) -> list[str]:
    return person.labels()


# --- buttons


async def test_a_decision_leaves_only_the_choice_marked(person: TelegramPerson) -> None:
    buttons = (Button("I agree", f"consent:{DAY}"), Button("No, thanks", "consent:no"))
    await person.channel.send(person.address, Message("Keep your data?", buttons))

    await person.tap("I agree")

    await person.server.seen(lambda: shown(person) == ["✓ I agree"])
    await person.server.seen(lambda: person.server.called("answerCallbackQuery"))
    assert not person.server.open_queries


async def test_other_buttons_stay_and_the_last_choice_is_marked(person: TelegramPerson) -> None:
    buttons = (Button("Swelling", "entry:swelling"), Button("Bruising", "entry:bruising"))
    await person.channel.send(person.address, Message("Which one?", buttons))

    await person.tap("Swelling")
    await person.server.seen(lambda: shown(person) == ["✓ Swelling", "Bruising"])
    await person.tap("Bruising")

    await person.server.seen(lambda: shown(person) == ["Swelling", "✓ Bruising"])
    assert [event.action for event in await person.inbox.first(2)] == ["entry:swelling", "entry:bruising"]


async def test_a_tap_that_is_delivered_twice_is_one_event_and_no_error(person: TelegramPerson) -> None:
    await person.channel.send(person.address, Message("Which one?", (Button("Swelling", "entry:swelling"),)))
    await person.tap("Swelling")
    await person.server.seen(lambda: shown(person) == ["✓ Swelling"])

    await person.tap("✓ Swelling")

    await person.server.seen(lambda: len(person.server.called("answerCallbackQuery")) == 2)
    assert {event.action for event in person.inbox.events} == {"entry:swelling"}


async def test_forged_and_foreign_callback_data_is_refused(person: TelegramPerson) -> None:
    await person.channel.send(Address("telegram", "99"), Message("Delete?", (Button("Yes", "delete:yes"),)))
    await person.channel.send(person.address, Message("Hello", (Button("Help", "help"),)))
    foreign = person.server.chat(99)[0]["reply_markup"]["inline_keyboard"][0][0]["callback_data"]

    await person.server.tap(CHAT, "", data=foreign)
    await person.server.tap(CHAT, "", data="A" * 14 + "delete:yes")
    await person.server.tap(CHAT, "", data="x")
    await person.server.tap(CHAT, "", data="ж" * 20)
    await person.tap("Help")

    assert [event.action for event in await person.inbox.first(1)] == ["help"]
    await person.server.seen(lambda: len(person.server.called("answerCallbackQuery")) == 5)


async def test_buttons_outlive_a_restart() -> None:
    async with bot_api.BotApiServer() as server:
        before = telegram_channel(server.url)
        await before.send(Address("telegram", str(CHAT)), Message("Hello", (Button("Help", "help"),)))
        await before.stop()
        after, inbox = telegram_channel(server.url), Kept()
        await after.start(inbox.receive)

        await server.tap(CHAT, "Help", inaccessible=True)

        assert (await inbox.first(1))[0].action == "help"
        await after.stop()


async def test_a_button_that_cannot_be_sent_does_not_hold_the_words_back(person: TelegramPerson) -> None:
    await person.channel.send(
        person.address, Message("Call 119 now", (Button("a", "entry:" + "x" * 60), Button("b", "help")))
    )

    assert (person.texts(), shown(person)) == (["Call 119 now"], ["b"])


async def test_a_check_in_shows_its_answers_two_in_a_row_and_a_second_tap_changes_the_mark(
    person: TelegramPerson, faq: Faq
) -> None:
    push = reminder(faq.steps["day_7"], Wording(faq, "en"), detail=False, asks_for=DAY)
    await person.channel.send(person.address, push)
    rows = person.server.chat(CHAT)[0]["reply_markup"]["inline_keyboard"]

    await person.tap("4–6 · medium")
    await person.server.seen(lambda: "✓ 4–6 · medium" in shown(person))
    await person.tap("1–3 · a little")
    await person.server.seen(lambda: "✓ 1–3 · a little" in shown(person))

    assert [[key["text"] for key in row] for row in rows[:2]] == [
        ["0 · none", "1–3 · a little"],
        ["4–6 · medium", "7–10 · severe"],
    ]
    assert "✓ 4–6 · medium" not in shown(person)
    taps = [event.action for event in await person.inbox.first(2)]
    assert taps == ["check:day_7:261120:moderate", "check:day_7:261120:mild"]


# --- the calendar


async def test_the_calendar_turns_its_pages_and_keeps_the_buttons_above(person: TelegramPerson) -> None:
    await person.channel.send(person.address, Message("When?", (Button("Today", f"date:{DAY}"),), PICKER))
    assert shown(person)[:4] == ["Today", "◀", "November 2026", "▶"]

    await person.tap("▶")
    await person.server.seen(lambda: "December 2026" in shown(person))

    assert shown(person)[0] == "Today"
    assert "▶" not in shown(person)
    assert "20" in shown(person)
    assert "21" not in shown(person)  # after the last day that is allowed
    assert person.inbox.events == []


async def test_a_day_of_another_page_is_chosen_and_shown_whole(person: TelegramPerson) -> None:
    await person.channel.send(person.address, Message("When?", (), PICKER))
    await person.tap("◀")
    await person.server.seen(lambda: "October 2026" in shown(person))

    await person.tap("31")

    assert (await person.inbox.first(1))[0].action == "date:2026-10-31"
    await person.server.seen(lambda: shown(person) == ["✓ 2026-10-31"])


@pytest.mark.parametrize(
    ("text", "title", "first_weekday"),
    [
        ("When was it?", "November 2026", "Mo"),
        ("いつでしたか。", "2026年11月", "日"),
        ("언제였나요?", "2026년 11월", "일"),
        ("是哪一天?", "2026年11月", "一"),
    ],
)
async def test_the_calendar_speaks_the_messages_language(
    person: TelegramPerson, text: str, title: str, first_weekday: str
) -> None:
    await person.channel.send(person.address, Message(text, (), PICKER))

    assert shown(person)[1] == title
    assert shown(person)[3] == first_weekday


# --- what comes in


async def test_commands_are_actions_and_words_behind_them_are_words(person: TelegramPerson) -> None:
    for text in (
        "/privacy",
        "/date@smileline_test_bot",
        "/person I cannot breathe",
        "/start abc_DEF-1",
        "/start",
        "/my_face hurts",
    ):
        await person.say(text)

    events = await person.inbox.first(6)
    assert [(event.kind, event.action, event.text) for event in events] == [
        ("action", "privacy", ""),
        ("action", "date", ""),
        ("text", "", "I cannot breathe"),
        ("joined", "start:abc_DEF-1", ""),
        ("joined", "", ""),
        ("text", "", "my face hurts"),
    ]


async def test_edited_words_and_captions_are_read(person: TelegramPerson) -> None:
    photo = {"photo": [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]}
    edited = person.server.message(CHAT, "ja", text="now with fever", edit_date=bot_api.DATE + 9)
    await person.server.update(message=person.server.message(CHAT, caption="is this normal?", **photo))
    await person.server.update(edited_message=edited)

    one, two = await person.inbox.first(2)
    assert (one.kind, one.text) == ("photo", "is this normal?")
    assert (two.kind, two.text, two.language_hint) == ("edited", "now with fever", "ja")


async def test_service_messages_and_odd_updates_are_passed_over(person: TelegramPerson) -> None:
    await person.server.update(message=person.server.message(CHAT, pinned_message={"message_id": 1}))
    await person.server.update(message={"chat": "nonsense"})
    await person.server.update(poll={"id": "1"})
    await person.say("hello")

    assert [event.text for event in await person.inbox.first(1)] == ["hello"]


async def test_blocking_and_unblocking_the_bot(person: TelegramPerson) -> None:
    await person.server.membership(CHAT, "kicked")
    await person.server.membership(CHAT, "member")

    assert [event.kind for event in await person.inbox.first(2)] == ["left", "joined"]


async def test_a_group_is_refused_politely_once_a_day(person: TelegramPerson) -> None:
    await person.server.membership(GROUP, "member", "supergroup")
    for _ in range(3):
        await person.server.say(GROUP, "/help", "ja-JP")
    await person.say("done")
    await person.inbox.first(1)

    await person.server.seen(lambda: person.server.texts(GROUP))
    assert person.server.texts(GROUP) == ["privately please (en)"]
    assert [event.text for event in person.inbox.events] == ["done"]


async def test_the_staffs_group_is_not_refused() -> None:
    async with bot_api.BotApiServer() as server:
        channel, inbox = telegram_channel(server.url, staff_chat=GROUP), Kept()
        await channel.start(inbox.receive)
        await server.say(GROUP, "/help")
        await server.say(CHAT, "hello")

        await inbox.first(1)
        await channel.stop()
        assert server.texts(GROUP) == []


async def test_a_group_that_moved_is_followed(person: TelegramPerson) -> None:
    moved: dict[str, Any] = {"kind": 400, "description": "Bad Request: group chat was upgraded"}
    person.server.faults.append(
        {**moved, "method": "sendMessage", "chat": -5, "parameters": {"migrate_to_chat_id": -1005}}
    )

    await person.channel.send(Address("telegram", "-5"), Message("alert 1"))
    await person.channel.send(Address("telegram", "-5"), Message("alert 2"))

    assert person.server.texts(-1005) == ["alert 1", "alert 2"]


async def test_updates_wait_while_the_bot_is_away_and_come_in_order() -> None:
    async with bot_api.BotApiServer() as server:
        for number in range(150):  # more than one getUpdates gives
            await server.say(CHAT, f"{number}")
        channel, inbox = telegram_channel(server.url), Kept()

        await channel.start(inbox.receive)

        assert [event.text for event in await inbox.first(150)] == [f"{number}" for number in range(150)]
        await server.seen(lambda: not server.queue)  # all confirmed
        await channel.stop()


class Together:
    """An inbox that stores nothing before `count` events are in its hands."""

    def __init__(self, count: int) -> None:
        self.texts: list[str] = []
        self._all = asyncio.Barrier(count)

    async def receive(self, event: Incoming) -> None:
        self.texts.append(event.text)
        await self._all.wait()


async def test_updates_that_come_together_are_stored_together_and_in_order() -> None:
    async with bot_api.BotApiServer() as server:
        for number in range(30):
            await server.say(CHAT + number, f"{number}")
        channel, inbox = telegram_channel(server.url), Together(30)

        await channel.start(inbox.receive)

        await server.seen(lambda: not server.queue)  # all confirmed
        assert inbox.texts == [f"{number}" for number in range(30)]
        await channel.stop()


async def test_updates_of_which_one_was_not_stored_are_not_confirmed() -> None:
    async with bot_api.BotApiServer() as server:
        for text in ("one", "two", "three"):
            await server.say(CHAT, text)
        channel, inbox = telegram_channel(server.url), Kept()
        inbox.failures = [OSError("disk full")]

        await channel.start(inbox.receive)

        assert {event.text for event in await inbox.first(3)} == {"one", "two", "three"}
        await channel.stop()


async def test_nothing_is_confirmed_before_it_is_stored(person: TelegramPerson) -> None:
    stored = asyncio.Event()
    person.inbox.failures = [OSError("disk full")]

    first = await person.server.update(message=person.server.message(CHAT, text="it bleeds"))
    await person.server.seen(lambda: person.server.polls > 1 or stored.is_set())

    assert person.server.offset <= first or person.inbox.events
    assert (await person.inbox.first(1))[0].text == "it bleeds"


# --- the webhook


async def test_the_webhook_wants_its_secret() -> None:
    async with bot_api.BotApiServer() as server:
        channel, inbox = (
            telegram_channel(server.url, mode="webhook", public_url="https://bot.example"),
            Kept(),
        )
        await channel.start(inbox.receive)
        body = b'{"update_id": 1}'

        assert await channel.webhook(body, {}) == 403
        assert await channel.webhook(body, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}) == 403
        assert await channel.webhook(body, {"X-Telegram-Bot-Api-Secret-Token": bot_api.SECRET}) == 200
        assert (
            await channel.webhook(b"[" * 99_999, {"X-Telegram-Bot-Api-Secret-Token": bot_api.SECRET}) == 400
        )
        assert server.hook == {"url": "https://bot.example/webhook/telegram", "secret_token": bot_api.SECRET}
        assert bot_api.TOKEN not in channel.webhook_path
        await channel.stop()


async def test_a_polling_bot_has_no_webhook(person: TelegramPerson) -> None:
    assert await person.channel.webhook(b"{}", {"X-Telegram-Bot-Api-Secret-Token": bot_api.SECRET}) == 404


# --- start, trouble, secrets


async def test_the_command_menu_is_shown_in_every_language(person: TelegramPerson) -> None:
    await person.server.seen(lambda: "ja" in person.server.commands)

    assert person.server.commands[""] == person.server.commands["en"]
    assert person.server.commands["ja"][0] == {"command": "help", "description": "Help ja"}
    assert len(person.server.commands["ja"][1]["description"]) <= 256


async def test_an_empty_chat_says_what_the_bot_is_for_in_every_language(person: TelegramPerson) -> None:
    await person.server.seen(lambda: "ja" in person.server.descriptions)

    assert person.server.descriptions[""] == person.server.descriptions["en"] == "For questions (en)"
    assert person.server.descriptions["ja"] == "For questions (ja)"


async def test_a_wrong_token_is_named_and_does_not_stop_the_program() -> None:
    async with bot_api.BotApiServer() as server:
        channel = telegram_channel(server.url)
        server.faults = [{"method": "getMe", "kind": 401}]

        await channel.start(Kept().receive)

        assert channel.problem
        assert "SMILELINE_TELEGRAM_TOKEN" in channel.problem
        await channel.stop()


@pytest.mark.slow  # it waits longer after each failure
async def test_polling_survives_what_the_network_does(person: TelegramPerson) -> None:
    person.server.faults += [
        {"method": "getUpdates", "kind": kind} for kind in ("html", "json", "cut_after", 500, 409)
    ]
    await person.say("still there?")

    assert (await person.inbox.first(1, seconds=30))[0].text == "still there?"


async def test_no_token_and_no_word_of_a_patient_reaches_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("DEBUG")
    async with channel_fakes.telegram_polling() as person:
        person.server.faults += [{"method": "getUpdates", "kind": kind} for kind in ("json", 500)]
        await person.say("secretword one")
        await person.server.update(message={"text": "secretword two", "chat": 1})
        await person.inbox.first(1, seconds=30)
        for fault in ("odd_answer", "lost_answer", "refused", "server_error"):
            person.fail(fault)
            with pytest.raises(SendFailed):
                await person.channel.send(person.address, Message("secretword three"))
        await person.unplug()
        with pytest.raises(SendFailed):
            await person.channel.send(person.address, Message("secretword four"))

    out, err = capfd.readouterr()
    assert "update_refused" in out + err
    assert "secretword" not in out + err
    assert bot_api.TOKEN.partition(":")[2] not in out + err


# --- limits


async def test_after_too_many_requests_the_chat_is_left_alone_and_others_go_on(
    person: TelegramPerson,
) -> None:
    person.fail("rate_limited")
    with pytest.raises(SendFailed):
        await person.channel.send(person.address, Message("one"))

    with pytest.raises(SendFailed) as held:
        await person.channel.send(person.address, Message("two"))
    await person.channel.send(Address("telegram", "55"), Message("other"))

    assert held.value.reason == "rate_limited"
    assert 6 < (held.value.retry_after or 0) <= 7
    assert [call["chat_id"] for call in person.server.called("sendMessage")] == [str(CHAT), "55"]


async def test_a_later_part_that_fails_leaves_the_outcome_unknown(person: TelegramPerson) -> None:
    person.server.faults = [{"method": "sendMessage", "kind": 403, "skip": 1}]

    with pytest.raises(SendFailed) as failed:
        await person.channel.send(person.address, Message("word " * 2000))

    assert (failed.value.reason, failed.value.sent) == ("blocked", "unknown")
    assert len(person.texts()) == 1


async def test_a_later_part_is_tried_again_when_that_can_help(person: TelegramPerson) -> None:
    person.server.faults = [{"method": "sendMessage", "kind": 429, "retry_after": 1, "skip": 1}]

    await person.channel.send(person.address, Message("word " * 1500))

    assert " ".join(person.texts()) == ("word " * 1500).strip()
