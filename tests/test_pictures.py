"""Pictures between patients and staff: from every messenger to the people, and back to exactly one patient."""

import datetime as dt
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.channels.pictures import NoPictureError, normal, small
from bot.channels.port import HasPictures, SendFailed, ShowsPictures
from bot.core.effects import OpenAlert
from bot.core.values import Address, Incoming, Line, Patient
from bot.staff.desk import StaffDesk
from bot.staff.pictures import Links
from bot.store.pictures import MOST, PICTURES_KEPT
from bot.store.store import Store
from intents.faq import Faq
from tests import channel_fakes
from tests.databases import KEY
from tests.fakes import Clock, FakeChannel
from tests.helpers import NOW
from tests.peers import line_api
from tests.staff_fakes import STAFF, FakeRoom
from tests.staff_site import Browser, open_clinic
from tests.test_staff_doors import Reader

ANNA = Patient(Address("line", "U1"), language="en")
PUBLIC = "https://clinic.example"
GPS = 0x8825


def a_picture(
    width: int = 640, height: int = 480, kind: str = "JPEG", mode: str = "RGB", **more: Any
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), "teal").save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- the form in which they travel


def test_place_and_camera_do_not_travel() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[GPS] = "A camera", 6, {2: (35.0, 41.0, 0.0)}
    taken = a_picture(640, 480, exif=exif)
    assert opened(taken).getexif().get_ifd(GPS)

    sent = opened(normal(taken))

    assert sent.size == (480, 640)  # upright without the note that it lies
    assert dict(sent.getexif()) == {}


@pytest.mark.parametrize(
    ("width", "height", "kind", "mode"),
    [
        (4000, 3000, "JPEG", "RGB"),
        (10, 10, "PNG", "RGBA"),
        (300, 200, "PNG", "P"),
        (300, 200, "WEBP", "RGB"),
        (300, 200, "PNG", "L"),
    ],
)
def test_every_kind_becomes_what_all_platforms_take(width: int, height: int, kind: str, mode: str) -> None:
    data = a_picture(width, height, kind, mode)
    for made, side in ((normal(data), 2048), (small(normal(data)), 480)):
        picture = opened(made)

        assert picture.format == "JPEG"
        assert max(picture.size) <= side
        assert len(made) <= 1_000_000


def test_noise_still_fits() -> None:
    noise = Image.effect_noise((2048, 1536), 100).convert("RGB")  # a larger one grows smooth as it shrinks
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=95)

    assert len(normal(out.getvalue())) <= 1_000_000


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: a_picture()[:40] + tail))
def test_what_is_no_picture_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(NoPictureError):
        normal(data)


def test_bombs_and_ribbons_are_refused() -> None:
    huge = a_picture(1, 1, "PNG").replace(
        b"IHDR" + (1).to_bytes(4, "big") * 2, b"IHDR" + (60000).to_bytes(4, "big") * 2
    )
    for data in (huge, a_picture(4100, 200), b"x" * 20_000_001):
        with pytest.raises(NoPictureError):
            normal(data)


# --- from a patient to the people


@dataclass
class Pictured(FakeChannel):
    """A messenger that hands pictures out and fetches ours."""

    contents: dict[str, bytes] = field(default_factory=dict)
    shown: list[tuple[Address, str, str, str]] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)

    async def picture(self, file: str) -> bytes:
        if self.troubles:
            raise self.troubles.pop(0)
        return self.contents[file]

    async def send_picture(self, address: Address, url: str, small_url: str, caption: str = "") -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.shown.append((address, url, small_url, caption))


class Scene:
    """A desk with its chat, LINE's patients, and a clock."""

    def __init__(self, store: Store, faq: Faq, public: str | None = PUBLIC) -> None:
        self.store, self.clock, self.room = store, Clock(), FakeRoom()
        self.line = Pictured("line", "LINE", contents={"77": a_picture()})
        links = Links(KEY, public) if public else None
        channels = {"line": self.line, "web": FakeChannel("web", "")}
        self.desk = StaffDesk(store, self.room, channels, lambda: faq, self.clock, links=links)  # type: ignore[arg-type]

    async def alert(self, patient: Patient = ANNA) -> None:
        await self.desk.alert(patient, OpenAlert("person", "call", None, ""), (), self.clock())

    async def shows(self, file: str | None = "77") -> None:
        event = Incoming(ANNA.address, "p1", self.clock(), "photo", file=file)
        lines = (Line(self.clock(), "patient", "(photo)"),)
        await self.desk.overheard(ANNA, event, lines, True, self.clock())

    async def answers(self, caption: str = "", file: str | None = "staff-file") -> str:
        event = self.room.write(caption, reply_to=self.room.posts[0].id, kind="photo")
        return await self.desk.heard(replace(event, file=file))

    def pictures(self) -> list[str]:
        return [shown.who for shown in self.store.pictures_of(1, self.clock())]


@pytest.fixture
def scene(sqlite_store: Store, faq: Faq) -> Scene:
    return Scene(sqlite_store, faq)


