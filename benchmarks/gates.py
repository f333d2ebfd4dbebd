"""The product against emulators that none of us wrote: conversations end to end and faults, judged by the gates in front of them.

    python benchmarks/gates.py --telegram http://127.0.0.1:9100 --telegram-people http://127.0.0.1:9000 \\
        --line http://127.0.0.1:9200 --http 127.0.0.1:9220

It wants running gates and does not start them: `--telegram` stands before telegram-test-api (npm), checks every request against
the Bot API's specification and speaks getUpdates and webhooks as Telegram does; `--telegram-people` is the emulator's own side for
people; `--line` stands before Prism serving LINE's OpenAPI file, and sends signed events to `http://<--http>/webhook/line` with
the secret `--line-secret`. Both take faults at `POST /_gate/faults` and tell what happened at `GET /_gate/journal`. A real
`smileline run` is started, by polling and by webhook. Exit status 0 when everything held.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bot.core.wording import Wording
from intents.faq import Faq, load

ROOT = Path(__file__).parents[1]
TOKEN = "123456:TEST-token_of-no-bot-at-all-0000000"
PATIENCE_SECONDS = 20.0
QUESTIONS = {
    "en": "How long does the swelling last?",
    "ja": "腫れはいつまで続きますか",
    "ko": "붓기는 얼마나 가나요?",
    "zh": "肿多久能消？",
}
VAGUE = {"en": "pain", "ja": "痛み", "ko": "통증", "zh": "疼"}
DANGER = {"en": "I can't breathe", "ja": "息ができません", "ko": "숨을 못 쉬겠어요", "zh": "我喘不上气"}
NAMES = {"en": "English", "ja": "日本語", "ko": "한국어", "zh": "简体中文"}
_one_at_a_time = asyncio.Lock()
Said = tuple[str, list[tuple[str, str]]]  # words, and buttons as (label, data)


class Held:
    """What was asked of the product, and whether it held."""

    def __init__(self) -> None:
        self.steps, self.failed = 0, list[str]()

    def check(self, ok: bool, what: str) -> None:
        self.steps += 1
        if not ok:
            self.failed.append(what)
            print("FAILED", what, flush=True)


class Gate:
    """One gate: its journal and its faults."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http, self.url = http, url.rstrip("/")

    async def tell(self, what: str, body: Any = None) -> Any:
        async with self.http.post(
            f"{self.url}/_gate/{what}", json=body if body is not None else {}
        ) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def journal(self) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}/_gate/journal") as answer:
            return list(await answer.json())


class TelegramPerson:
    """Somebody in a private chat with the bot."""

    def __init__(self, gate: Gate, people: str, number: int) -> None:
        self.gate, self.people, self.number = gate, people.rstrip("/"), number

    async def said(self) -> list[Said]:
        """What the platform has accepted for this person, in order."""
        calls = [row["params"] for row in await self.gate.journal() if row.get("outcome") == "accepted"]
        mine = [p for p in calls if "text" in p and str(p.get("chat_id")) == str(self.number)]
        return [(p["text"], _keyboard(p.get("reply_markup"))) for p in mine]

    async def say(self, text: str) -> None:
        entities = [{"type": "bot_command", "offset": 0, "length": len(text)}] if text.startswith("/") else []
        await self._post(
            "sendCommand" if entities else "sendMessage",
            text=text,
            **({"entities": entities} if entities else {}),
        )

    async def show(self, kind: str) -> None:
        content: dict[str, Any] = {
            "picture": {"photo": [{"file_id": "f", "file_unique_id": "u", "width": 9, "height": 9}]},
            "sticker": {
                "sticker": {
                    "file_id": "f", "file_unique_id": "u", "type": "regular", "width": 1, "height": 1,
                    "is_animated": False, "is_video": False,
                }
            },
            "place": {"location": {"latitude": 1.0, "longitude": 2.0}},
        }[kind]  # fmt: skip
        await self._post("sendMessage", **content)

    async def press(self, data: str) -> None:
        journal = await self.gate.journal()
        number = next(
            (
                row["message_id"] for row in reversed(journal)
                if row.get("outcome") == "accepted" and data in str(row["params"].get("reply_markup"))
            ),
            0,
        )  # fmt: skip
        message = {"message_id": number, "date": int(time.time()), "chat": self._chat(), "text": "x"}
        await self._post("sendCallback", data=data, message=message)

    async def pick_today(self, said: Said, faq: Faq, language: str) -> None:
        label = Wording(faq, language)("btn_today")
        await self.press(next((data for text, data in said[1] if text == label), "none"))

    def _chat(self) -> dict[str, Any]:
        return {"id": self.number, "first_name": "Pat", "type": "private"}

    async def _post(self, route: str, **content: Any) -> None:
        person = {"id": self.number, "first_name": "Pat", "is_bot": False, "language_code": "en"}
        body = {"botToken": TOKEN, "date": int(time.time()), "from": person, "chat": self._chat(), **content}
        async with (
            _one_at_a_time
        ):  # with a webhook set, the emulator gives two who write at once the same update_id
            async with self.gate.http.post(f"{self.people}/{route}", json=body) as answer:
                assert (await answer.json())["ok"]
            await asyncio.sleep(0.05)


