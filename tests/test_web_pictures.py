"""Pictures on the chat page that we serve: both ways, for the eyes of one patient, and gone when they should be."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from bot.channels.pictures import LARGEST_DATA, NoPictureError
from bot.channels.port import HasPictures, OwnPage, SendFailed, ShowsPictures
from bot.channels.webchat import ALL_PICTURES, CHATS, PICTURES, PICTURES_A_MINUTE, WebChat
from bot.chatpage import COOKIE, HANDED_IN_AT_ONCE
from bot.core.effects import OpenAlert
from bot.core.values import Address, Incoming, Line, Patient
from bot.staff.desk import StaffDesk
from bot.staff.recall import Recall
from bot.staff.relay import PAGE_CLOSED
from bot.store.pictures import PICTURES_KEPT
from bot.store.store import Store
from intents.faq import Faq
from tests.channel_fakes import Kept
from tests.databases import ready_store
from tests.fakes import Clock, FakeChannel
from tests.scene import ANNA, BEN, BrokenStore, Scene
from tests.staff_fakes import STAFF, FakeRoom
from tests.staff_site import Clinic, open_clinic
from tests.test_pictures import a_picture, opened
from tests.test_staff_doors import Reader

MINA, NORA = Address("web", "m" * 32), Address("web", "n" * 32)


class Page:
    """An open page of the chat; keeps what it was told to draw."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    async def push(self, frame: str) -> None:
        self.frames.append(json.loads(frame))

    def pictures(self) -> list[dict[str, str]]:
        return [frame["picture"] for frame in self.frames if frame.get("picture")]

    def texts(self) -> list[tuple[str, str]]:
        return [(frame["from"], frame["text"]) for frame in self.frames if frame.get("text")]


class Process:
    """The chat page, the desk and its chat, over a store that outlives them."""

    def __init__(self, store: Store, faq: Faq, clock: Clock) -> None:
        self.store, self.clock, self.room, self.inbox = store, clock, FakeRoom(), Kept()
        self.chat = WebChat(clock, Recall(store, clock))
        self.desk = StaffDesk(store, self.room, {"web": self.chat}, lambda: faq, clock)  # type: ignore[arg-type]

    async def opens(self, who: Address = MINA) -> Page:
        page = Page()
        await self.chat.opened(who.chat, page.push)
        return page

    async def alert(self, who: Address = MINA) -> None:
        words = (Line(self.clock(), "patient", "it hurts"),)
        alert = OpenAlert("person", "call", None, "it hurts")
        await self.desk.alert(Patient(who, language="en"), alert, words, self.clock())

    async def staff_shows(self, caption: str = "") -> str:
        self.room.contents["staff-file"] = a_picture(1000, 800)
        event = self.room.write(caption, reply_to=self.room.posts[0].id, kind="photo")
        return await self.desk.heard(replace(event, file="staff-file"))

    async def shows(self, who: Address = MINA) -> Incoming:
        """As the page does it; the event that the inbox gets."""
        await self.chat.start(self.inbox.receive)
        name, jpeg = await self.desk.pictures.taken_in(who, a_picture())
        await self.chat.showed(who.chat, name, jpeg, "en")
        return self.inbox.events[-1]

    async def handled(self, event: Incoming) -> None:
        """As the inbox does it while people are concerned."""
        lines = (Line(self.clock(), "patient", "(photo)"),)
        await self.desk.overheard(Patient(event.address), event, lines, True, self.clock())

    async def fetches(self, url: str, who: Address = MINA) -> bytes | None:
        """As the web server does it for the page of `who`."""
        _, _, _, name, last = url.split("/")
        return await self.desk.pictures.seen_by(who, name, last.removesuffix(".jpg"))

    def kept(self, who: Address = MINA) -> list[str]:
        thread = self.store.thread_at(who)
        return [shown.who for shown in self.store.pictures_of(thread.id, self.clock())] if thread else []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = ready_store(tmp_path / "s.db")
    yield opened
    opened.close()


@pytest.fixture
def process(store: Store, faq: Faq) -> Process:
    return Process(store, faq, Clock())


def test_the_chat_page_is_a_channel_with_pictures() -> None:
    chat = WebChat(Clock())

    assert isinstance(chat, HasPictures)
    assert isinstance(chat, ShowsPictures)
    assert isinstance(chat, OwnPage)


