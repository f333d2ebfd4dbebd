"""LINE over real HTTP, against a platform that checks every request and remembers what LINE remembers."""

import datetime as dt
import logging
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot import logs
from bot.app import line_menus
from bot.channels.line import picture
from bot.channels.line.client import Quota
from bot.channels.line.menu import MenuTexts
from bot.channels.port import SendFailed
from bot.core.journey import reminder
from bot.core.values import Address, Button, DatePicker, Incoming, Message
from bot.core.wording import Wording
from intents.faq import Faq
from tests import channel_fakes
from tests.channel_fakes import Kept, LinePerson, line_channel
from tests.peers import line_api
from tests.peers.line_api import USER, LinePlatform, signed

DAY = dt.date(2026, 11, 20)
MENU = {
    "en": MenuTexts("Menu", ["Ask", "My recovery", "Reminders", "Talk to the clinic"]),
    "ja": MenuTexts("メニュー", ["質問する", "経過", "お知らせ", "スタッフと話す"]),
}


@pytest.fixture
async def person() -> AsyncIterator[LinePerson]:
    async with channel_fakes.line() as person:
        yield person
        assert person.violations() == []


async def heard(person: LinePerson, *events: dict[str, Any]) -> Incoming:
    await person.deliver(*events)
    return person.inbox.events[-1]


# --- the webhook


async def test_a_call_without_a_right_signature_does_nothing(person: LinePerson) -> None:
    body = b'{"destination":"U","events":[]}'
    webhook = person.channel.webhook

    assert await webhook(body, {}) == 401
    assert await webhook(body, {"X-Line-Signature": ""}) == 401
    assert await webhook(body, {"X-Line-Signature": "AAAA"}) == 400
    assert await webhook(body, {"X-Line-Signature": "ä\udcff"}) == 400
    assert await webhook(body + b" ", signed(body)) == 400
    assert await webhook(body, signed(body, "another secret")) == 400
    assert await webhook(body, signed(body)) == 200
    assert person.inbox.events == []


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"events":null}', b"[" * 100_000, b"\xff\xfe", b'{"a":' * 50_000]
)
async def test_signed_nonsense_is_refused_and_not_an_error(person: LinePerson, body: bytes) -> None:
    assert await person.channel.webhook(body, signed(body)) == 400


async def test_one_odd_event_does_not_cost_the_others(person: LinePerson) -> None:
    odd: dict[str, Any] = {
        "type": "message",
        "message": {"type": "text", "text": 7},
        "source": {"userId": USER},
    }
    events = [
        odd,
        person.platform.event(text="hello"),
        {"type": None},
        1,
        person.platform.event(text="again"),
    ]

    status = await person.platform.deliver(person.channel.webhook, *events, to_spec=False)  # type: ignore[arg-type]

    assert status == 200
    assert [event.text for event in person.inbox.events] == ["hello", "again"]


async def test_redelivered_events_carry_the_same_id(person: LinePerson) -> None:
    event = person.platform.event(text="once")
    await person.deliver(event)
    await person.deliver({**event, "deliveryContext": {"isRedelivery": True}})

    assert [kept.event_id for kept in person.inbox.events] == [event["webhookEventId"]]


async def test_a_batch_that_could_not_be_stored_is_not_acknowledged(person: LinePerson) -> None:
    person.inbox.failures = [OSError("disk full")]

    status = await person.deliver(person.platform.event(text="it bleeds"), again=False)

    assert status == 503
    assert person.inbox.events == []


async def test_unsent_standby_and_unknown_events_are_passed_over(person: LinePerson) -> None:
    unsend = person.platform.event("unsend", unsend={"messageId": "1"})
    standby = person.platform.event(text="not for us") | {"mode": "standby"}

    assert await person.deliver(unsend, standby) == 200
    assert person.inbox.events == []


async def test_the_consoles_verify_button_is_answered(person: LinePerson) -> None:
    dummies = [person.platform.event(text="Hello") | {"replyToken": digit * 32} for digit in "0f"]
    no_destination = b'{"events":[]}'

    assert await person.deliver(*dummies) == 200
    assert await person.channel.webhook(no_destination, signed(no_destination)) == 200
    assert person.inbox.events == []


async def test_an_enrolment_link_types_start_and_its_code(person: LinePerson) -> None:
    event = await heard(person, person.platform.event(text="start AbCdEf_123-4567890"))

    assert (event.kind, event.action, event.text) == ("joined", "start:AbCdEf_123-4567890", "")
    assert (await heard(person, person.platform.event(text="start bleeding"))).text == "start bleeding"


