"""A due reminder goes out with the free reply to a patient who writes anyway: once, and never while something is serious."""

import datetime as dt
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.channels.line import LineChannel
from bot.channels.persist import TRIES
from bot.channels.port import SendFailed
from bot.core.reminders import plan
from bot.core.values import Address, Message
from bot.inbox import Inbox
from bot.outbox import Outbox
from bot.outbox.ride import Ride
from bot.store.store import Store
from intents.faq import Faq
from tests.channel_fakes import line_channel
from tests.fakes import FakeChannel
from tests.outbox_fakes import DAY_0, at
from tests.peers.line_api import USER, LinePlatform
from tests.scene import Scene

ANNA = Address("line", USER)
DUE = at(1, 10, 30)  # half an hour after day_1's time


@dataclass
class FreeChannel(FakeChannel):
    """Replies are free. `lost`: how many answers of replies are lost after they were accepted. `used`: its spent handles."""

    name: str = "line"
    retry_keys: bool = True
    riders: list[Message] = field(default_factory=list)
    lost: int = 0
    used: set[str | None] = field(default_factory=set)
    refuses_riders: bool = False

    async def reply_with(
        self, address: Address, message: Message, rider: Message, *, reply_handle: str | None, **options: Any
    ) -> bool:
        if reply_handle in self.used:
            if options.get("repeated"):
                return True
            await self.send(address, message, **options)
            return False
        if self.refuses_riders:
            raise SendFailed("refused")
        await self.send(address, message, **options)
        self.riders.append(rider)
        self.used.add(reply_handle)
        if self.lost:
            self.lost -= 1
            raise SendFailed("unknown_outcome", sent="unknown")
        return True


class RideScene(Scene):
    """The inbox with an outbox beside it, at a moment when Anna's day_1 is due."""

    def __init__(self, store: Store, faq: Faq, channel: Any = None) -> None:
        self.free = channel or FreeChannel()
        self.outbox = self.new_outbox(store, faq)
        super().__init__(store, faq)
        self.clock.now = DUE
        self.patient_id = enrol(store, faq, ANNA)

    def new_outbox(self, store: Store, faq: Faq) -> Outbox:
        channels = {"line": self.free, "telegram": FakeChannel("telegram")}
        return Outbox(store, lambda: faq, channels, clock=lambda: self.clock(), seed=1, sleep=self._sleep)  # type: ignore[dict-item]

    def restarted(self) -> Inbox:
        channels: Any = {"line": self.free, "telegram": FakeChannel("telegram")}
        self.inbox = Inbox(
            self.store,  # type: ignore[arg-type]
            lambda: self.understands,  # type: ignore[arg-type, return-value]
            channels,
            self.staff,
            self.clock,
            rides=self.outbox.ride_along,
            sleep=self._sleep,
        )
        return self.inbox

    async def writes(self, text: str, who: Address = ANNA) -> None:
        await self.receive(self.event(text, who, reply_handle=f"handle of {text}"))

    def states(self) -> dict[str, str]:
        with self.real.read() as db:
            return dict(db.exec_driver_sql("SELECT step_id, state FROM reminders").all())  # type: ignore[arg-type]


def enrol(store: Store, faq: Faq, address: Address) -> int:
    patient = store.give_consent(address, at(0, 12), "en")
    assert patient.id is not None
    store.set_procedure_date(
        patient.id, DAY_0, plan(faq.file.reminders.steps, DAY_0, faq.clinic.timezone), at(1, 9)
    )
    return patient.id


@pytest.fixture
def scene(sqlite_store: Store, faq: Faq) -> RideScene:
    return RideScene(sqlite_store, faq)


async def test_a_due_reminder_goes_out_with_the_reply_and_never_again(scene: RideScene) -> None:
    await scene.writes("swollen")
    await scene.outbox.tick()
    await scene.writes("and again")

    assert len(scene.free.riders) == 1
    assert scene.faq.say(scene.faq.steps["day_1"].headline, "en") in scene.free.riders[0].text
    assert scene.states()["day_1"] == "sent"
    assert len(scene.free.texts) == 2  # the two replies, no push


async def test_nothing_rides_while_nothing_is_due(scene: RideScene) -> None:
    await scene.outbox.tick()

    await scene.writes("swollen")

    assert scene.free.riders == []
    assert len(scene.free.texts) == 2  # the push, the reply


async def test_a_danger_sign_takes_nothing_cheerful_along(scene: RideScene) -> None:
    await scene.writes("I cannot breathe")

    assert scene.free.riders == []
    assert scene.states()["day_1"] == "pending"


