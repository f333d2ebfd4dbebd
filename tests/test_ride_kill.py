"""SIGKILL at the worst moment of a ride: the reply with the reminder is on LINE, and nothing says so here yet, or just not there."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.store.store import Store
from tests import helpers
from tests.channel_fakes import line_channel
from tests.databases import KEY, ready_store
from tests.outbox_fakes import at
from tests.peers.line_api import LinePlatform
from tests.small_faq import small_faq
from tests.test_ride import ANNA, DUE, RideScene

pytestmark = pytest.mark.slow

ANSWERS = "import sys; from tests.test_ride_kill import answer; answer(*sys.argv[1:])"


def answer(path: str, url: str, token: str) -> None:
    """A process that answers Anna, with what is due for her; it does not live to see the platform's answer."""

    async def run() -> None:
        store = Store.open(f"sqlite:///{path}", KEY)
        scene = RideScene(store, small_faq(), line_channel(url, clock=lambda: DUE))
        await scene.receive(scene.event("swollen", ANNA, reply_handle=token))

    asyncio.run(run())


class Deadly(LinePlatform):
    """Kills the process that replies, after taking the reply or before."""

    def __init__(self, takes: bool) -> None:
        super().__init__(now=DUE.timestamp)
        self.victim: asyncio.subprocess.Process | None = None
        self.takes, self.deadly = takes, True

    def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        if not self.deadly or not request.path.endswith("/reply"):
            return super()._answer(request, body)
        response = super()._answer(request, body) if self.takes else web.Response()
        self.deadly = False
        assert self.victim
        os.kill(self.victim.pid, signal.SIGKILL)
        return response


@pytest.mark.parametrize(
    ("takes", "seconds", "copies", "state"),
    [
        (True, 35, 1, "sent"),
        (False, 35, 1, "sent"),
        (True, 600, 1, "failed"),  # nobody can tell any more: never twice, and on the list
        (False, 600, 0, "failed"),
    ],
    ids=["taken", "not taken", "taken, back late", "not taken, back late"],
)
async def test_a_reminder_that_rode_into_a_crash_never_comes_twice(
    tmp_path: Path, takes: bool, seconds: int, copies: int, state: str
) -> None:
    ready_store(tmp_path / "s.db").close()
    async with Deadly(takes) as line:
        token = line.event(text="swollen")["replyToken"]
        handle = f"{int(DUE.timestamp() * 1000)}:{token}"
        line.victim = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ANSWERS, tmp_path / "s.db", line.url, handle, cwd=helpers.ROOT
        )
        assert await line.victim.wait() == -signal.SIGKILL

        store = Store.open(f"sqlite:///{tmp_path}/s.db", KEY)
        scene = await restarted(store, line, seconds)
        for _ in range(3):
            scene.clock.forward(minutes=5)
            await scene.outbox.tick()

        headline = scene.faq.say(scene.faq.steps["day_1"].headline, "en")
        assert sum(headline in text for text in line.texts()) == copies
        assert scene.states()["day_1"] == state
        listed = [(row.step_id, row.doubtful) for row in store.trouble(at(0, 0))]
        assert listed == ([("day_1", True)] if state == "failed" else [])
        told = [notice.text for notice in store.untold_notices()]
        assert [text for text in told if "given up" in text] == told[: len(listed)]
        assert line.violations == []
        await scene.free.stop()
        store.close()


async def restarted(store: Store, line: LinePlatform, seconds: int) -> RideScene:
    """The next process, which finds the event unanswered."""
    scene = RideScene(store, small_faq())
    scene.clock.forward(seconds=seconds)  # the lease of the event is over
    scene.free = line_channel(line.url, clock=scene.clock)
    scene.outbox = scene.new_outbox(store, scene.faq)
    await scene.restarted().resume()
    await scene.inbox.drain()
    assert store.unhandled_events() == []
    return scene
