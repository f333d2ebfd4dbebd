"""Rightly signed but malformed bodies at LINE's webhook: refused or passed over, never an error, never slow."""

import time

from bot.core.values import Incoming
from tests.channel_fakes import line_channel
from tests.channel_fuzz import COUNT, SEED, bodies
from tests.peers import line_spec
from tests.peers.line_api import LinePlatform, signed


def valid(platform: LinePlatform) -> list[object]:
    provider = {"contentProvider": {"type": "line"}}
    events = [
        platform.event(text="it hurts"),
        platform.event(text="start AbCdEf_123-4567890"),
        platform.event(message={"type": "image", "id": "1", "quoteToken": "q", **provider}),
        platform.event(message={"type": "location", "id": "1", "latitude": 1.0, "longitude": 2.0}),
        platform.event("postback", postback={"data": "entry:swelling"}),
        platform.event("postback", postback={"data": "date", "params": {"date": "2026-11-20"}}),
        platform.event("follow"),
        platform.event("unfollow"),
        platform.event("unsend", unsend={"messageId": "1"}),
        platform.event("join") | {"source": {"type": "group", "groupId": "C1"}},
    ]
    made = [{"destination": "U" + "b" * 32, "events": [event]} for event in events]
    made.append({"destination": "U" + "b" * 32, "events": events})
    for body in made:
        assert line_spec.problems("webhook.yml", "#/components/schemas/CallbackRequest", body) == []
    return list(made)


async def test_malformed_bodies_never_end_in_an_error() -> None:
    stored: list[Incoming] = []

    async def receive(event: Incoming) -> None:
        f"{event}".encode()  # what a store does first: a lone surrogate ends here
        stored.append(event)

    async with LinePlatform() as platform:
        channel = line_channel(platform.url)
        channel._learn_languages = _nothing  # type: ignore[method-assign]  # a network call for each invented user
        await channel.start(receive)
        answers: dict[int, int] = {}
        slowest = 0.0
        for raw in bodies(valid(platform)):
            started = time.perf_counter()
            status = await channel.webhook(raw, signed(raw))
            slowest = max(slowest, time.perf_counter() - started)
            answers[status] = answers.get(status, 0) + 1
        await channel.stop()

    print(
        f"seed {SEED}: {COUNT} bodies, answers {answers}, stored {len(stored)}, slowest {slowest * 1000:.1f} ms"
    )
    assert set(answers) == {200, 400}
    assert len(stored) > COUNT // 10
    assert all(event.event_id and event.address.chat and event.at.tzinfo for event in stored)
    assert slowest < 1


async def _nothing(_: object) -> None:
    return None
