"""Kill the process while messages are in flight: after the restart each is answered, at most one twice for each kill.

A real `smileline run`, real HTTP, SIGKILL at random moments; the platforms' emulators are the judges, not our tables.
`SMILELINE_TEST_MESSAGES=1000` makes it long.
"""

import asyncio
import base64
import contextlib
import os
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from intents.understand import Understander
from tests import helpers
from tests.databases import KEY
from tests.peers import bot_api, line_api

pytestmark = pytest.mark.slow

MESSAGES = int(os.environ.get("SMILELINE_TEST_MESSAGES", "200"))
KILLS = max(4, MESSAGES // 45)  # 22 of 1,000
SEED = int(os.environ.get("SMILELINE_TEST_SEED", random.randrange(10**6)))
QUESTIONS = ("How long does the swelling last?", "When can I drink alcohol again?", "When can I wear makeup?")
READY_SECONDS = 240.0  # a machine that must learn the language first takes long
CALIBRATION = 1  # the chat in which the answers are learned


class Process:
    """`smileline run` with its data in `folder`; the same data after each restart."""

    def __init__(self, folder: Path, **settings: object) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        (folder / "cache").symlink_to(helpers.CACHE)
        own = {"DATA_DIR": folder, "DATABASE_URL": f"sqlite:///{folder}/smileline.db", "HTTP": self.url[7:]}
        given = {f"SMILELINE_{name}": str(value) for name, value in (own | settings).items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SMILELINE_")}
        self._env, self._log = clean | given, folder / "log"
        self._running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", cwd=helpers.ROOT, env=self._env, stderr=log
            )
        async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession() as http:
            while True:
                assert self._running.returncode is None, self._log.read_text()[-3000:]
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"{self.url}/health") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        if self._running and self._running.returncode is None:
            self._running.send_signal(signal.SIGKILL)
            await self._running.wait()


@asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[Process]:
    process = Process(folder, **settings)
    try:
        await process.start()
        yield process
    finally:
        await process.kill()


