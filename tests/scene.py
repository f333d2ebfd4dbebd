"""One process with its inbox over the real SQLite store, a channel and staff that are stand-ins, and what people do."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bot.core.values import Address, Incoming
from bot.inbox import Inbox
from bot.store.schema import addresses, patients
from bot.store.store import Store
from intents.faq import Faq
from intents.types import Match, Understanding
from intents.understand import Message
from tests.databases import ready_store
from tests.fakes import Clock, FakeChannel, FakeStaff

ANNA = Address("fake", "anna-4711-chat")
BEN = Address("fake", "ben-0815-chat")


@dataclass
class Understands:
    """Understands what it was told to; whatever else is unknown. `fails` is raised instead."""

    faq: Faq
    meanings: dict[str, dict[str, Any]] = field(default_factory=dict)
    fails: Exception | None = None

    def understand(self, text: str, hint: str | None = None) -> Understanding:
        if self.fails:
            raise self.fails
        meaning: dict[str, Any] = {"outcome": "unknown", **self.meanings.get(text, {})}
        return Understanding(text, hint or "en", **meaning)

    def understand_all(self, messages: Sequence[Message]) -> list[Understanding]:
        return [self.understand(*message) for message in messages]


DANGER = {"outcome": "danger", "urgency": "emergency", "red_flag": "breathing_swallowing"}
SWELLING = {"outcome": "answer", "matches": (Match("swelling", 0.9),)}


class BrokenStore:
    """The real store, whose named methods fail until they are mended."""

    def __init__(self, store: Store) -> None:
        self._store, self.broken = store, set[str]()

    def __getattr__(self, name: str) -> Any:
        if name in self.broken:
            raise OperationalError("the database is away", None, OSError())
        return getattr(self._store, name)


class Scene:
    """One process: its inbox, and what people do."""

    def __init__(self, store: Store, faq: Faq) -> None:
        self.real, self.store = store, BrokenStore(store)
        self.clock, self.channel, self.staff = Clock(), FakeChannel(), FakeStaff()
        self.understands = Understands(faq, {"swollen": SWELLING, "I cannot breathe": DANGER})
        self.faq, self.seconds, self.slept = faq, 0.0, list[float]()
        self._ids, self.typing_after_seconds = itertools.count(1), 60.0
        self.inbox = self.restarted()

    def restarted(self, owner: str = "this machine") -> Inbox:
        """A new process over the same store, after the old one's end."""
        self.inbox = Inbox(
            self.store,  # type: ignore[arg-type]
            lambda: self.understands,  # type: ignore[arg-type, return-value]
            {"fake": self.channel},
            self.staff,
            self.clock,
            owner=owner,
            typing_after_seconds=self.typing_after_seconds,
            sleep=self._sleep,
            monotonic=lambda: self.seconds,
        )
        return self.inbox

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def event(self, text: str = "", who: Address = ANNA, **values: Any) -> Incoming:
        kind = "text" if text else "action"
        return Incoming(who, str(next(self._ids)), self.clock(), **{"kind": kind, "text": text, **values})

    async def receive(self, event: Incoming) -> None:
        await self.inbox.receive(event)
        await self.inbox.drain()

    async def say(self, text: str, who: Address = ANNA) -> None:
        await self.receive(self.event(text, who))

    async def press(self, action: str, who: Address = ANNA) -> None:
        await self.receive(self.event(who=who, action=action))

    async def enrol(self, who: Address = ANNA, date: str = "2026-11-20") -> None:
        await self.press(f"consent:{date}", who)

    def unhandled(self) -> list[str]:
        return [event.event_id for event in self.real.unhandled_events()]


@pytest.fixture
def scene_folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def scene(scene_folder: Path, faq: Faq) -> Iterator[Scene]:
    store = ready_store(scene_folder / "smileline.db")
    yield Scene(store, faq)
    store.close()


def push_channel(store: Store, patient_id: int | None) -> str | None:
    """Where this patient's reminders go."""
    preferred = select(addresses.c.channel).join(patients, patients.c.push_address_id == addresses.c.id)
    with store.read() as db:
        return db.execute(preferred.where(patients.c.id == patient_id)).scalar()