async def test_a_postback_that_we_never_made_is_dropped(person: LinePerson) -> None:
    for data in ("", "x" * 49, "Über:1", "a b", "date"):
        await person.deliver(person.platform.event("postback", postback={"data": data}))

    assert person.inbox.events == []


async def test_a_group_gets_no_answers_but_one_polite_refusal() -> None:
    async with LinePlatform() as platform:
        channel = line_channel(platform.url, group_refused=lambda language: "privately please")
        inbox = Kept()
        await channel.start(inbox.receive)
        group = {"source": {"type": "group", "groupId": "C" + "1" * 32, "userId": USER}}

        await platform.deliver(
            channel.webhook, platform.event("join") | group, platform.event(text="hi") | group
        )

        assert platform.texts() == ["privately please"]
        assert inbox.events == []
        await channel.stop()


# --- language


async def test_the_profiles_language_is_the_first_guess_and_asked_once(person: LinePerson) -> None:
    person.platform.languages[USER] = "zh-TW"

    await person.deliver(person.platform.event(text="腫"), person.platform.event(text="痛"))
    await person.say("瘀青")

    assert {event.language_hint for event in person.inbox.events} == {"zh-TW"}
    assert sum("/profile/" in call for call, _ in person.platform.calls) == 1


async def test_a_profile_that_cannot_be_read_costs_no_message(person: LinePerson) -> None:
    person.platform.faults = [{"path": USER, "kind": "hang", "seconds": 1.5}]

    event = await heard(person, person.platform.event(text="腫"))

    assert (event.text, event.language_hint) == ("腫", None)
    assert person.platform.faults == []  # it was asked for


async def test_no_profile_is_asked_for_where_the_text_tells_its_language(person: LinePerson) -> None:
    for text in ("help me", "腫れています", "부었어요"):
        await person.say(text)

    assert not [call for call, _ in person.platform.calls if "/profile/" in call]


# --- sending


async def test_a_fresh_reply_is_free(person: LinePerson) -> None:
    event = await heard(person, person.platform.event(text="hello"))

    await person.channel.send(person.address, Message("Good evening"), reply_handle=event.reply_handle)

    assert [(call["how"], call["key"]) for call in person.platform.accepted] == [("reply", None)]


async def test_a_reply_token_is_used_up_to_the_fiftieth_second() -> None:
    start = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
    for age, how in ((49.9, "reply"), (50.0, "push")):
        async with LinePlatform(now=start.timestamp) as platform:
            channel, inbox = (
                line_channel(platform.url, clock=lambda age=age: start + dt.timedelta(seconds=age)),
                Kept(),
            )
            await channel.start(inbox.receive)
            await platform.deliver(channel.webhook, platform.event(text="hello"))

            await channel.send(
                Address("line", USER), Message("Hi"), reply_handle=inbox.events[0].reply_handle
            )

            assert [call["how"] for call in platform.accepted] == [how]
            await channel.stop()


async def test_a_young_token_outlives_a_restart_and_no_token_tells_nothing() -> None:
    start = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
    handle = f"{int(start.timestamp() * 1000)}:token"
    ages = (0.0, 19.9, 20.0, 49.9)
    channels = [
        line_channel("http://127.0.0.1:9", clock=lambda age=age: start + dt.timedelta(seconds=age))
        for age in ages
    ]

    assert [channel.will_know(handle) for channel in channels] == [True, True, False, False]
    assert all(channel.will_know(handle, doubted=True) for channel in channels)
    assert not channels[0].will_know(None, doubted=True)


async def test_a_used_token_turns_into_a_push_with_a_retry_key(person: LinePerson) -> None:
    event = await heard(person, person.platform.event(text="hello"))
    person.platform.tokens.clear()

    await person.channel.send(person.address, Message("Good evening"), reply_handle=event.reply_handle)

    (call,) = person.platform.accepted
    assert call["how"] == "push"
    assert uuid.UUID(call["key"])


async def test_a_reply_whose_answer_was_lost_arrives_once(person: LinePerson) -> None:
    await person.say("hello")
    handle = person.inbox.events[0].reply_handle
    person.platform.faults.append({"path": "/reply", "kind": "cut_after"})
    with pytest.raises(SendFailed, match="unknown_outcome"):
        await person.channel.send(person.address, Message("hi"), reply_handle=handle)

    await person.channel.send(person.address, Message("hi"), reply_handle=handle)

    assert person.texts() == ["hi"]


async def test_a_push_whose_answer_was_lost_arrives_once(person: LinePerson) -> None:
    person.fail("lost_answer")

    await person.channel.send(person.address, Message("Your second week"))

    assert person.texts() == ["Your second week"]
    assert sum("push" in call for call, _ in person.platform.calls) == 2


