"""What the reminders promise whatever happens: after any outage, with any clock, under the platform's limits."""

import asyncio
import collections
import datetime as dt
import os
import statistics
import time

import pytest

from bot.channels.port import SendFailed
from bot.channels.telegram.pace import Pace
from bot.core.pacing import Rate
from bot.core.values import Address, Message
from bot.outbox import Outbox
from bot.outbox.watchman import JUMP_SECONDS, SteadyNow
from bot.store.store import Store
from intents.faq import Faq
from tests.channel_fakes import telegram_channel
from tests.outbox_fakes import DAY_0, Clinic, FakeChannel, at
from tests.peers.bot_api import BotApiServer

pytestmark = pytest.mark.slow  # together longer than all of make check may take

MESSAGES = int(os.environ.get("SMILELINE_MESSAGES", "0"))  # the long runs take 10,000
LENGTHS = [
    dt.timedelta(seconds=1),
    dt.timedelta(minutes=1),
    dt.timedelta(hours=1),
    dt.timedelta(hours=25),
    dt.timedelta(days=40),
]


@pytest.fixture
def clinic(store: Store, faq: Faq) -> Clinic:
    return Clinic(store, faq)


def overdue(store: Store, now: dt.datetime) -> list[tuple[str, str | None]]:
    """(state, reason) of everything that was due before `now`, straight from the table."""
    micros = int(now.timestamp() * 1e6)
    with store.read() as db:
        query = f"SELECT state, reason FROM reminders WHERE due_at <= {micros}"
        return [(row.state, row.reason) for row in db.exec_driver_sql(query)]


def most_at_once(channel: FakeChannel) -> int:
    return max(collections.Counter(address for address, _ in channel.sent).values(), default=0)


# --- an outage of any length


@pytest.mark.parametrize("length", LENGTHS, ids=str)
@pytest.mark.parametrize("began", [at(0, 19, 29), at(3, 8, 59), at(6, 23)], ids=["eve", "morning", "night"])
async def test_an_outage_of_any_length_loses_nothing_silently(
    clinic: Clinic, began: dt.datetime, length: dt.timedelta
) -> None:
    for number in range(8):  # all of them somewhere else on the journey
        clinic.enrol(str(number), date=DAY_0 - dt.timedelta(days=4 * number))
    await clinic.run(began - dt.timedelta(seconds=1), dt.timedelta(hours=6))
    clinic.telegram.sent.clear()

    await clinic.tick(began + length)
    at_first = most_at_once(clinic.telegram)
    await clinic.run(began + length + dt.timedelta(hours=13), dt.timedelta(hours=1))

    rows = overdue(clinic.store, began + length)
    assert at_first <= 1  # not everything that was missed at once
    assert len(rows) >= 8
    assert {state for state, _ in rows} <= {"sent", "missed"}
    assert all(reason in ("late", "past", "folded", "had") for state, reason in rows if state == "missed")


async def test_what_an_outage_made_too_late_is_counted_with_its_reason(clinic: Clinic) -> None:
    clinic.enrol()

    await clinic.tick(at(40, 12))

    rows = collections.Counter(overdue(clinic.store, at(40, 12)))
    past = sum(step.day <= 40 for step in clinic.faq.file.reminders.steps)
    assert sum(rows.values()) == past
    assert rows["sent", None] == 1


async def test_what_an_outage_made_too_late_stands_on_the_staffs_list_and_what_was_folded_does_not(
    clinic: Clinic,
) -> None:
    clinic.enrol("1")
    clinic.enrol("2")

    await clinic.tick(at(2, 11))  # day_0 says nothing any more; day_1 is folded into day_2

    listed = clinic.store.trouble(at(0, 0))
    assert sorted((row.patient_id, row.step_id, row.state, row.reason) for row in listed) == [
        (1, "day_0", "missed", "late"),
        (2, "day_0", "missed", "late"),
    ]
    assert len([text for text in clinic.told if "too late" in text]) == 1


