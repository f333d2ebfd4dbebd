"""Pictures that staff choose on their page: to the patient's own channel, or a plain word why not."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from bot.channels.pictures import LARGEST_DATA
from bot.channels.port import CarriesPictures, SendFailed
from bot.core.values import Address, Line
from bot.store.care import Thread
from intents.faq import Faq
from tests import channel_fakes
from tests.staff_site import Browser, Clinic, open_clinic
from tests.test_pictures import a_picture, opened
from tests.test_staff_doors import Reader
from tests.test_web_pictures import MINA, Page

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def clinic(tmp_path: Path, faq: Faq) -> AsyncIterator[Clinic]:
    async with open_clinic(tmp_path, Reader(faq)) as opened_clinic:
        yield opened_clinic


@pytest_asyncio.fixture
async def nurse(clinic: Clinic) -> AsyncIterator[Browser]:
    async with Browser(clinic) as browser:
        await browser.log_in("care")
        yield browser


def talk_with(clinic: Clinic, address: Address) -> Thread:
    return clinic.store.thread_of(address, clinic.clock())


async def sends(
    nurse: Browser, thread: Thread, photo: Any, text: str = "", csrf: str | None = None
) -> tuple[int, str]:
    form = aiohttp.FormData()
    form.add_field("csrf", nurse.csrf if csrf is None else csrf)
    form.add_field("text", text)
    form.add_field("photo", photo, filename="photo.jpg", content_type="image/jpeg")
    url = f"{nurse.clinic.url}/staff/threads/{thread.id}/reply"
    async with nurse.http.post(url, data=form, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_a_picture_chosen_on_the_page_reaches_the_patient_with_its_words(
    clinic: Clinic, nurse: Browser
) -> None:
    page, thread = Page(), talk_with(clinic, MINA)
    await clinic.webchat.opened(MINA.chat, page.push)

    status, _ = await sends(nurse, thread, a_picture(800, 600), "like this")

    assert status == 303
    name = page.pictures()[0]["full"].split("/")[-2]
    jpeg = await clinic.staff.pictures.seen_by(MINA, name, "full")
    assert opened(jpeg or b"").size == (800, 600)
    assert ("bot", "like this") in page.texts()
    assert [line.text for line in clinic.store.lines(thread.id) if line.who == "staff"] == ["like this"]
    taken = clinic.store.thread(thread.id)
    assert taken
    assert taken.taken_by == "Cara"
    assert "Cara (on the page): (a picture) like this" in clinic.room.texts()
    assert ("Cara", "relay.picture") in [(line.who, line.what) for _, line in clinic.store.audit_lines()]
    _, shown = await nurse.get(f"/staff/threads/{thread.id}")
    assert "Picture from the clinic" in shown


async def test_words_alone_and_pictures_alone_are_sent_and_nothing_is_not(
    clinic: Clinic, nurse: Browser
) -> None:
    page, thread = Page(), talk_with(clinic, MINA)
    await clinic.webchat.opened(MINA.chat, page.push)

    assert (await sends(nurse, thread, b"", "only words"))[0] == 303
    assert (await sends(nurse, thread, a_picture()))[0] == 303
    status, text = await sends(nurse, thread, b"")

    assert (status, "Write something first." in text) == (200, True)
    assert ("bot", "only words") in page.texts()
    assert len(page.pictures()) == 1


async def test_what_is_no_picture_is_said_and_the_words_stay_in_the_box(
    clinic: Clinic, nurse: Browser
) -> None:
    status, text = await sends(nurse, talk_with(clinic, MINA), b"%PDF-1.4", "as we spoke")

    assert status == 200
    assert "NOT delivered: the picture could not be read" in text
    assert "as we spoke</textarea>" in text


async def test_a_messenger_that_shows_no_pictures_is_named_on_the_page(
    clinic: Clinic, nurse: Browser
) -> None:
    _, text = await sends(nurse, talk_with(clinic, Address("line", "U1")), a_picture())

    assert "NOT delivered: pictures cannot be sent to line. Describe it in words." in text


async def test_a_form_with_a_picture_needs_its_token_too(clinic: Clinic, nurse: Browser) -> None:
    thread = talk_with(clinic, MINA)

    status, text = await sends(nurse, thread, a_picture(), csrf="x")

    assert (status, text[:21]) == (403, "This form is too old.")
    assert clinic.store.pictures_of(thread.id, clinic.clock()) == []


async def test_a_form_beyond_the_limit_or_out_of_shape_is_refused(clinic: Clinic, nurse: Browser) -> None:
    thread = talk_with(clinic, MINA)
    url = f"{clinic.url}/staff/threads/{thread.id}/reply"
    broken = {
        "multipart/form-data": b"",
        "multipart/form-data; boundary=b": b"--b\r\nno header here",
        "multipart/form-data; boundary=c": b"--c\r\nContent-Disposition: form-data\r\n\r\nx\r\n--c--\r\n",
    }

    for kind, body in broken.items():
        async with nurse.http.post(url, data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status in (400, 403), kind
    try:
        status, _ = await sends(nurse, thread, io.BytesIO(b"x" * (LARGEST_DATA + 200_000)))
    except aiohttp.ClientError:  # the server hung up in the middle
        status = 413
    assert status == 413
    assert clinic.store.lines(thread.id) == []


async def test_telegram_is_handed_the_picture_itself() -> None:
    async with channel_fakes.telegram_polling() as person:
        assert isinstance(person.channel, CarriesPictures)

        await person.channel.carry_picture(person.address, b"jpeg", "like this")
        await person.channel.carry_picture(person.address, b"jpeg", "long " * 300)

        assert person.server.photos == [(person.address.chat, b"jpeg")] * 2
        assert person.server.captions == ["like this", ""]
        assert person.texts() == [("long " * 300).strip()]
        assert person.violations() == []


async def test_a_patient_who_blocked_the_bot_is_said_on_the_page(clinic: Clinic, nurse: Browser) -> None:
    class Blocked:
        name, platform, retry_keys = "telegram", "Telegram", False

        async def carry_picture(self, address: Address, jpeg: bytes, caption: str = "") -> None:
            raise SendFailed("blocked", permanent=True)

        async def send(self, address: Address, message: Any, **_: Any) -> None:
            raise SendFailed("blocked", permanent=True)

    clinic.channels["telegram"] = Blocked()  # type: ignore[assignment]
    thread = talk_with(clinic, Address("telegram", "77"))
    clinic.store.add_lines(thread.id, [Line(clinic.clock(), "patient", "hello")], clinic.clock())

    _, text = await sends(nurse, thread, a_picture())

    assert "NOT delivered: the patient has blocked the bot" in text
