"""Small stand-ins with a queue and a history, given to the same constructors as the real things."""

import datetime as dt
from dataclasses import dataclass, field

from bot.channels.port import Receive, SendFailed
from bot.core.effects import OpenAlert
from bot.core.unsaid import added
from bot.core.values import Address, Incoming, Line, Message, Patient, Situation
from tests.helpers import NOW


@dataclass
class Clock:
    """A clock that tests move."""

    now: dt.datetime = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += dt.timedelta(**delta)


@dataclass
class FakeChannel:
    """Keeps what was sent; `failures` are raised one after the other before sends succeed."""

    name: str = "fake"
    platform: str = "Fake Messenger"
    retry_keys: bool = False
    sent: list[tuple[Address, Message]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    repeats: list[bool] = field(default_factory=list)
    failures: list[SendFailed | Exception] = field(default_factory=list)
    typed: list[Address] = field(default_factory=list)
    receive: Receive | None = None

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((address, message))
        self.keys.append(retry_key)
        self.repeats.append(repeated)

    async def typing(self, address: Address) -> None:
        self.typed.append(address)

    async def start(self, receive: Receive) -> None:
        self.receive = receive

    async def stop(self) -> None:
        self.receive = None

    @property
    def texts(self) -> list[str]:
        return [message.text for _, message in self.sent]

    @property
    def last(self) -> Message:
        return self.sent[-1][1]


@dataclass
class FakeVisits:
    """Requests for a visit, as they come."""

    asked: list[Patient] = field(default_factory=list)
    stopped: list[Patient] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)

    async def ask(self, patient: Patient, now: dt.datetime) -> None:
        self.asked.append(patient)

    async def stop_asking(self, patient: Patient) -> None:
        self.stopped.append(patient)

    async def request(self, patient: Patient, wishes: str, now: dt.datetime) -> int:
        self.wishes.append(wishes)
        return len(self.wishes)

    async def show(self, number: int, patient: Patient, now: dt.datetime) -> bool:
        self.shown.append(number)
        return True


@dataclass
class FakeStaff:
    """Staff that can be told, or not."""

    reachable: bool = True
    answers: bool = True
    alerts: list[tuple[Patient, OpenAlert]] = field(default_factory=list)
    taken: set[Address] = field(default_factory=set)
    asking: set[Address] = field(default_factory=set)
    chats: set[Address] = field(default_factory=set)
    said: list[tuple[Address, tuple[Line, ...], bool]] = field(default_factory=list)
    listened: list[Incoming] = field(default_factory=list)
    talk: tuple[Line, ...] = ()
    pictures: tuple[Incoming, ...] = ()
    left: list[Address] = field(default_factory=list)
    wrote_at: dt.datetime | None = None
    kept: dict[Address, tuple[str, ...]] = field(default_factory=dict)  # what patients could not be told
    not_told: list[bool] = field(default_factory=list)  # whether they had got an answer at least
    fails: bool = False
    visits: FakeVisits = field(default_factory=FakeVisits)

    def is_staff(self, address: Address) -> bool:
        return address in self.chats

    def situation(self, address: Address) -> Situation:
        alarmed = any(patient.address == address for patient, _ in self.alerts)
        asking, reachable = address in self.asking, self.reachable
        unsaid = self.kept.get(address, ())
        return Situation(address in self.taken, alarmed, asking, reachable, self.wrote_at, unsaid)

    async def heard(self, event: Incoming) -> str:
        self.listened.append(event)
        return "heard"

    async def overheard(
        self, patient: Patient, event: Incoming, lines: tuple[Line, ...], taken: bool, now: dt.datetime
    ) -> None:
        if self.fails:
            raise ConnectionError("the staff chat is away")
        self.said.append((patient.address, lines, taken))

    async def unsaid(
        self, patient: Patient, texts: tuple[str, ...], answered: bool, now: dt.datetime
    ) -> None:
        if self.fails:
            raise ConnectionError("the staff chat is away")
        self.kept[patient.address] = added(self.kept.get(patient.address, ()), texts)
        self.not_told.append(answered)

    async def unsaid_told(self, address: Address, now: dt.datetime) -> None:
        self.kept.pop(address, None)

    async def leaving(self, address: Address, now: dt.datetime) -> None:
        if self.fails:
            raise ConnectionError("the staff chat is away")
        self.left.append(address)

    async def shown(self, patient: Patient, events: tuple[Incoming, ...]) -> None:
        self.pictures += events

    async def alert(
        self, patient: Patient, alert: OpenAlert, talk: tuple[Line, ...], now: dt.datetime
    ) -> bool:
        if self.fails:
            raise ConnectionError("the staff chat is away")
        self.alerts.append((patient, alert))
        self.talk = talk
        return self.answers