async def test_a_patient_who_comes_late_is_no_trouble(clinic: Clinic) -> None:
    clinic.now = at(2, 11)
    clinic.enrol("1")

    await clinic.tick()

    assert ("missed", "past") in overdue(clinic.store, at(2, 11))
    assert (clinic.store.trouble(at(0, 0)), clinic.told) == ([], [])


@pytest.mark.parametrize(("wish", "back"), [("paused", "on"), ("stopped", "on")])
async def test_what_the_patient_let_pass_is_no_trouble(clinic: Clinic, wish: str, back: str) -> None:
    patient = clinic.enrol("1")
    clinic.store.set_reminders(patient, wish, at(0, 19))  # type: ignore[arg-type]
    await clinic.tick(at(0, 20))

    clinic.store.set_reminders(patient, back, at(1, 9))  # type: ignore[arg-type]
    await clinic.tick(at(1, 9))

    assert overdue(clinic.store, at(1, 9)) == [("missed", wish)]
    assert (clinic.store.trouble(at(0, 0)), clinic.told) == ([], [])


# --- a clock that is set in the middle of a sweep


@pytest.mark.parametrize("jump", [dt.timedelta(days=1), dt.timedelta(hours=-1)], ids=["ahead", "back"])
async def test_a_clock_set_during_a_sweep_sends_nothing_early_and_nothing_twice(
    store: Store, faq: Faq, jump: dt.timedelta
) -> None:
    clinic = Clinic(store, faq, concurrency=1)
    for number in range(50):  # more than a claim
        clinic.enrol(str(number))

    def set_clock() -> None:
        if clinic.telegram.calls == 20:
            clinic.now += jump

    clinic.telegram.before_send = set_clock
    await clinic.tick(at(0, 19, 31))
    clinic.telegram.before_send = None
    during = clinic.headlines()
    clinic.now = at(0, 19, 35)  # right again
    await clinic.run(at(0, 20, 30), dt.timedelta(minutes=5))

    assert len(during) >= 20
    assert set(during) == {"day_0"}
    assert sorted(int(address.chat) for address, _ in clinic.telegram.sent) == list(range(50))
    assert overdue(store, at(0, 20)) == [("sent", None)] * 50


async def test_a_clock_a_day_ahead_makes_nothing_late_that_was_already_taken_up(
    store: Store, faq: Faq
) -> None:
    clinic = Clinic(store, faq)
    for number in range(30):
        clinic.enrol(str(number))

    def set_clock() -> None:
        clinic.now = at(9, 12)

    clinic.telegram.before_send = set_clock
    await clinic.tick(at(0, 19, 31))

    assert clinic.headlines() == ["day_0"] * 30


def test_within_a_sweep_time_goes_on_steadily_and_a_set_clock_is_noticed() -> None:
    wall, steady = [at(0, 12)], [100.0]
    now = SteadyNow(lambda: wall[0], lambda: steady[0])
    steady[0] += 7
    wall[0] += dt.timedelta(seconds=7)
    usual = (now(), now.is_off())
    wall[0] += dt.timedelta(seconds=JUMP_SECONDS - 1)
    slewed = now.is_off()
    wall[0] += dt.timedelta(seconds=1)

    assert usual == (at(0, 12) + dt.timedelta(seconds=7), False)
    assert not slewed
    assert now.is_off()
    assert now() == at(0, 12) + dt.timedelta(seconds=7)


# --- silence that a platform asked for