async def test_nothing_rides_while_an_alert_is_open(scene: RideScene) -> None:
    await scene.writes("I cannot breathe")

    await scene.writes("swollen")

    assert scene.free.riders == []
    assert scene.states()["day_1"] == "pending"


async def test_an_alert_that_only_the_database_knows_keeps_it_back(scene: RideScene) -> None:
    scene.real.open_alert(ANNA, scene.patient_id, "danger", "emergency", None, "it bleeds", DUE)

    await scene.writes("swollen")

    assert scene.free.riders == []
    assert scene.states()["day_1"] == "held"


async def test_nothing_rides_while_a_person_talks(scene: RideScene) -> None:
    scene.staff.taken.add(ANNA)

    await scene.writes("swollen")

    assert scene.free.riders == []


async def test_on_a_channel_whose_replies_are_not_free_nothing_rides(scene: RideScene, faq: Faq) -> None:
    enrol(scene.real, faq, Address("telegram", "7"))

    await scene.writes("swollen", Address("telegram", "7"))

    assert list(scene.states().values()).count("sent") == 0


async def test_who_stops_reminders_gets_none_with_the_answer(scene: RideScene) -> None:
    await scene.receive(scene.event(who=ANNA, action="stop", reply_handle="h"))

    assert scene.free.riders == []
    assert scene.states()["day_1"] == "cancelled"


async def test_a_lost_answer_of_the_reply_doubles_nothing(scene: RideScene) -> None:
    scene.free.lost = 1

    await scene.writes("swollen")
    await scene.outbox.tick()

    assert len(scene.free.riders) == 1
    assert scene.states()["day_1"] == "sent"
    assert len(scene.free.texts) == 1


async def test_a_reminder_that_the_platform_refuses_does_not_cost_the_answer(scene: RideScene) -> None:
    scene.free.refuses_riders = True

    await scene.writes("swollen")
    replied = len(scene.free.texts)
    await scene.outbox.tick()

    assert replied == 1
    assert scene.states()["day_1"] == "sent"  # as a push


async def test_while_the_platform_is_away_the_reminder_goes_back_to_its_own_way(scene: RideScene) -> None:
    scene.free.failures = [SendFailed("unreachable")] * TRIES

    await scene.writes("swollen")

    assert (len(scene.free.texts), scene.free.riders) == (1, [])  # the answer, later and alone
    assert scene.states()["day_1"] == "pending"


async def test_answers_lost_twice_are_settled_by_the_token_while_it_is_fresh(scene: RideScene) -> None:
    scene.free.failures = [SendFailed("unknown_outcome", sent="unknown")] * 2

    await scene.writes("swollen")

    assert len(scene.free.riders) == 1
    assert scene.states()["day_1"] == "sent"


async def test_when_nobody_can_tell_it_is_given_up_and_listed(scene: RideScene) -> None:
    scene.free.failures = [SendFailed("unknown_outcome", sent="unknown")] * 4

    await scene.writes("swollen")
    await scene.outbox.tick()

    assert (len(scene.free.texts), scene.free.riders) == (1, [])
    assert scene.states()["day_1"] == "failed"
    assert [(row.step_id, row.doubtful) for row in scene.real.trouble(at(0, 0))] == [("day_1", True)]


async def test_a_blocked_patient_keeps_the_reminder_unsent(scene: RideScene) -> None:
    scene.free.failures = [SendFailed("blocked", permanent=True)]

    await scene.writes("swollen")

    assert scene.states()["day_1"] == "pending"


async def test_when_the_database_fails_for_the_reminder_the_answer_goes_out(scene: RideScene) -> None:
    async def broken(*_: object) -> Ride | None:
        raise OSError("the database is away")

    scene.inbox.conversing._riding.rides = broken

    await scene.writes("swollen")

    assert len(scene.free.texts) == 1


# --- what if we die


async def died_after_the_reply(scene: RideScene) -> Any:
    """An event whose process sent reply and rider, and died before it wrote anything down."""
    event = scene.event("swollen", ANNA, reply_handle="h")
    await scene.outbox.ride_along(ANNA, event.event_id)
    scene.free.used.add("h")
    return event


async def test_died_after_the_reply_the_next_start_knows_that_it_went_out(scene: RideScene) -> None:
    event = await died_after_the_reply(scene)

    scene.real.write_events([event])
    await scene.restarted().resume()
    await scene.inbox.drain()
    await scene.outbox.tick()

    assert (scene.free.riders, scene.free.texts) == ([], [])
    assert scene.states()["day_1"] == "sent"
    assert scene.real.trouble(at(0, 0)) == []