async def test_a_picture_from_line_reaches_the_staff_chat_and_the_page(scene: Scene) -> None:
    await scene.alert()
    await scene.shows()

    assert [(chat, opened(jpeg).size) for chat, jpeg in scene.room.pictures] == [(STAFF, (640, 480))]
    assert scene.pictures() == ["patient"]


async def test_a_reply_to_the_picture_goes_to_its_patient(scene: Scene) -> None:
    await scene.alert()
    await scene.shows()
    number = scene.room.last_id

    await scene.desk.heard(scene.room.write("That looks as it should.", reply_to=number))

    assert scene.line.texts[-1] == "That looks as it should."


@pytest.mark.parametrize("file", [None, "77"])
async def test_a_picture_that_cannot_be_had_is_said_to_staff(scene: Scene, file: str | None) -> None:
    scene.line.contents["77"] = b"no picture"
    await scene.alert()
    await scene.shows(file)

    assert "cannot be shown here" in scene.room.texts()[-1]
    assert scene.pictures() == []


async def test_a_picture_is_fetched_a_second_time(scene: Scene) -> None:
    scene.line.troubles = [SendFailed("unknown_outcome", sent="unknown")]
    await scene.alert()
    await scene.shows()

    assert len(scene.room.pictures) == 1


async def test_few_pictures_are_kept_and_none_longer_than_a_week(scene: Scene) -> None:
    await scene.alert()
    for _ in range(MOST + 3):
        await scene.shows()
    assert len(scene.pictures()) == MOST

    scene.clock.forward(days=PICTURES_KEPT.days)

    assert scene.pictures() == []
    scene.clock.forward(seconds=1)
    scene.store.prune(scene.clock())
    assert scene.store.picture(MOST, NOW) is None


async def test_erasing_erases_pictures_and_no_byte_lies_open(scene: Scene, tmp_path: Path) -> None:
    await scene.alert()
    await scene.shows()
    jpeg = normal(a_picture())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert jpeg[200:260] not in kept

    scene.store.erase_visitor(ANNA.address)

    assert scene.pictures() == []


# --- from staff to a patient


async def fetched(scene: Scene, url: str) -> bytes | None:
    """As the web server does it."""
    _, _, name, ends, mac, last = urlparse(url).path.split("/")
    return await scene.desk.pictures.served(name, ends, mac, last.removesuffix(".jpg"))


async def test_the_staffs_picture_reaches_a_line_patient(scene: Scene) -> None:
    scene.room.contents["staff-file"] = a_picture(1000, 800)
    await scene.alert()

    assert await scene.answers("like this") == "relayed"

    (address, url, small_url, caption) = scene.line.shown[0]
    assert (address, caption) == (ANNA.address, "like this")
    assert url.startswith(f"{PUBLIC}/pictures/")
    assert opened(await fetched(scene, url) or b"").size == (1000, 800)
    assert opened(await fetched(scene, small_url) or b"").size == (480, 384)


async def test_an_address_that_was_changed_or_is_too_old_shows_nothing(scene: Scene) -> None:
    scene.room.contents["staff-file"] = a_picture()
    await scene.alert()
    await scene.answers()
    url = scene.line.shown[0][1]
    head, name, ends, mac, last = url.rsplit("/", 4)

    for changed in (
        [head, name[:-1] + "_", ends, mac, last],
        [head, name, f"{int(ends) + 1}", mac, last],
        [head, name, "١٢٣", mac, last],
        [head, name, ends, mac[:-1] + ("0" if mac[-1] != "0" else "1"), last],
        [head, name, ends, mac, "small.jpg"],
        [head, name, ends, mac, "huge.jpg"],
    ):
        assert await fetched(scene, "/".join(changed)) is None
    scene.clock.forward(days=PICTURES_KEPT.days, seconds=-1)
    assert await fetched(scene, url)
    scene.clock.forward(seconds=1)
    assert await fetched(scene, url) is None


async def test_a_patients_picture_has_no_public_address(scene: Scene) -> None:
    name = scene.store.keep_picture(_thread(scene), "patient", normal(a_picture()), scene.clock())

    url = Links(KEY, PUBLIC).link(name, "full", scene.clock() + dt.timedelta(days=1))

    assert await fetched(scene, url) is None


async def test_without_a_public_address_staff_are_told_what_to_do(store: Store, faq: Faq) -> None:
    scene = Scene(store, faq, public=None)
    await scene.alert()
    await scene.answers()

    assert "NOT delivered: pictures reach line only when SMILELINE_PUBLIC_URL" in scene.room.texts()[-1]
    assert scene.line.shown == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [(SendFailed("quota"), "used up"), (SendFailed("blocked", permanent=True), "has blocked the bot")],
)
async def test_a_picture_that_did_not_arrive_is_said(scene: Scene, failure: SendFailed, said: str) -> None:
    scene.room.contents["staff-file"] = a_picture()
    await scene.alert()
    await scene.desk.heard(scene.room.write("hello", reply_to=scene.room.posts[0].id))
    scene.line.failures = [failure]
    await scene.answers()

    assert said in scene.room.texts()[-1]