# --- from staff to the patient


async def test_the_staffs_picture_appears_on_the_patients_page(process: Process) -> None:
    page = await process.opens()
    await process.alert()

    assert await process.staff_shows("like this") == "relayed"

    (picture,) = page.pictures()
    assert ("bot", "like this") in page.texts()
    assert opened(await process.fetches(picture["full"]) or b"").size == (1000, 800)
    assert opened(await process.fetches(picture["small"]) or b"").size == (480, 384)


async def test_staff_hear_when_the_patients_page_is_closed(process: Process) -> None:
    page = Page()
    number = await process.chat.opened(MINA.chat, page.push)
    await process.alert()
    await process.staff_shows()
    assert PAGE_CLOSED not in process.room.texts()

    process.chat.closed(MINA.chat, number)
    await process.staff_shows("as we spoke")
    await process.desk.heard(process.room.write("and this", reply_to=process.room.posts[0].id))

    assert process.room.texts().count(PAGE_CLOSED) == 2
    later = (await process.opens()).texts()
    assert [text for text in later if text[1] in ("as we spoke", "and this", PAGE_CLOSED)] == [
        ("bot", "as we spoke"),
        ("bot", "and this"),
    ]


async def test_nobody_elses_session_opens_the_picture(process: Process) -> None:
    page = await process.opens()
    await process.alert()
    await process.alert(NORA)
    await process.staff_shows()
    (picture,) = page.pictures()

    for url, who in (
        (picture["full"], NORA),
        (picture["full"], Address("line", MINA.chat)),
        (picture["full"], Address("web", "")),
        (picture["full"].replace("full", "huge"), MINA),
        (picture["full"][:-10] + "x/full.jpg", MINA),
    ):
        assert await process.fetches(url, who) is None


async def test_the_staffs_picture_is_gone_after_a_week(process: Process) -> None:
    page = await process.opens()
    await process.alert()
    await process.staff_shows()
    (picture,) = page.pictures()

    process.clock.forward(days=PICTURES_KEPT.days, seconds=-1)
    assert await process.fetches(picture["full"])

    process.clock.forward(seconds=1)
    assert await process.fetches(picture["full"]) is None


async def test_erasing_takes_the_pictures_away_from_the_page(process: Process) -> None:
    page = await process.opens()
    await process.alert()
    await process.staff_shows()
    shown = await process.shows()
    await process.handled(shown)

    process.store.erase_visitor(MINA)
    await process.chat.forget(MINA.chat)

    assert page.frames[-1] == {"forget": True}
    assert [await process.fetches(picture["full"]) for picture in page.pictures()] == [None, None]
    assert (await process.opens()).frames == []


async def test_a_picture_and_the_talk_are_there_after_a_restart(process: Process, faq: Faq) -> None:
    await process.opens()
    await process.alert()
    process.clock.forward(minutes=1)
    await process.staff_shows("like this")
    await process.handled(await process.shows())

    later = Process(process.store, faq, process.clock)
    page = await later.opens()

    assert ("me", "it hurts") in page.texts()
    assert ("bot", "like this") in page.texts()
    assert not any(text.startswith("(") or "taken over" in text for _, text in page.texts())
    assert [bool(await later.fetches(picture["small"])) for picture in page.pictures()] == [True, True]
    assert (await later.opens(NORA)).frames == []


async def test_what_staff_wrote_before_and_after_a_restart_waits_for_the_page_once(
    process: Process, faq: Faq
) -> None:
    await process.alert()
    await process.desk.heard(process.room.write("before", reply_to=process.room.posts[0].id))
    later = Process(process.store, faq, process.clock)
    later.clock.forward(minutes=1)
    thread = later.store.thread_at(MINA)
    assert thread
    await later.desk.relay.reply(thread, "Kim", "after", later.clock())

    said = [text for _, text in (await later.opens()).texts()]

    assert [text for text in said if text in ("before", "after")] == ["before", "after"]
    assert [text for _, text in (await later.opens()).texts()] == said