class LinePerson:
    """A friend of the official account."""

    def __init__(self, gate: Gate, number: int) -> None:
        self.gate, self.user = gate, f"U{number:032x}"
        self._tokens: set[str] = set()

    async def said(self) -> list[Said]:
        found: list[Said] = []
        for row in await self.gate.journal():
            body = row.get("body") or {}
            mine = body.get("to") == self.user or body.get("replyToken") in self._tokens
            if row.get("outcome") == "accepted" and "messages" in body and mine:
                found += [_line_said(message) for message in body["messages"]]
        return found

    async def say(self, text: str) -> None:
        await self._send(text=text)

    async def show(self, kind: str) -> None:
        message = {
            "picture": {"type": "image", "quoteToken": "q", "contentProvider": {"type": "line"}},
            "sticker": {
                "type": "sticker", "quoteToken": "q", "packageId": "1", "stickerId": "2",
                "stickerResourceType": "STATIC",
            },
            "place": {"type": "location", "latitude": 1.0, "longitude": 2.0},
        }[kind]  # fmt: skip
        await self._send(
            event={"type": "message", "replyToken": _token(), "message": {"id": "77", **message}}
        )

    async def follow(self) -> None:
        await self._send(event={"type": "follow", "follow": {"isUnblocked": False}})

    async def press(self, data: str) -> None:
        await self._send(event={"type": "postback", "postback": {"data": data}})

    async def pick_today(self, said: Said, faq: Faq, language: str) -> None:
        """By LINE's own date picker."""
        day = dt.datetime.now(dt.UTC).date()
        await self._send(
            event={"type": "postback", "postback": {"data": "date", "params": {"date": f"{day}"}}}
        )

    async def _send(self, **spec: Any) -> None:
        answer = await self.gate.tell("send", {"user": self.user, **spec})
        assert answer["status"][-1] == 200, answer
        self._tokens |= {event["replyToken"] for event in answer["events"] if "replyToken" in event}


Person = TelegramPerson | LinePerson


def _token() -> str:
    return os.urandom(16).hex()


def _keyboard(markup: Any) -> list[tuple[str, str]]:
    rows = json.loads(markup)["inline_keyboard"] if markup else []
    return [(button["text"], button["callback_data"]) for row in rows for button in row]


def _line_said(message: dict[str, Any]) -> Said:
    quick = [item["action"] for item in message.get("quickReply", {}).get("items", [])]
    card = message.get("contents", {}).get("body", {}).get("contents", [])
    actions = [*(row["action"] for row in card if "action" in row), *quick]
    return message.get("text", ""), [(action["label"], action["data"]) for action in actions]