class Strict(FakeChannel):
    """Refuses some with a wait of 1 to 30 s, and remembers who comes back before it is over."""

    def __init__(self, clinic_now: list[Clinic]) -> None:
        super().__init__()
        self._clinic = clinic_now
        self.silent_until: dict[str, dt.datetime] = {}
        self.early: list[str] = []
        self.refused = 0

    async def send(self, address: Address, message: Message, **options: object) -> None:  # type: ignore[override]
        now, chat = (
            self._clinic[0].outbox._now(),
            address.chat,
        )  # goes on within a sweep, on a slow machine too
        if now < self.silent_until.get(chat, now):
            self.early.append(chat)
        if int(chat) % 3 == 0 and chat not in self.silent_until:
            wait = 1 + int(chat) % 30
            self.silent_until[chat] = now + dt.timedelta(seconds=wait)
            self.refused += 1
            raise SendFailed("rate_limited", retry_after=wait)
        await super().send(address, message, **options)  # type: ignore[arg-type]


async def test_nothing_goes_to_a_chat_before_its_retry_after_and_others_go_on(store: Store, faq: Faq) -> None:
    holder: list[Clinic] = []
    clinic = Clinic(store, faq)
    holder.append(clinic)
    clinic.channels["telegram"] = clinic.telegram = strict = Strict(holder)
    clinic.outbox = clinic.new_outbox()
    count = MESSAGES or 200
    clinic.enrol_many(range(count))

    await clinic.run(at(0, 19, 30), dt.timedelta(hours=8))
    seconds = 60 + count / 15  # a third of them goes out twice, at 24 a second
    await clinic.run(at(0, 19, 30) + dt.timedelta(seconds=seconds), dt.timedelta(seconds=1))

    assert strict.refused == len(range(0, count, 3))
    assert strict.early == []
    assert sorted(int(address.chat) for address, _ in strict.sent) == list(range(count))


# --- a crowd that is due in one minute


class Limited(BotApiServer):
    """Telegram with its limits: `per_second` over all chats, one a second in a chat; 429 above."""

    def __init__(self, per_second: int) -> None:
        super().__init__()
        self._per_second = per_second
        self._recent: collections.deque[tuple[float, str]] = collections.deque()
        self.refused = 0
        self.when: list[float] = []

    def _fault(self, method: str, params: dict[str, str]) -> dict[str, object] | None:
        if method.lower() != "sendmessage":
            return super()._fault(method, params)
        now, chat = time.monotonic(), str(params["chat_id"])
        while self._recent and self._recent[0][0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self._per_second or any(chat == other for _, other in self._recent):
            self.refused += 1
            return {"kind": 429, "retry_after": 1}
        self._recent.append((now, chat))
        self.when.append(now)
        return super()._fault(method, params)


@pytest.mark.slow
async def test_a_crowd_due_at_once_drains_at_the_rate_without_a_429_while_replies_stay_quick(
    store: Store, faq: Faq
) -> None:
    """Five times Telegram's limits, so that 500 take 6 seconds and not half a minute; the proportions are its own."""
    count, replies = MESSAGES or 500, []
    async with Limited(per_second=150) as server:
        pace = Pace(per_second=120, reminders_per_second=90, chat_per_second=1, chat_burst=1)
        channel = telegram_channel(server.url, pace=pace)
        clinic = Clinic(store, faq)
        clinic.enrol_many(range(1000, 1000 + count))
        clinic.now = at(0, 19, 30)
        began, wall = time.monotonic(), clinic.now
        outbox = Outbox(
            store,
            lambda: faq,
            {"telegram": channel},
            clock=lambda: wall + dt.timedelta(seconds=time.monotonic() - began),
            rates={"telegram": Rate(90, 6)},
            seed=1,
        )

        async def patients_write() -> None:
            for number in range(count // 25):  # all the while
                asked = time.monotonic()
                await channel.send(Address("telegram", str(number + 1)), Message("an answer"))
                replies.append(time.monotonic() - asked)
                await asyncio.sleep(0.1)

        await asyncio.gather(outbox.tick(), patients_write())
        seconds = time.monotonic() - began
        await channel.stop()

    assert server.refused == 0
    assert store.states()["sent"] == count
    assert seconds >= count / 90 * 0.9  # not faster than it may
    assert statistics.median(replies) < 1
    assert max(replies) < 3  # behind the crowd they would wait five, and a loaded machine adds its own