async def test_the_page_opens_without_the_past_when_the_store_is_away(store: Store) -> None:
    broken = BrokenStore(store)
    broken.broken.add("thread_at")
    chat, page = WebChat(Clock(), Recall(broken, Clock())), Page()  # type: ignore[arg-type]

    await chat.opened(MINA.chat, page.push)

    assert chat.has_page(MINA.chat)
    assert page.frames == []


@dataclass
class Paged(FakeChannel):
    """A messenger whose page we serve."""

    forgotten: list[str] = field(default_factory=list)

    def picture_address(self, name: str, size: str) -> str:
        return f"/{name}/{size}"

    def unkept(self, chat: str, name: str) -> bytes | None:
        return None

    def has_page(self, chat: str) -> bool:
        return True

    async def forget(self, chat: str) -> None:
        self.forgotten.append(chat)


async def test_who_deletes_their_data_sees_an_empty_page(scene: Scene) -> None:
    scene.channel = page = Paged()
    scene.restarted()
    await scene.enrol()
    await scene.press("delete:no")
    assert page.forgotten == []

    await scene.press("delete:yes")

    assert page.forgotten == [ANNA.chat]
    assert "deleted" in page.texts[-1]  # said afterwards, and so still there


async def test_a_visitor_who_never_agreed_sees_an_empty_page_too(scene: Scene) -> None:
    scene.channel = page = Paged()
    scene.restarted()

    await scene.press("delete:yes")

    assert page.forgotten == [ANNA.chat]


async def test_deleting_in_one_chat_empties_the_page_of_the_other(scene: Scene) -> None:
    scene.channel = page = Paged()
    scene.restarted()
    await scene.enrol()
    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.id
    scene.real.link_address(patient.id, BEN)
    assert scene.real.chats_of(patient.id) == [ANNA, BEN]

    await scene.press("delete:yes", BEN)

    assert page.forgotten == [ANNA.chat, BEN.chat]


# --- from the patient to the people


async def test_a_patients_picture_is_kept_before_it_is_acknowledged_while_people_are_concerned(
    process: Process, faq: Faq
) -> None:
    await process.alert()
    event = await process.shows()
    assert process.kept() == ["patient"]

    killed_and_started = Process(process.store, faq, process.clock)
    await killed_and_started.handled(event)
    await killed_and_started.handled(event)  # died before it was marked done

    assert [chat for chat, _ in killed_and_started.room.pictures] == [STAFF, STAFF]
    assert process.kept() == ["patient"]


async def test_nothing_is_kept_of_a_picture_while_nobody_is_concerned(process: Process) -> None:
    page = await process.opens()
    await process.shows()
    (picture,) = page.pictures()

    assert process.store.thread_at(MINA) is None
    assert opened(await process.fetches(picture["full"]) or b"").size == (640, 480)
    assert await process.fetches(picture["full"], NORA) is None


async def test_a_picture_from_before_somebody_was_called_is_shown_to_them(process: Process) -> None:
    page = await process.opens()
    event = await process.shows()
    await process.alert()

    await process.desk.shown(Patient(MINA), (event,))

    assert [chat for chat, _ in process.room.pictures] == [STAFF]
    assert process.kept() == ["patient"]
    assert await process.fetches(page.pictures()[0]["full"])


async def test_a_picture_lost_in_a_crash_is_said_to_staff(process: Process, faq: Faq) -> None:
    event = await process.shows()
    later = Process(process.store, faq, process.clock)
    await later.alert()

    await later.desk.shown(Patient(MINA), (event,))

    assert "cannot be shown here" in later.room.texts()[-1]


async def test_the_event_of_a_picture_carries_nothing_but_its_name(process: Process) -> None:
    event = await process.shows()

    assert (event.kind, event.text, event.address) == ("photo", "", MINA)
    assert len(event.file or "") == 32


async def test_few_pictures_wait_in_memory(process: Process) -> None:
    page = await process.opens()
    for _ in range(PICTURES + 1):
        await process.shows()
    first, *rest = page.pictures()
    assert await process.fetches(first["small"]) is None
    assert all([await process.fetches(picture["small"]) for picture in rest])

    for number in range(ALL_PICTURES):
        await process.chat.showed(f"{number:032}", f"{number:032}", b"jpeg", None)

    assert await process.fetches(rest[-1]["small"]) is None