class Conversation:
    """One person talks; each step waits for what the product must say to it."""

    def __init__(self, held: Held, person: Person, faq: Faq, language: str) -> None:
        self.held, self.person, self.faq, self.language = held, person, faq, language
        self.words = Wording(faq, language, platform="")

    async def hears(self, what: str, wanted: Callable[[str], bool]) -> Said:
        """The newest message that is `wanted` and came after the last step; waited for."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            said = await self.person.said()
            for found in reversed(said[self._mark :]):
                if wanted(found[0]):
                    self.held.check(True, what)
                    return found
            await asyncio.sleep(0.1)
        self.held.check(False, f"{type(self.person).__name__} {self.language}: {what}")
        return "", []

    async def mark(self) -> None:
        self._mark = len(await self.person.said())

    def key(self, key: str) -> Callable[[str], bool]:
        """The sentence `key`, up to its first placeholder."""
        head = self.faq.message(key, self.language).split("{")[0].strip().split("\n")[0]  # type: ignore[arg-type]
        assert len(head) >= 3, key
        return lambda text: head in text

    async def run(self) -> None:
        language, person = self.language, self.person
        await self.mark()
        await (person.follow() if isinstance(person, LinePerson) else person.say("/start"))
        _, buttons = await self.hears(
            "greeting, then the choice of languages", lambda t: any(n in str(t) for n in ("language", "语言"))
        )
        await self.mark()
        await person.press(next((data for label, data in buttons if label == NAMES[language]), "lang:en"))
        await self.hears("the language is set", self.key("language_set"))
        await self.step(person.say(QUESTIONS[language]), "an answer", lambda text: len(text) > 80)
        _, buttons = await self.step(
            person.say(VAGUE[language]), "choices or an answer", lambda text: bool(text)
        )
        for _ in range(20):  # on LINE the card with the choices is the message after the words
            said = await person.said()
            if buttons := next((found[1] for found in reversed(said) if found[1]), []):
                break
            await asyncio.sleep(0.1)
        await self.mark()
        await person.press(buttons[0][1])
        await self.hears("the button's answer", lambda text: len(text) > 20)
        emergency = self.faq.clinic.emergency_numbers[self.faq.clinic.country]
        await self.step(
            person.say(DANGER[language]), "what to do about danger", lambda text: emergency in text
        )
        await self.hears("that nobody was told, since there is no staff chat", self.key("alert_not_sent"))
        await self._enrol()
        await self.step(person.show("picture"), "pictures are for people", self.key("unsupported_photo"))
        await self.step(person.show("sticker"), "a sticker", self.key("unsupported_sticker"))
        await self.step(person.show("place"), "a place", self.key("unsupported_other"))
        await self.step(person.say((QUESTIONS[language] * 900)[:4900]), "a long text", self.key("too_long"))
        await self.step(person.say("🙂" * 200), "emoji", lambda text: bool(text))
        await self.step(person.say("\u202eمرحبا\u202c " * 40), "right to left", lambda text: bool(text))

    async def step(self, doing: Any, what: str, wanted: Callable[[str], bool]) -> Said:
        await self.mark()
        await doing
        return await self.hears(what, wanted)

    async def _enrol(self) -> None:
        person = self.person
        said = await self.step(person.say("/date"), "when was it", self.key("ask_date"))
        await self.mark()
        await person.pick_today(said, self.faq, self.language)
        _, buttons = await self.hears("may I keep it", self.key("consent_ask"))
        agree = self.words("btn_agree")
        await self.mark()
        await person.press(next((data for label, data in buttons if label == agree), "consent:no"))
        await self.hears("thank you", self.key("consent_thanks"))
        await self.step(person.say("/reminders"), "the list of reminders", self.key("reminders_header"))
        await self.step(
            person.say("/pair"),
            "a code",
            lambda text: re.search(r"\d{6}", text) is not None,
        )


# --- faults

# kind -> (settings, answers at least, at most); a lost answer may mean a second one, on Telegram
TELEGRAM_FAULTS: dict[str, tuple[dict[str, Any], int, int]] = {
    "429": ({"retry_after": 3}, 1, 1),
    "403": ({}, 0, 0),
    "500": ({}, 1, 2),
    "html": ({}, 1, 2),
    "json": ({}, 1, 2),
    "cut_before": ({}, 1, 1),
    "cut_after": ({}, 1, 2),
    "hang": ({"seconds": 14}, 1, 2),
}
# On LINE the reply token, which works once, and the retry key tell: nothing comes twice.
LINE_FAULTS: dict[str, tuple[dict[str, Any], int, int]] = {
    "429": ({}, 1, 1),
    "403": ({}, 0, 0),
    "500": ({}, 1, 1),
    "html": ({}, 1, 1),
    "cut_before": ({}, 1, 1),
    "cut_after": ({}, 1, 1),
    "hang": ({"seconds": 14}, 1, 1),
}


async def faults(
    held: Held, gate: Gate, person_of: Callable[[int], Person], where: dict[str, Any], kinds: Any
) -> None:
    """Each kind of fault meets one person's answer."""
    for number, (kind, (settings, least, most)) in enumerate(kinds.items()):
        person = person_of(number)
        chat = {"chat_id": person.number} if isinstance(person, TelegramPerson) else {}
        await gate.tell("faults", [{"kind": kind, "times": 1, **where, **chat, **settings}])
        before = len(await gate.journal())
        await person.say(QUESTIONS["en"])
        answers = await _settled(person, least)
        held.check(
            least <= answers <= most,
            f"{type(person).__name__} fault {kind}: {answers} answers of {least}-{most}",
        )
        rows = (await gate.journal())[before:]
        met = [
            row
            for row in rows
            if str(row.get("outcome", "")).startswith("fault") or row.get("told") == "cut_after"
        ]
        held.check(bool(met), f"{type(person).__name__} fault {kind}: it was met")
        if kind == "429" and isinstance(person, TelegramPerson):
            mine = [
                row["t"]
                for row in rows
                if row.get("params", {}).get("chat_id") in (person.number, str(person.number))
                and row["method"] == "sendMessage"
            ]
            held.check(
                mine[1] - mine[0] >= settings["retry_after"], "nothing to that chat before retry_after"
            )
    await gate.tell("faults", [])


