"""The staff chat over real HTTP: an emulated Bot API that checks every request against the specification."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from bot.channels.port import utc_now
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram.profile import Profile
from bot.inbox import Inbox
from bot.staff.desk import StaffDesk
from bot.staff.editing import Editing
from bot.staff.listening import NOBODY
from bot.store.store import Store
from intents.faq import Faq, load
from intents.understand import Understander
from tests.databases import KEY
from tests.peers.bot_api import TOKEN, BotApiServer
from tests.small_faq import small_text, small_understander
from tests.staff_site import Live
from tests.test_appointments import Reader

pytestmark = pytest.mark.slow

STAFF, ANNA, BEN = -100_500, 77, 78


class Forum(BotApiServer):
    """The emulated server with topics in the staff chat, and copies of messages."""

    topics = False
    copied: list[dict[str, Any]]

    async def _createforumtopic(self, params: Any) -> Any:
        if not self.topics:
            from tests.peers.bot_api import _error

            return _error(400, "Bad Request: the chat is not a forum")
        number = next(self._ids)
        return {"message_thread_id": number, "name": params["name"], "icon_color": 1}

    async def _copymessage(self, params: Any) -> Any:
        return {"message_id": next(self._ids)}

    def card(self) -> dict[str, Any]:
        """The newest message of the staff chat with buttons."""
        return next(m for m in reversed(self.chat(STAFF)) if "reply_markup" in m)

    async def staff_says(self, text: str, **content: Any) -> None:
        await self.update(message=self.message(STAFF, text=text, **content))


class Clinic:
    def __init__(self, telegram: Forum, store: Store, faq: Faq, editing: Editing | None = None) -> None:
        self.telegram, self.store, self.faq = telegram, store, faq
        self.channel = TelegramChannel(
            TOKEN, telegram.url, mode="polling", secret="s", public_url=None,
            profile=Profile(lambda _: [("help", "Help")], lambda _: "Hello"),
            group_refused=lambda language: "Only in private", languages=["en"], sign_key=KEY, clock=utc_now,
            staff_chat=STAFF,
        )  # fmt: skip
        channels = {"telegram": self.channel}
        self.desk = StaffDesk(store, self.channel.staff_room, channels, lambda: faq, utc_now, editing)  # type: ignore[arg-type]
        understander = cast(Understander, Reader(faq))
        self.inbox = Inbox(store, lambda: understander, channels, self.desk, utc_now)  # type: ignore[arg-type]

    async def sees(self, chat: int, text: str) -> None:
        await self.telegram.seen(lambda: any(text in said for said in self.telegram.texts(chat)))


@pytest.fixture
async def clinic(sqlite_store: Store, faq: Faq) -> AsyncIterator[Clinic]:
    async with Forum() as telegram:
        opened = Clinic(telegram, sqlite_store, faq)
        await opened.channel.start(opened.inbox.receive)
        yield opened
        await opened.inbox.drain()
        await opened.channel.stop()
        await opened.inbox.drain()
        await opened.channel.stop()
        assert telegram.violations == []


async def test_an_alert_is_read_answered_and_closed_in_the_staff_chat(clinic: Clinic) -> None:
    telegram = clinic.telegram
    await telegram.say(ANNA, "I have a fever")
    await clinic.sees(STAFF, "“I have a fever”")
    card = telegram.card()

    await telegram.tap(STAFF, "I have read it")
    await clinic.sees(ANNA, "Pat of the clinic read this at")
    await telegram.staff_says("Please come in.", reply_to_message=card)
    await clinic.sees(ANNA, "Please come in.")
    await telegram.say(ANNA, "on my way")
    await clinic.sees(STAFF, "“on my way”")
    await telegram.tap(STAFF, "Close …")
    await telegram.seen(lambda: "Comes to the clinic" in telegram.labels(telegram.card()))
    await telegram.tap(STAFF, "Comes to the clinic")
    await clinic.sees(ANNA, "The clinic has closed this alert.")
    await clinic.inbox.drain()

    assert clinic.store.open_alerts() == []
    assert telegram.texts(BEN) == []


async def test_each_patient_has_a_topic_where_the_chat_has_topics(clinic: Clinic) -> None:
    telegram = clinic.telegram
    telegram.topics = True
    await telegram.say(ANNA, "I have a fever")
    await telegram.say(BEN, "fever, too")
    await telegram.seen(lambda: len(telegram.called("createForumTopic")) == 2)
    await clinic.sees(STAFF, "“fever, too”")
    await clinic.inbox.drain()
    [bens] = [t for t in clinic.store.recent_threads() if t.address.chat == str(BEN)]

    service = {
        "message_id": 1,
        "date": 1,
        "chat": {"id": STAFF, "type": "supergroup"},
        "forum_topic_created": {},
    }
    await telegram.staff_says(
        "How are you, Ben?",
        message_thread_id=int(bens.topic or 0),
        is_topic_message=True,
        reply_to_message=service,
    )

    await clinic.sees(BEN, "How are you, Ben?")
    assert "How are you, Ben?" not in telegram.texts(ANNA)
    assert {
        call["message_thread_id"] for call in telegram.called("sendMessage") if "message_thread_id" in call
    } >= {bens.topic}


async def test_a_reply_to_nobody_says_so(clinic: Clinic) -> None:
    telegram = clinic.telegram
    await telegram.say(ANNA, "I have a fever")
    await clinic.sees(STAFF, "“I have a fever”")

    await telegram.staff_says("come in please")

    await clinic.sees(STAFF, NOBODY[:30])
    replies = [
        json.loads(call["reply_parameters"])
        for call in telegram.called("sendMessage")
        if "reply_parameters" in call
    ]
    assert replies[-1]["allow_sending_without_reply"]


async def test_pictures_go_both_ways(clinic: Clinic) -> None:
    telegram = clinic.telegram
    await telegram.say(ANNA, "I have a fever")
    await clinic.sees(STAFF, "“I have a fever”")
    card = telegram.card()
    picture = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]

    await telegram.update(message=telegram.message(STAFF, photo=picture, reply_to_message=card))
    await telegram.seen(lambda: len(telegram.called("copyMessage")) == 1)
    await telegram.update(message=telegram.message(ANNA, photo=picture))
    await telegram.seen(lambda: len(telegram.called("copyMessage")) == 2)

    to_patient, to_staff = telegram.called("copyMessage")
    assert (to_patient["from_chat_id"], to_patient["chat_id"]) == (str(STAFF), str(ANNA))
    assert (to_staff["from_chat_id"], to_staff["chat_id"]) == (str(ANNA), str(STAFF))


async def test_a_question_is_added_to_the_faq_from_the_staff_chat(
    tmp_path: Path, sqlite_store: Store, understander: Understander
) -> None:
    path = tmp_path / "faq.yaml"
    path.write_text(small_text(), encoding="utf-8")
    live = Live(path, small_understander())
    editing = Editing(live, path, sqlite_store)  # type: ignore[arg-type]
    sqlite_store.record_unanswered("can I play the trumpet", "en", ("swelling",), None, utc_now())
    async with Forum() as telegram:
        clinic = Clinic(telegram, sqlite_store, live.current.faq, editing)
        await clinic.channel.start(clinic.inbox.receive)
        await telegram.staff_says("/questions@smileline_bot")
        await clinic.sees(STAFF, "❓ 1 patient · English")
        label = next(label for label in telegram.labels(telegram.card()) if label.startswith("Add to "))
        await telegram.tap(STAFF, label)
        await clinic.sees(STAFF, "and live: “can I play the trumpet”")
        await clinic.inbox.drain()
        await clinic.channel.stop()
        violations = telegram.violations

    assert violations == []
    assert "can I play the trumpet" in load(path.read_bytes()).entries["swelling"].questions["en"]


async def test_a_forged_tap_in_the_staff_chat_does_nothing(clinic: Clinic) -> None:
    telegram = clinic.telegram
    await telegram.say(ANNA, "I have a fever")
    await clinic.sees(STAFF, "“I have a fever”")

    await telegram.tap(STAFF, "", data="AAAAAAAAAAAAAAstaff:shut:1:false")
    await telegram.say(BEN, "swelling")
    await telegram.seen(lambda: telegram.texts(BEN))
    await clinic.inbox.drain()

    assert len(clinic.store.open_alerts()) == 1


async def test_the_staff_chat_is_not_refused_as_a_group(clinic: Clinic) -> None:
    telegram = clinic.telegram

    await telegram.staff_says("Good morning")
    await telegram.say(BEN, "swelling")
    await telegram.seen(lambda: telegram.texts(BEN))
    await clinic.inbox.drain()

    assert telegram.texts(STAFF) == []
