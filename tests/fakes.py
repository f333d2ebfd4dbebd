"""Small stand-ins with a queue and a history, given to the same constructors as the real things."""

import datetime as dt
from dataclasses import dataclass, field

from bot.channels.port import Receive, SendFailed
from bot.core.values import Address, Message, OpenAlert, Patient
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
    failures: list[SendFailed | Exception] = field(default_factory=list)
    receive: Receive | None = None

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
    ) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((address, message))
        self.keys.append(retry_key)

    async def typing(self, address: Address) -> None:
        return None

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
class FakeStaff:
    """Staff that can be told, or not."""

    reachable: bool = True
    answers: bool = True
    alerts: list[tuple[Patient, OpenAlert]] = field(default_factory=list)
    taken: set[Address] = field(default_factory=set)
    fails: bool = False

    def taken_over(self, address: Address) -> bool:
        return address in self.taken

    async def alert(self, patient: Patient, alert: OpenAlert, now: dt.datetime) -> bool:
        if self.fails:
            raise ConnectionError("the staff chat is away")
        self.alerts.append((patient, alert))
        return self.answers