async def test_a_file_that_is_no_picture_is_not_taken_in(process: Process) -> None:
    with pytest.raises(NoPictureError):
        await process.desk.pictures.taken_in(MINA, b"<html><script>alert(1)</script>")


def test_a_chat_hands_in_a_few_pictures_a_minute() -> None:
    clock = Clock()
    chat = WebChat(clock)
    taken = [chat.may_show(MINA.chat) for _ in range(PICTURES_A_MINUTE + 1)]
    assert taken == [True] * PICTURES_A_MINUTE + [False]
    assert chat.may_show(NORA.chat)

    clock.forward(seconds=59)
    assert not chat.may_show(MINA.chat)
    clock.forward(seconds=1)
    assert chat.may_show(MINA.chat)


async def test_a_rush_of_strangers_closes_nobodys_open_page(process: Process) -> None:
    page = await process.opens()
    for number in range(CHATS + 10):
        await process.chat.said(f"{number:032}", "hello", None)

    await process.chat.send_picture(MINA, "/a", "/b")

    assert page.pictures() == [{"full": "/a", "small": "/b"}]


async def test_no_chat_of_ours_has_so_long_a_name(process: Process) -> None:
    with pytest.raises(SendFailed) as caught:
        await process.chat.send_picture(Address("web", "x" * 65), "/a", "/b")

    assert caught.value.permanent


# --- over real HTTP


class Visitor:
    """A browser with the chat page's cookie."""

    def __init__(self, clinic: Clinic, chat: str = MINA.chat) -> None:
        self.clinic, self.url, self.chat = clinic, clinic.url, chat
        self.http = aiohttp.ClientSession(headers={"Cookie": f"{COOKIE}={chat}"} if chat else None)

    async def __aenter__(self) -> "Visitor":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def opens_the_page(self) -> aiohttp.ClientWebSocketResponse:
        socket = await self.http.ws_connect(f"{self.url}/chat/ws")
        async with asyncio.timeout(10):
            while not self.clinic.webchat.has_page(self.chat):  # it looks for the past first
                await asyncio.sleep(0)
        return socket

    async def hands_in(self, data: Any, **headers: str) -> int:
        async with self.http.post(f"{self.url}/chat/pictures", data=data, headers=headers) as answer:
            return answer.status


@pytest_asyncio.fixture
async def clinic(tmp_path: Path, faq: Faq) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, Reader(faq)) as opened_clinic:
        yield opened_clinic


@pytest.mark.slow
async def test_a_picture_is_handed_in_and_comes_back_as_a_jpeg_that_no_browser_takes_for_more(
    clinic: Clinic,
) -> None:
    async with Visitor(clinic) as mina, Visitor(clinic, NORA.chat) as nora, Visitor(clinic, "") as stranger:
        socket = await mina.opens_the_page()
        png = a_picture(300, 200, "PNG") + b"<script>alert(1)</script>"
        assert await mina.hands_in(png, **{"Content-Type": "text/html"}) == 204
        frame = await socket.receive_json()
        url = clinic.url + frame["picture"]["full"]

        async with mina.http.get(url) as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            body = await answer.read()
            assert opened(body).format == "JPEG"
            assert b"script" not in body
        for other in (nora, stranger):
            async with other.http.get(url) as answer:
                assert answer.status == 404


@pytest.mark.slow
async def test_what_is_no_picture_of_this_page_is_refused(clinic: Clinic) -> None:
    async with Visitor(clinic) as mina, Visitor(clinic, "") as stranger, Visitor(clinic, "short") as forger:
        assert await stranger.hands_in(a_picture()) == 403
        assert await forger.hands_in(a_picture()) == 403
        assert await mina.hands_in(a_picture()) == 403  # no page is open
        page = await mina.opens_the_page()
        assert await mina.hands_in(a_picture(), Origin="https://elsewhere.example") == 403
        assert await mina.hands_in(a_picture(), Origin=clinic.url) == 204
        assert await mina.hands_in(b"GIF89a") == 415
        assert await mina.hands_in(b"") == 415
        assert [await mina.hands_in(b"") for _ in range(PICTURES_A_MINUTE)][-1] == 429
        await page.close()
        assert await mina.hands_in(a_picture()) == 403