async def test_a_repeated_reminder_with_the_same_key_arrives_once(person: LinePerson) -> None:
    key = str(uuid.uuid4())
    person.fail("lost_answer")
    with pytest.raises(SendFailed) as lost:
        await person.channel.send(person.address, Message("Day 3"), retry_key=key)

    await person.channel.send(person.address, Message("Day 3"), retry_key=key)

    assert lost.value.sent == "unknown"
    assert person.texts() == ["Day 3"]


async def test_a_used_up_quota_has_its_own_name(person: LinePerson) -> None:
    person.platform.quota = 1
    await person.channel.send(person.address, Message("one"))

    with pytest.raises(SendFailed) as failed:
        await person.channel.send(person.address, Message("two"))

    assert (failed.value.reason, failed.value.permanent) == ("quota", False)
    assert await person.channel.quota() == Quota(limit=1, used=1)


async def test_more_than_five_messages_travel_in_several_calls(person: LinePerson) -> None:
    key = str(uuid.uuid4())

    await person.channel.send(person.address, Message("sentence. " * 3000), retry_key=key)

    assert [len(call["messages"]) for call in person.platform.accepted] == [5, 1]
    assert person.platform.accepted[0]["key"] == key
    assert person.platform.accepted[1]["key"] not in (None, key)


async def test_topics_are_a_card_and_decisions_are_quick_replies(person: LinePerson) -> None:
    topics = Message(
        "Did you mean", (Button("Swelling", "entry:swelling"), Button("Talk to a person", "person"))
    )
    decision = Message("Keep it?", (Button("I agree", f"consent:{DAY}"), Button("No", "consent:no")))
    await person.channel.send(person.address, topics)
    await person.channel.send(person.address, decision)

    card, quick = (call["messages"] for call in person.platform.accepted)
    assert [part["type"] for part in card] == ["text", "flex"]
    assert card[1]["altText"] == "Swelling / Talk to a person"
    assert [item["action"]["label"] for item in quick[0]["quickReply"]["items"]] == ["I agree", "No"]


async def test_a_check_in_is_asked_with_quick_replies_so_that_no_card_speaks_on_a_lock_screen(
    person: LinePerson, faq: Faq
) -> None:
    push = reminder(faq.steps["day_7"], Wording(faq, "ja"), detail=False, asks_for=DAY)

    await person.channel.send(person.address, push)

    [message] = person.platform.accepted[0]["messages"]
    actions = [item["action"] for item in message["quickReply"]["items"]]
    assert message["text"].startswith("7日目のお知らせが届きました。")
    assert [action["label"] for action in actions[:4]] == [
        "0・なし",
        "1〜3・少し",
        "4〜6・中くらい",
        "7〜10・強い",
    ]
    assert actions[3]["data"] == "check:day_7:261120:severe"
    event = await heard(person, person.platform.event("postback", postback={"data": actions[3]["data"]}))
    assert (event.kind, event.action) == ("action", "check:day_7:261120:severe")


async def test_the_recovery_card_is_one_flex_message_with_its_words_for_the_list_of_chats(
    person: LinePerson,
) -> None:
    card = Message(
        "Procedure date: 20 November\nYour next notes:", (Button("My reminders", "reminders"),), None, "Day 3"
    )
    await person.channel.send(person.address, card)

    [sent] = person.platform.accepted[-1]["messages"]
    texts = [part["text"] for part in sent["contents"]["body"]["contents"]]
    assert texts == ["Day 3", "Procedure date: 20 November", "Your next notes:"]
    assert sent["altText"] == "Day 3 Procedure date: 20 November Your next notes:"
    assert sent["contents"]["footer"]["contents"][0]["action"]["data"] == "reminders"
    assert person.violations() == []


async def test_more_buttons_than_quick_replies_become_a_card_with_the_picker_kept(person: LinePerson) -> None:
    many = tuple(Button(f"Choice {n}", f"choice:{n}") for n in range(13))
    picker = DatePicker("Pick a day", DAY, DAY, DAY)

    await person.channel.send(person.address, Message("Which?", many, picker))

    assert person.labels() == [*(button.label for button in many), "Pick a day"]


async def test_typing_shows_the_loading_animation(person: LinePerson) -> None:
    await person.channel.typing(person.address)

    assert person.platform.calls[-1] == (
        "POST /v2/bot/chat/loading/start",
        {"chatId": USER, "loadingSeconds": 20},
    )


# --- rich menus


