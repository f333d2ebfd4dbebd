"""A channel, a clock and a staff chat for the reminder engine's tests."""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable

from sqlalchemy import select

from bot.channels.port import Receive, SendFailed
from bot.core.reminders import plan
from bot.core.values import Address, Message
from bot.outbox import Outbox
from bot.store.bulk import NewPatient
from bot.store.schema import reminders
from bot.store.store import Store
from intents.faq import THREAD_LIFT, Faq

DAY_0 = dt.date(2026, 11, 16)
CALM = dt.timedelta(minutes=30)


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    """Recovery day `day` of DAY_0 at `hour` on the clocks of Tokyo (UTC+9, which never change)."""
    tokyo = dt.timezone(dt.timedelta(hours=9))
    return dt.datetime.combine(DAY_0 + dt.timedelta(days=day), dt.time(hour, minute), tokyo).astimezone(
        dt.UTC
    )


def all_urgent(faq: Faq) -> Faq:
    """`faq` with every step of the journey urgent."""
    steps = [step.model_copy(update={"urgent": True}) for step in faq.file.reminders.steps]
    plan_ = faq.file.reminders.model_copy(update={"steps": steps})
    return Faq(faq.file.model_copy(update={"reminders": plan_}), "urgent", faq.places)


class FakeChannel:
    """Keeps what was sent; each fault in the queue meets one send. `lost`: the message arrives, its answer does not."""

    def __init__(self, name: str = "telegram", retry_keys: bool = False) -> None:
        self.name = name
        self.platform = name.title()
        self.retry_keys = retry_keys
        self.faults: deque[SendFailed | Exception | str] = deque()
        self.always: SendFailed | None = None
        self.sent: list[tuple[Address, Message]] = []
        self.keys: set[str] = set()
        self.calls = 0
        self.before_send: Callable[[], None] | None = None

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
    ) -> None:
        self.calls += 1
        if self.before_send:
            self.before_send()
        fault = self.faults.popleft() if self.faults else self.always
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "lost":
            self._accept(address, message, retry_key)
            raise SendFailed("unknown_outcome", sent="unknown")
        if isinstance(fault, Exception):
            raise fault
        self._accept(address, message, retry_key)

    def _accept(self, address: Address, message: Message, retry_key: str | None) -> None:
        if self.retry_keys and retry_key in self.keys:
            return  # 409: accepted before
        self.keys.add(retry_key or "")
        self.sent.append((address, message))

    async def typing(self, address: Address) -> None: ...

    async def start(self, receive: Receive) -> None: ...

    async def stop(self) -> None: ...


class Clinic:
    """A store, an outbox and what they said, with a clock that stands still until it is moved."""

    def __init__(self, store: Store, faq: Faq, **options: object) -> None:
        self.store = store
        self.faq = faq
        self.now = at(0, 12)
        self.telegram = FakeChannel()
        self.line = FakeChannel("line", retry_keys=True)
        self.told: list[str] = []
        self.channels = {"telegram": self.telegram, "line": self.line}
        self.options = options
        self.outbox = self.new_outbox()

    def new_outbox(self) -> Outbox:
        return Outbox(
            self.store,
            lambda: self.faq,
            self.channels,
            clock=lambda: self.now,
            tell_staff=self._tell,
            seed=7,
            sleep=self._sleep,
            **self.options,  # type: ignore[arg-type]
        )

    async def _tell(self, text: str) -> None:
        self.told.append(text)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def enrol(
        self, chat: str = "1", channel: str = "telegram", date: dt.date = DAY_0, language: str = "en"
    ) -> int:
        patient = self.store.give_consent(Address(channel, chat), self.now, language)
        assert patient.id is not None
        self.set_date(patient.id, date)
        return patient.id

    def enrol_many(self, chats: Iterable[int], channel: str = "telegram") -> None:
        """The same for a crowd, by the import's way."""
        planned = plan(self.faq.file.reminders.steps, DAY_0, self.faq.clinic.timezone)
        people = [
            NewPatient(Address(channel, str(chat)), self.now, "en", False, None, DAY_0, planned)
            for chat in chats
        ]
        for first in range(0, len(people), 1000):
            self.store.add_patients(people[first : first + 1000], self.now)

    def set_date(self, patient_id: int, date: dt.date, kind: str = THREAD_LIFT) -> None:
        planned = plan(self.faq.steps_of(kind), date, self.faq.clinic.timezone)
        self.store.set_procedure_date(patient_id, date, planned, self.now, kind)

    async def tick(self, now: dt.datetime | None = None) -> int:
        self.now = now or self.now
        return await self.outbox.tick()

    async def run(self, until: dt.datetime, step: dt.timedelta = dt.timedelta(minutes=30)) -> None:
        """Let time pass, ticking on the way; at least half an hour at a time while nothing is due within it."""
        while self.now < until:
            await self.tick()
            self.now = min(until, self.now + (step if self._due_within(CALM) else max(step, CALM)))
        await self.tick()

    def _due_within(self, time: dt.timedelta) -> bool:
        open_ones = reminders.c.state.in_(("pending", "sending")), reminders.c.due_at <= self.now + time
        with self.store.read() as db:
            return db.execute(select(reminders.c.id).where(*open_ones).limit(1)).first() is not None

    def texts(self, channel: FakeChannel | None = None) -> list[str]:
        return [message.text for _, message in (channel or self.telegram).sent]

    def headlines(self, channel: FakeChannel | None = None) -> list[str]:
        """The step ids of what was sent, in order."""
        steps = {self.faq.say(step.headline, "en"): step.id for step in self.faq.file.reminders.steps}
        return [next(id for words, id in steps.items() if words in text) for text in self.texts(channel)]
