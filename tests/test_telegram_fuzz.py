"""Malformed updates at Telegram's webhook, half with the right secret: refused or passed over, never an error, never slow."""

import time

from bot.core.values import Incoming
from tests.channel_fakes import CHAT, telegram_channel
from tests.channel_fuzz import COUNT, SEED, bodies
from tests.peers import bot_api


def valid(server: bot_api.BotApiServer, data: str) -> list[object]:
    photo = {"photo": [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]}
    keyboard = {"reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": data}]]}}
    query = {"id": "1", "from": server.person(CHAT), "chat_instance": "1", "data": data}
    member = {"chat": {"id": CHAT, "type": "private"}, "from": server.person(CHAT), "date": bot_api.DATE}
    contents = [
        {"message": server.message(CHAT, text="it hurts")},
        {"message": server.message(CHAT, text="/start abc_DEF")},
        {"message": server.message(CHAT, text="/person I cannot breathe")},
        {"message": server.message(CHAT, caption="look", **photo)},
        {"message": server.message(-CHAT, text="/help")},
        {"message": server.message(-CHAT, migrate_to_chat_id=-100)},
        {"edited_message": server.message(CHAT, text="more", edit_date=bot_api.DATE)},
        {"callback_query": {**query, "message": server.message(CHAT, text="x", **keyboard)}},
        {"my_chat_member": {**member, "new_chat_member": {"status": "kicked"}}},
        {"poll": {"id": "1"}},
    ]
    return [{"update_id": number, **content} for number, content in enumerate(contents, 1)]


async def test_malformed_updates_never_end_in_an_error() -> None:
    stored: list[Incoming] = []

    async def receive(event: Incoming) -> None:
        f"{event}".encode()  # what a store does first: a lone surrogate ends here
        stored.append(event)

    async with bot_api.BotApiServer() as server:
        channel = telegram_channel(server.url, mode="webhook", public_url="https://bot.example")
        channel._aside.do = lambda work: work.close()  # type: ignore[method-assign]  # answers to taps: a network call each
        await channel.start(receive)
        answers: dict[int, int] = {}
        slowest = 0.0
        data = channel._signer.sign("entry:swelling", str(CHAT))
        for number, raw in enumerate(bodies(valid(server, data))):
            secret = {"X-Telegram-Bot-Api-Secret-Token": bot_api.SECRET if number % 2 else "no"}
            started = time.perf_counter()
            status = await channel.webhook(raw, secret)
            slowest = max(slowest, time.perf_counter() - started)
            answers[status] = answers.get(status, 0) + 1
        await channel.stop()

    print(
        f"seed {SEED}: {COUNT} bodies, answers {answers}, stored {len(stored)}, slowest {slowest * 1000:.1f} ms"
    )
    assert set(answers) == {200, 400, 403}
    assert len(stored) > COUNT // 10
    assert all(event.event_id and event.address.chat and event.at.tzinfo for event in stored)
    assert slowest < 1