async def test_a_file_that_is_no_picture_is_said(scene: Scene) -> None:
    await scene.alert()
    await scene.answers(file=None)

    assert "only pictures can be passed on" in scene.room.texts()[-1]


async def test_a_messenger_that_shows_no_pictures_is_named(scene: Scene) -> None:
    visitor = Patient(Address("web", "page-1"), language="en")
    await scene.alert(visitor)
    await scene.answers()

    assert "pictures cannot be sent to web" in scene.room.texts()[-1]


async def test_no_picture_and_no_address_is_logged(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    scene.room.contents["staff-file"] = a_picture()
    await scene.alert()
    await scene.shows()
    await scene.answers()
    url = scene.line.shown[0][1]

    logged = "".join(capfd.readouterr())
    assert url.split("/")[-4] not in logged
    assert "JFIF" not in logged


def _thread(scene: Scene) -> int:
    return scene.store.thread_of(ANNA.address, scene.clock()).id


# --- over real HTTP


async def test_line_hands_a_picture_out_and_is_shown_one_to_spec() -> None:
    async with channel_fakes.line() as person:
        person.platform.contents["77"] = a_picture()
        await person.show("photo")
        event = person.inbox.events[-1]
        assert isinstance(person.channel, HasPictures)
        assert isinstance(person.channel, ShowsPictures)

        assert await person.channel.picture(event.file or "") == a_picture()
        with pytest.raises(SendFailed):
            await person.channel.picture("78")
        await person.channel.send_picture(person.address, f"{PUBLIC}/a.jpg", f"{PUBLIC}/b.jpg", "like this")

        sent = person.platform.accepted[-1]
        assert [message["type"] for message in sent["messages"]] == ["image", "text"]
        assert (sent["to"], sent["how"]) == (line_api.USER, "push")
        assert person.violations() == []


async def test_pictures_come_from_lines_second_host() -> None:
    async with line_api.LinePlatform() as talk, line_api.LinePlatform() as data:
        data.contents["77"] = a_picture()
        channel = channel_fakes.line_channel(talk.url, data_url=data.url)

        assert await channel.picture("77") == a_picture()
        assert talk.calls == []
        await channel.stop()


async def test_a_picture_that_line_does_not_hold_has_no_handle() -> None:
    async with channel_fakes.line() as person:
        elsewhere = {
            "type": "external",
            "originalContentUrl": "https://x.example/a",
            "previewImageUrl": "https://x.example/b",
        }
        message = {"id": "77", "type": "image", "quoteToken": "q", "contentProvider": elsewhere}
        await person.deliver(person.platform.event(message=message))

        assert (person.inbox.events[-1].kind, person.inbox.events[-1].file) == ("photo", None)


async def test_telegram_hands_the_largest_size_out_and_is_shown_one_to_spec() -> None:
    async with channel_fakes.telegram_polling() as person:
        sizes = [
            {"file_id": name, "file_unique_id": name, "width": w, "height": w}
            for name, w in (("s", 90), ("l", 900), ("m", 300))
        ]
        await person.server.update(message=person.server.message(channel_fakes.CHAT, photo=sizes))
        document = {"file_id": "doc", "file_unique_id": "d", "mime_type": "image/png"}
        await person.server.update(message=person.server.message(channel_fakes.CHAT, document=document))
        events = await person.inbox.first(2)
        person.server.files = {"l": a_picture()}

        assert [(event.kind, event.file) for event in events] == [("photo", "l"), ("photo", "doc")]
        assert await person.channel.picture("l") == a_picture()  # type: ignore[attr-defined]
        with pytest.raises(SendFailed):
            await person.channel.picture("gone")  # type: ignore[attr-defined]
        await person.channel.staff_room.send_picture("-100500", b"jpeg", reply_to=3)  # type: ignore[attr-defined]
        assert person.server.photos == [("-100500", b"jpeg")]
        assert person.violations() == []


@pytest_asyncio.fixture
async def clinic(tmp_path: Path, faq: Faq) -> AsyncIterator[Any]:
    async with open_clinic(tmp_path, Reader(faq)) as opened_clinic:
        yield opened_clinic


async def test_the_page_shows_a_patients_picture_to_those_who_care_only(clinic: Any) -> None:
    thread = clinic.store.thread_of(ANNA.address, clinic.clock())
    clinic.store.keep_picture(thread.id, "patient", normal(a_picture()), clinic.clock())

    async with Browser(clinic) as nurse, Browser(clinic) as editor, aiohttp.ClientSession() as stranger:
        await nurse.log_in("care")
        await editor.log_in("editor")
        _, page = await nurse.get(f"/staff/threads/{thread.id}")
        async with nurse.http.get(f"{clinic.url}/staff/pictures/1") as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")
            assert answer.headers["Cache-Control"] == "no-store"
        assert '<img src="/staff/pictures/1"' in page
        assert (await nurse.get("/staff/pictures/2"))[0] == 404
        assert (await editor.get("/staff/pictures/1"))[0] == 403
        async with stranger.get(f"{clinic.url}/pictures/a/1/b/full.jpg") as answer:
            assert answer.status == 404