@pytest.mark.slow
async def test_a_file_beyond_the_limit_is_refused_whatever_length_it_says(clinic: Clinic) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield a_picture()
        for _ in range(LARGEST_DATA // 1_000_000 + 1):
            yield b"x" * 1_000_000

    async with Visitor(clinic) as mina:
        socket = await mina.opens_the_page()
        for data in (io.BytesIO(a_picture() + b"x" * LARGEST_DATA), endless()):
            with contextlib.suppress(aiohttp.ClientError):  # where the server hung up in the middle
                assert await mina.hands_in(data) == 413
        assert await mina.hands_in(a_picture(30, 20)) == 204

        shown = (await socket.receive_json())["picture"]["full"]
        async with mina.http.get(clinic.url + shown) as answer:
            assert opened(await answer.read()).size == (30, 20)  # the first that was shown is the last


@pytest.mark.slow
async def test_slow_uploads_keep_no_words_away(clinic: Clinic) -> None:
    never = asyncio.Event()

    async def dripping() -> AsyncIterator[bytes]:
        yield b"x"
        await never.wait()

    async with Visitor(clinic) as mina:
        socket = await mina.opens_the_page()
        visitors = [Visitor(clinic, f"{number:032}") for number in range(HANDED_IN_AT_ONCE)]
        pages = [await visitor.opens_the_page() for visitor in visitors]
        slow = [asyncio.create_task(visitor.hands_in(dripping())) for visitor in visitors]
        async with asyncio.timeout(10):
            while await mina.hands_in(b"") != 429:
                await asyncio.sleep(0)

        await socket.send_json({"text": "I cannot breathe"})

        assert (await socket.receive_json())["text"] == "I cannot breathe"
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        for page, visitor in zip(pages, visitors, strict=True):
            await page.close()
            await visitor.http.close()


@pytest.mark.slow
async def test_words_that_could_not_be_stored_get_the_numbers_to_call(clinic: Clinic) -> None:
    inbox = Kept()
    inbox.failures = [OSError("no"), OSError("no")]
    await clinic.webchat.start(inbox.receive)
    async with Visitor(clinic) as mina:
        socket = await mina.opens_the_page()
        assert await socket.receive_json() == {"failed": "error"}

        await socket.send_json({"text": "I cannot breathe"})
        assert (await socket.receive_json())["from"] == "me"
        assert await socket.receive_json() == {"failed": "error"}

        await socket.send_json({"text": "I cannot breathe"})
        await socket.receive_json()
        assert [event.text for event in await inbox.first(1)] == ["I cannot breathe"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "lang", "label"),
    [
        ("en-GB,en;q=0.9", "en-GB", "Send a photo"),
        ("ja", "ja", "写真を送る"),
        ("ko-KR", "ko", "사진 보내기"),
        ("zh-CN", "zh-Hans", "发送照片"),
        ("zh-TW,zh;q=0.9", "zh-Hant-TW", "傳送照片"),
        ("sw;q=1", "en-GB", "Send a photo"),
        ("", "en-GB", "Send a photo"),
    ],
)
async def test_the_page_speaks_the_browsers_language(
    clinic: Clinic, language: str, lang: str, label: str
) -> None:
    async with Visitor(clinic) as mina:
        headers = {"Accept-Language": language}
        async with mina.http.get(f"{clinic.url}/", headers=headers) as answer:
            text = await answer.text()

    assert f'<html lang="{lang}">' in text
    assert label in text
    assert "{phone}" not in text
    assert "+00 000 0001" in text
    assert "$" not in text


@pytest.mark.slow
@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("http", False)])
async def test_behind_https_the_cookie_travels_by_https_only(
    clinic: Clinic, proto: str, secure: bool
) -> None:
    headers = {"X-Forwarded-Proto": proto}
    async with Visitor(clinic, "") as stranger, stranger.http.get(clinic.url, headers=headers) as answer:
        cookie = answer.cookies[COOKIE]

    assert bool(cookie["secure"]) is secure
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"


async def test_a_picture_without_its_thread_is_kept_by_nobody(process: Process) -> None:
    """An alert that was erased between the look and the keeping."""
    await process.alert()
    process.store.erase_visitor(MINA)

    await process.shows()

    assert process.kept() == []
