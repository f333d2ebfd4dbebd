"""A staff page on a loopback port, over a real store, for tests; and browsers' worth of cookies to knock with."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher

from bot.channels.webchat import WebChat
from bot.staff.desk import StaffDesk
from bot.staff.recall import Recall
from bot.staff.site import Site
from bot.store.store import Store
from bot.web import WebServer
from intents.faq import load
from intents.types import Understanding
from tests.databases import KEY, ready_store
from tests.fakes import Clock, FakeChannel
from tests.helpers import NOW, shipped_text
from tests.staff_fakes import FakeRoom

PASSWORD = "quiet sea stone"
NAMES = {"editor": "Eda", "care": "Cara", "admin": "Ada"}


# As the store keeps the password, but quick to compare: what it costs stands in the hash.
KEPT = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


class Live:
    """Stands for bot.live.LiveFaq, without its training."""

    def __init__(self, path: Path, current: Any) -> None:
        self.path, self.current, self.problems = path, current, list[str]()

    def reload(self) -> bool:
        self.current = self.current.with_faq(load(self.path.read_bytes()))
        return True


@dataclass
class Reader:
    """Understands nothing; holds a version of the FAQ."""

    faq: Any

    def with_faq(self, faq: Any) -> "Reader":
        return Reader(faq)

    def understand(self, text: str, hint: str | None = None) -> Understanding:
        return Understanding(text, hint or "en", "unknown")


@dataclass
class Clinic:
    """The parts that WebServer wants of an App, and what tests look at."""

    store: Store
    live: Live
    url: str = ""
    clock: Clock = field(default_factory=Clock)
    room: FakeRoom = field(default_factory=FakeRoom)
    line: FakeChannel = field(default_factory=lambda: FakeChannel("line", "LINE"))

    def __post_init__(self) -> None:
        self.faq, self.webchat = self.live, WebChat(self.clock, Recall(self.store, self.clock))
        self.channels = {"line": self.line, "web": self.webchat}
        self.staff = StaffDesk(
            self.store, self.room, self.channels, lambda: self.live.current.faq, self.clock  # type: ignore[arg-type]
        )  # fmt: skip
        self.staff_site = Site(self.store, self.staff, self.live, self.live.path, KEY, self.clock)  # type: ignore[arg-type]

    def health(self) -> dict[str, object]:
        return {"ok": True}


@asynccontextmanager
async def open_clinic(folder: Path, current: Any, text: str | None = None) -> AsyncIterator[Clinic]:
    """A clinic with one account of each role; its faq.yaml is `text`, else the shipped one."""
    store = ready_store(folder / "s.db")
    for role, name in NAMES.items():
        store.put_account(name, role, KEPT, NOW)  # type: ignore[arg-type]
    path = folder / "faq.yaml"
    path.write_text(text or shipped_text(), encoding="utf-8")
    clinic = Clinic(store, Live(path, current))
    server = WebServer("127.0.0.1", 0, clinic)  # type: ignore[arg-type]
    await server.start()
    clinic.url = server.address
    try:
        yield clinic
    finally:
        await server.stop()
        store.close()


class Browser:
    """One person's cookies. `get` and `post` do not follow redirects."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.csrf = clinic, ""
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.clinic.url + path, allow_redirects=False) as answer:
            text = await answer.text()
            return answer.status, text or answer.headers.get("Location", "")

    async def post(self, path: str, csrf: str | None = None, **form: str) -> tuple[int, str]:
        data = {"csrf": self.csrf if csrf is None else csrf, **form}
        headers = {"Origin": self.clinic.url}
        url = self.clinic.url + path
        async with self.http.post(url, data=data, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            return answer.status, text or answer.headers.get("Location", "")

    async def log_in(self, role: str, password: str = PASSWORD) -> int:
        _, page = await self.get("/staff/login")
        door = re.search(r'name="csrf" value="([^"]+)"', page)
        assert door
        status, _ = await self.post("/staff/login", door[1], name=NAMES.get(role, role), password=password)
        if status == 303:
            _, page = await self.get("/staff/try")
            found = re.search(r'name="csrf" value="([^"]+)"', page)
            assert found
            self.csrf = found[1]
        return status

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}

    def plant(self, name: str, value: str) -> None:
        self.http.cookie_jar.update_cookies({name: value})


async def page_of(clinic: Clinic, role: str, path: str) -> str:
    """What somebody of this role sees there."""
    async with Browser(clinic) as browser:
        await browser.log_in(role)
        return (await browser.get(path))[1]


MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
async def editor(clinic: Clinic) -> AsyncIterator[Browser]:
    """Logged in as an editor; a module that uses it says what `clinic` is."""
    async with Browser(clinic) as browser:
        await browser.log_in("editor")
        yield browser