async def kill_on_the_way(process: Process, answered: Callable[[], int], wait: Any) -> None:
    """KILLS times: let some be answered, kill in the middle of it, start again."""
    chance = random.Random(SEED)
    for _ in range(KILLS):
        target = answered() + chance.randrange(3, max(4, MESSAGES // (2 * KILLS)))
        await wait(lambda target=target: answered() >= target)
        await asyncio.sleep(chance.uniform(0, 0.05))
        await process.kill()
        await process.start()


def judge(asked: list[int], heads: Mapping[str, str], replies: Callable[[int], list[str]]) -> int:
    """Each chat has each answer, in the order of its questions. Returns how many came more than once."""
    doubled = 0
    for chat in asked:
        got = [reply for reply in replies(chat) if reply in heads.values()]
        assert list(dict.fromkeys(got)) == list(heads.values()), f"chat {chat}: {got} (seed {SEED})"
        doubled += sum(count - 1 for count in Counter(got).values())
    return doubled


async def test_every_telegram_message_is_answered_though_the_process_is_killed(
    tmp_path: Path, understander: Understander
) -> None:
    chats = list(range(1000, 1000 + MESSAGES // len(QUESTIONS)))
    async with bot_api.BotApiServer() as telegram:

        def heads_of(chat: int) -> list[str]:
            return [text.split("\n")[0] for text in telegram.texts(chat)]

        def answered() -> int:
            return sum(chat != str(CALIBRATION) for chat, _ in telegram.messages)

        def all_answered() -> bool:
            return all(len(set(heads_of(chat))) >= len(QUESTIONS) for chat in chats)

        settings = {"TELEGRAM_TOKEN": bot_api.TOKEN, "TELEGRAM_API_URL": telegram.url}
        async with running(tmp_path, **settings) as process:
            heads = {}
            for number, question in enumerate(QUESTIONS, 1):
                await telegram.say(CALIBRATION, question)
                await telegram.seen(lambda number=number: len(telegram.texts(CALIBRATION)) == number, 30)
                heads[question] = heads_of(CALIBRATION)[-1]
            for question in QUESTIONS:
                for chat in chats:
                    await telegram.say(chat, question)
            await kill_on_the_way(process, answered, lambda ready: telegram.seen(ready, 60))
            await telegram.seen(all_answered, 60 + MESSAGES / 10)

    doubled = judge(chats, heads, heads_of)
    print(f"telegram: {MESSAGES} messages, {KILLS} kills, {doubled} doubled, seed {SEED}")
    assert doubled <= KILLS
    assert telegram.violations == []


async def test_every_line_message_is_answered_though_the_process_is_killed(
    tmp_path: Path, understander: Understander
) -> None:
    users = list(range(1000, 1000 + MESSAGES // len(QUESTIONS)))
    async with line_api.LinePlatform() as line:

        def heads_of(user: int) -> list[str]:
            return [_head(call["messages"]) for call in line.accepted if call["to"] == _user(user)]

        def answered() -> int:
            return len(line.accepted)

        def all_answered() -> bool:
            by_user = Counter(call["to"] for call in line.accepted)
            return all(by_user[_user(user)] >= len(QUESTIONS) for user in users)

        settings = {"LINE_TOKEN": line_api.TOKEN, "LINE_SECRET": line_api.SECRET, "LINE_API_URL": line.url}
        async with running(tmp_path, **settings) as process, aiohttp.ClientSession() as http:
            people = LinePeople(line, f"{process.url}/webhook/line", http)
            heads = {}
            for number, question in enumerate(QUESTIONS, 1):
                await people.say(CALIBRATION, question)
                await line.seen(lambda number=number: len(line.accepted) == number, 30)
                heads[question] = heads_of(CALIBRATION)[-1]
            saying = asyncio.create_task(people.all_say(users))
            await kill_on_the_way(process, answered, lambda ready: line.seen(ready, 60))
            await saying
            await line.seen(all_answered, 60)
            await people.repeat_some()

    doubled = judge(users, heads, heads_of)
    print(f"line: {MESSAGES} messages, {KILLS} kills, {doubled} doubled, seed {SEED}")
    assert doubled <= KILLS
    assert line.violations == []


async def test_a_living_process_takes_over_from_a_killed_one(
    tmp_path: Path, understander: Understander
) -> None:
    users = list(range(1000, 1000 + MESSAGES // len(QUESTIONS)))
    folders = [tmp_path / "one", tmp_path / "two"]
    async with line_api.LinePlatform() as line:

        def heads_of(user: int) -> list[str]:
            return [_head(call["messages"]) for call in line.accepted if call["to"] == _user(user)]

        def all_answered() -> bool:
            return all(len(set(heads_of(user))) >= len(QUESTIONS) for user in users)

        settings = {
            "LINE_TOKEN": line_api.TOKEN,
            "LINE_SECRET": line_api.SECRET,
            "LINE_API_URL": line.url,
            "DATABASE_URL": f"sqlite:///{tmp_path}/shared.db",
            "DATA_KEY": base64.b64encode(KEY).decode(),
        }
        for folder in folders:
            folder.mkdir()
        async with (
            running(folders[0], **settings) as one,
            running(folders[1], **settings) as two,
            aiohttp.ClientSession() as http,
        ):
            people = LinePeople(line, f"{one.url}/webhook/line", http)
            heads = {}
            for number, question in enumerate(QUESTIONS, 1):
                await people.say(CALIBRATION, question)
                await line.seen(lambda number=number: len(line.accepted) == number, 30)
                heads[question] = heads_of(CALIBRATION)[-1]
            people.urls = [f"{process.url}/webhook/line" for process in (one, two)]
            saying = asyncio.create_task(people.all_say(users))
            await line.seen(lambda: len(line.accepted) > MESSAGES // 3, 60)
            await one.kill()
            people.urls = people.urls[1:]
            await saying
            await line.seen(all_answered, 90)

    doubled = judge(users, heads, heads_of)
    print(f"line, two processes: {MESSAGES} messages, 1 kill, {doubled} doubled, seed {SEED}")
    assert doubled <= 1
    assert line.violations == []


class LinePeople:
    """Friends of the account, and LINE's habit of delivering until it gets a 200, now and then once more."""

    def __init__(self, line: line_api.LinePlatform, url: str, http: aiohttp.ClientSession) -> None:
        self._line, self._http = line, http
        self.urls = [url]  # of the processes that live, as a load balancer knows them
        self._taken: list[dict[str, Any]] = []
        self._gate = asyncio.Semaphore(40)
        self._chance = random.Random(SEED)

    async def all_say(self, users: list[int]) -> None:
        await asyncio.gather(*(self._three(user) for user in users))

    async def _three(self, user: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, MESSAGES / 40))
        for question in QUESTIONS:
            async with self._gate:
                await self.say(user, question)

    async def say(self, user: int, text: str) -> None:
        event = self._line.event(user=_user(user), text=text)
        while await self._line.deliver(self._post, event) != 200:
            event = event | {"deliveryContext": {"isRedelivery": True}}
            await asyncio.sleep(0.2)
        self._taken.append(event)

    async def repeat_some(self) -> None:
        """Events that were taken come once more, in any order."""
        for event in self._chance.sample(self._taken, 20):
            again = event | {"deliveryContext": {"isRedelivery": True}}
            assert await self._line.deliver(self._post, again) == 200

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            url = self._chance.choice(self.urls)
            async with self._http.post(url, data=body, headers=headers) as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0


def _user(number: int) -> str:
    return f"U{number:032x}"


def _head(messages: list[dict[str, Any]]) -> str:
    """The first words of an answer."""
    first = messages[0]
    return str(first.get("text") or first.get("altText")).split("\n")[0]