async def _settled(person: Person, least: int) -> int:
    """How many answers there are once they are there and no more come."""
    heads = lambda said: sum(len(text) > 80 for text, _ in said)  # noqa: E731
    end = time.monotonic() + 40
    while time.monotonic() < end and heads(await person.said()) < max(least, 1):
        if least == 0 and time.monotonic() > end - 35:
            break
        await asyncio.sleep(0.2)
    await asyncio.sleep(2.5)
    return heads(await person.said())


# --- the product


@asynccontextmanager
async def product(http: str, **settings: str) -> AsyncIterator[None]:
    """`smileline run` on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="smileline-gates-") as name:
        folder = Path(name)
        with contextlib.suppress(FileExistsError):
            (folder / "cache").symlink_to(ROOT / "data" / "cache")
        own = {
            "DATA_DIR": name,
            "DATABASE_URL": f"sqlite:///{name}/s.db",
            "HTTP": http,
            "FAQ": str(ROOT / "faq.yaml"),
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SMILELINE_")}
        env = clean | {f"SMILELINE_{key}": value for key, value in (own | settings).items()}
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", cwd=ROOT, env=env, stdout=log, stderr=log
            )
        try:
            await _until_up(http, process)
            yield
        finally:
            process.terminate()
            await process.wait()
            leaked = [
                secret
                for secret in settings.values()
                if len(secret) > 30 and secret in (folder / "log").read_text()
            ]
            assert not leaked, "a secret stands in the log"


async def _until_up(http: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(240), aiohttp.ClientSession() as session:
        while True:
            assert process.returncode is None, "the product ended"
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://{http}/health") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)


async def talk(held: Held, people: list[Person], faq: Faq) -> None:
    talks = [
        Conversation(held, person, faq, language) for person, language in zip(people, QUESTIONS, strict=True)
    ]
    await asyncio.gather(*(one.run() for one in talks))


async def telegram(held: Held, asked: argparse.Namespace, faq: Faq, mode: str) -> None:
    async with aiohttp.ClientSession() as http:
        gate = Gate(http, asked.telegram)
        await gate.tell("reset")
        await gate.tell("dup", {"p": 0.2})  # a fifth of the updates come twice

        def person(number: int) -> TelegramPerson:
            base = (1 if mode == "polling" else 2) * 100_000 + int(time.time()) % 10_000 * 10
            return TelegramPerson(gate, asked.telegram_people, base + number)

        people: list[Person] = [person(number) for number in range(4)]
        settings = {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API_URL": asked.telegram, "TELEGRAM_MODE": mode}
        async with product(asked.http, **settings, PUBLIC_URL=f"http://{asked.http}"):
            await talk(held, people, faq)
            await faults(held, gate, lambda n: person(100 + n), {"method": "sendMessage"}, TELEGRAM_FAULTS)
        async with http.get(f"{gate.url}/_gate/violations") as answer:
            violations = await answer.json()
        held.check(violations == [], f"telegram {mode}: outside the specification: {violations[:3]}")
        calls = [row for row in await gate.journal() if row["kind"] == "call"]
        print(f"telegram by {mode}: {len(calls)} calls, {len(violations)} outside the specification")


async def line(held: Held, asked: argparse.Namespace, faq: Faq) -> None:
    async with aiohttp.ClientSession() as http:
        gate = Gate(http, asked.line)
        await _warm(gate)
        base = int(time.time()) % 100_000 * 1000
        people: list[Person] = [LinePerson(gate, base + number) for number in range(4)]
        settings = {"LINE_TOKEN": "t" * 40, "LINE_SECRET": asked.line_secret, "LINE_API_URL": asked.line}
        async with product(asked.http, **settings):
            await talk(held, people, faq)
            await faults(
                held, gate, lambda n: LinePerson(gate, base + 100 + n), {"path": "reply"}, LINE_FAULTS
            )
        calls = [row for row in await gate.journal() if row["kind"] == "call"]
        wrong = [
            (row["path"], row.get("why")) for row in calls
            if str(row.get("outcome", "")).startswith(("refused:4", "refused:5"))  # 202 is a yes
        ]  # fmt: skip
        held.check(wrong == [], f"line: outside the specification: {wrong[:3]}")
        print(f"line: {len(calls)} calls, {len(wrong)} outside the specification")


async def _warm(gate: Gate) -> None:
    """Prism compiles each operation's schema at its first request, which takes seconds."""
    head = {"authorization": "Bearer warm"}
    body = {"to": "U" + "0" * 32, "replyToken": "r", "chatId": "U" + "0" * 32, "loadingSeconds": 5}
    words = {"messages": [{"type": "text", "text": "warm"}]}
    for method, path in (
        ("POST", "message/push"), ("POST", "message/reply"), ("POST", "chat/loading/start"),
        ("GET", "profile/U" + "0" * 32), ("GET", "richmenu/alias/list"), ("GET", "richmenu/list"),
        ("GET", "message/quota"), ("GET", "message/quota/consumption"),
    ):  # fmt: skip
        more = {"json": {**body, **words}} if method == "POST" else {}
        async with gate.http.request(method, f"{gate.url}/v2/bot/{path}", headers=head, **more) as answer:
            await answer.read()
    await gate.tell("reset")


async def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--telegram", help="the gate's address")
    options.add_argument("--telegram-people", help="the emulator's side for people")
    options.add_argument("--line", help="the gate's address")
    options.add_argument("--line-secret", default="channel-secret")
    options.add_argument("--http", default="127.0.0.1:9220", help="where the product listens")
    asked = options.parse_args()
    held, faq = Held(), load((ROOT / "faq.yaml").read_bytes())
    if asked.telegram:
        await telegram(held, asked, faq, "polling")
        await telegram(held, asked, faq, "webhook")
    if asked.line:
        await line(held, asked, faq)
    print(f"{held.steps - len(held.failed)} of {held.steps} checks held")
    return 1 if held.failed or not held.steps else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