async def test_setting_up_the_menus_twice_changes_nothing(person: LinePerson) -> None:
    first = await person.channel.set_up_menus(MENU)
    calls = len(person.platform.calls)
    second = await person.channel.set_up_menus(MENU)

    assert first == second
    assert set(first) == {"en", "ja"}
    assert person.platform.linked["all"] == first["en"]
    assert not any(
        "DELETE" in call or call == "POST /v2/bot/richmenu" for call, _ in person.platform.calls[calls:]
    )


async def test_a_changed_menu_replaces_the_old_one_and_what_a_crash_left(person: LinePerson) -> None:
    await person.channel.set_up_menus(MENU)
    person.platform.menus["half-made"] = {"name": "smileline-en"}
    person.platform.menus["of-somebody-else"] = {"name": "autumn campaign"}
    for left in ("half-made", "of-somebody-else"):
        person.platform.menus[left] |= {
            "size": {"width": 2500, "height": 843},
            "selected": False,
            "chatBarText": "x",
            "areas": [],
        }

    made = await person.channel.set_up_menus(
        {"en": MenuTexts("Menu", ["Ask", "My recovery", "Reminders", "Call us"])}
    )

    assert set(person.platform.menus) == {made["en"], "of-somebody-else"}
    assert set(person.platform.aliases.values()) == {made["en"]}


async def test_each_person_gets_the_menu_of_their_language(person: LinePerson) -> None:
    made = await person.channel.set_up_menus(MENU)
    restarted = line_channel(person.platform.url)

    await restarted.show_menu(person.address, "ja")
    await restarted.show_menu(person.address, "ko")  # there is none: nothing happens
    await restarted.stop()

    assert person.platform.linked[USER] == made["ja"]


async def test_traditional_readers_get_their_own_menu_or_the_simplified_one(
    person: LinePerson, faq: Faq
) -> None:
    texts = {code: words for code, words in line_menus(faq).items() if code.startswith("zh")}
    made = await person.channel.set_up_menus(texts)
    await person.channel.show_menu(person.address, "zh-Hant")
    assert person.platform.linked[USER] == made["zh-Hant"] != made["zh"]

    without = {language: words for language, words in texts.items() if language != "zh-Hant"}
    made = await person.channel.set_up_menus(without)
    await person.channel.show_menu(person.address, "zh-Hant")
    assert person.platform.linked[USER] == made["zh"]
    assert person.violations() == []


def test_the_picture_has_lines_size_and_weight(tmp_path: Path) -> None:
    fields = [picture.Field(sign, "What can you do?") for sign in picture.SIGNS]

    drawn = picture.draw_menu(fields, "en", None)

    (tmp_path / "menu.png").write_bytes(drawn)
    with Image.open(tmp_path / "menu.png") as image:
        assert (image.size, image.format) == ((2500, 843), "PNG")
    assert len(drawn) < 1_000_000


def test_letters_that_no_font_has_are_not_drawn_as_boxes() -> None:
    assert picture.can_write("Talk to a person", None)
    assert not picture.can_write("スタッフと話す", None)


# --- secrets


async def test_no_token_and_no_word_of_a_patient_reaches_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("DEBUG")
    async with channel_fakes.line() as person:
        await person.say("secretword one")
        odd = b'{"events":[{"type":"message","message":"secretword two"}]}'
        assert await person.channel.webhook(odd, signed(odd)) == 200
        assert await person.channel.webhook(odd[:-3], signed(odd[:-3])) == 400
        assert await person.channel.webhook(odd, {"X-Line-Signature": "secretword"}) == 400
        for fault in ("odd_answer", "lost_answer", "refused", "server_error", "token"):
            person.fail(fault)
            with pytest.raises(SendFailed):
                await person.channel.send(
                    person.address, Message("secretword three"), retry_key=str(uuid.uuid4())
                )

    out, err = capfd.readouterr()
    assert "events_refused" in out + err
    assert "secretword" not in out + err
    assert line_api.TOKEN not in out + err
    assert line_api.SECRET not in out + err


def test_a_known_secret_is_hidden_in_any_line_and_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """LINE's token looks like any other text; only the program that was given it knows it."""
    token = "Zm9vYmFyYmF6cXV4/Zm9v+YmFy"
    logs.set_up("DEBUG")
    logs.never_show(token, None, "word")
    try:
        raise ValueError(f"https://api.example/?token={token}")
    except ValueError:
        logs.get("line").exception("failed", url=f"https://x/{token}", word="word")
        logging.getLogger("aiohttp.client").exception("of a library: %s", token)

    written = capfd.readouterr().err
    assert token not in written
    assert written.count("[hidden]") >= 4
    assert '"word": "word"' in written