async def test_died_before_the_reply_the_next_start_takes_it_along(scene: RideScene) -> None:
    event = await died_after_the_reply(scene)
    scene.free.used.clear()

    scene.real.write_events([event])
    await scene.restarted().resume()
    await scene.inbox.drain()

    assert len(scene.free.riders) == 1
    assert scene.states()["day_1"] == "sent"


async def test_died_and_away_for_long_it_never_comes_twice_and_staff_decide(scene: RideScene) -> None:
    await died_after_the_reply(scene)

    scene.clock.forward(minutes=10)
    await scene.outbox.tick()
    await scene.outbox.tick()

    assert scene.free.texts == []
    assert [row.step_id for row in scene.real.trouble(at(0, 0))] == ["day_1"]
    assert scene.states()["day_1"] == "failed"


async def test_over_either_database_a_ride_of_the_dead_is_given_up_and_told(store: Store, faq: Faq) -> None:
    scene = RideScene(store, faq)
    await died_after_the_reply(scene)

    scene.clock.forward(minutes=1)
    await scene.outbox.tick()
    assert scene.states()["day_1"] == "sending"  # its event may still come back

    scene.clock.forward(minutes=2)
    await scene.outbox.tick()
    assert scene.states()["day_1"] == "failed"
    assert [(row.step_id, row.reason) for row in store.trouble(at(0, 0))] == [("day_1", "unknown_outcome")]
    assert [notice.text for notice in store.untold_notices()] == [
        f"A reminder to patient {scene.patient_id} was given up (unknown_outcome); please look."
    ]


async def test_an_event_handled_again_takes_along_nothing_new(scene: RideScene) -> None:
    scene.real.write_events([scene.event("swollen", ANNA, reply_handle="h")])

    await scene.restarted().resume()
    await scene.inbox.drain()

    assert scene.free.riders == []
    assert scene.states()["day_1"] == "pending"


# --- over LINE's wire


@asynccontextmanager
async def on_line(store: Store, faq: Faq) -> Any:
    async with LinePlatform(now=DUE.timestamp) as platform:
        channel: LineChannel = line_channel(platform.url, clock=lambda: DUE)
        scene = RideScene(store, faq, channel)
        await channel.start(scene.inbox.receive)
        yield scene, platform
        await channel.stop()
        assert platform.violations == []


async def say(scene: RideScene, platform: LinePlatform, text: str) -> None:
    await platform.deliver(scene.free.webhook, platform.event(text=text))
    await scene.inbox.drain()


async def test_on_line_reminder_and_answer_are_one_free_call(sqlite_store: Store, faq: Faq) -> None:
    async with on_line(sqlite_store, faq) as (scene, platform):
        await say(scene, platform, "swollen")
        await scene.outbox.tick()

        assert [call["how"] for call in platform.accepted] == ["reply"]
        texts = platform.texts()
        assert faq.say(faq.steps["day_1"].headline, "en") in texts[0]
        assert len(texts) >= 2
        assert all("quickReply" not in message for message in platform.accepted[0]["messages"][:-1])
        assert scene.states()["day_1"] == "sent"


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", 500, "html"])
async def test_on_line_a_fault_of_the_reply_neither_loses_nor_doubles(
    sqlite_store: Store, faq: Faq, kind: str | int
) -> None:
    async with on_line(sqlite_store, faq) as (scene, platform):
        platform.faults.append({"path": "reply", "kind": kind})

        await say(scene, platform, "swollen")
        for minutes in (0, 10, 20):
            scene.clock.now = DUE + dt.timedelta(minutes=minutes)
            await scene.outbox.tick()

        headline = faq.say(faq.steps["day_1"].headline, "en")
        assert sum(headline in text for text in platform.texts()) == 1
        assert scene.states()["day_1"] == "sent"


async def test_on_line_a_token_that_is_too_old_pushes_the_answer_alone(sqlite_store: Store, faq: Faq) -> None:
    async with on_line(sqlite_store, faq) as (scene, platform):
        platform.tokens.clear()
        event = platform.event(text="swollen")
        platform.tokens.clear()
        await platform.deliver(scene.free.webhook, event)
        await scene.inbox.drain()

        assert [call["how"] for call in platform.accepted] == ["push"]
        assert scene.states()["day_1"] == "pending"
