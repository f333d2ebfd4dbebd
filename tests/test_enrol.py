"""Enrolment by the clinic: a link that one patient uses once."""

import asyncio
import datetime as dt
import hashlib
import hmac
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import links
from bot.config import Settings
from bot.core import enrol
from bot.core.effects import Enrol
from bot.core.values import Address, Incoming
from bot.store.store import Store
from intents.faq import Faq
from tests import channel_fakes
from tests.helpers import NOW, ROOT
from tests.peers import bot_api, line_api
from tests.scene import ANNA, BEN, Scene

DATE = dt.date(2026, 11, 20)
FORTNIGHT = dt.timedelta(days=14)


def sign(name: str) -> bytes:
    return hmac.new(b"key", name.encode(), hashlib.sha256).digest()


# --- the payload


@given(st.binary(min_size=12, max_size=12))
def test_a_payload_opens_to_its_name_and_fits_a_button(name: bytes) -> None:
    payload = enrol.seal(name, sign)

    assert enrol.opened(payload, sign) == payload[:16]
    assert len(payload) <= 42
    assert payload.replace("-", "").replace("_", "").isalnum()
    assert len(f"consent:{payload}") <= 48


@given(st.binary(min_size=12, max_size=12), st.integers(0, 27), st.sampled_from("AZaz09-_"))
def test_one_changed_letter_makes_it_worthless(name: bytes, place: int, letter: str) -> None:
    payload = enrol.seal(name, sign)
    forged = payload[:place] + letter + payload[place + 1 :]

    assert enrol.opened(forged, sign) == (payload[:16] if forged == payload else None)


@given(st.text(max_size=70))
def test_any_text_is_read_without_an_error(text: str) -> None:
    event = Incoming(ANNA, "1", NOW, "text", text)

    assert enrol.opened(text, sign) is None
    assert enrol.as_link(event).address == ANNA


def test_a_link_that_is_pasted_counts_as_followed() -> None:
    payload = enrol.seal(b"0123456789ab", sign)
    line = unquote(urlparse(enrol.line_link("@abc", payload)).query)
    texts = (
        line,
        f" START  {payload} ",
        f"/start {payload}",
        enrol.telegram_link("smile_bot", payload),
        enrol.line_link("@abc", payload),
    )

    events = [enrol.as_link(Incoming(ANNA, "1", NOW, "text", text)) for text in texts]
    assert {(event.kind, event.action, event.text) for event in events} == {
        ("joined", f"start:{payload}", "")
    }


def test_words_around_a_link_are_read_as_words() -> None:
    event = Incoming(ANNA, "1", NOW, "text", f"I cannot breathe, start {enrol.seal(b'0123456789ab', sign)}")

    assert enrol.as_link(event) is event


# --- over either database


def wish(payload: str, **values: Any) -> Enrol:
    return replace(Enrol(payload, DATE, "ja", False, "Asia/Seoul"), **values)


def test_one_of_two_who_use_a_link_at_once_is_first(store: Store) -> None:
    payload = store.add_invitation(DATE, NOW + FORTNIGHT, NOW)

    async def both() -> list[Any]:
        ways = [asyncio.to_thread(store.enrol, who, wish(payload), [], NOW) for who in (ANNA, BEN)]
        return await asyncio.gather(*ways)

    enrolled = [patient for patient in asyncio.run(both()) if patient]
    assert len(enrolled) == 1
    states = {store.invitation(payload, who, NOW).state for who in (ANNA, BEN)}
    assert states == {"mine", "used"}


def test_a_link_lives_to_its_last_moment_and_no_longer(store: Store) -> None:
    payload = store.add_invitation(DATE, NOW + FORTNIGHT, NOW)
    end = NOW + FORTNIGHT

    assert store.invitation(payload, ANNA, end - dt.timedelta(seconds=1)).state == "open"
    assert store.invitation(payload, ANNA, end).state == "expired"
    assert store.enrol(ANNA, wish(payload), [], end) is None
    assert store.patient(ANNA) is None


def test_what_the_clinic_wrote_is_kept_sealed_and_goes_with_the_patient(store: Store) -> None:
    payload = store.add_invitation(
        DATE, NOW + FORTNIGHT, NOW, language="zh", traditional=True, procedure="cheeks"
    )
    patient = store.enrol(ANNA, wish(payload), [], NOW)

    assert patient
    assert patient.id
    assert (patient.procedure_date, patient.language, patient.timezone) == (DATE, "ja", "Asia/Seoul")
    assert store.procedure_names(patient.id) == ["cheeks"]
    store.erase(patient.id)
    assert store.procedure_names(patient.id) == []
    assert store.invitation(payload, BEN, NOW).state == "invalid"


def test_unused_links_are_forgotten_in_the_end(store: Store) -> None:
    payload = store.add_invitation(DATE, NOW + FORTNIGHT, NOW)
    used = store.add_invitation(DATE, NOW + FORTNIGHT, NOW)
    store.enrol(ANNA, wish(used), [], NOW)

    store.prune(NOW + dt.timedelta(days=73))
    assert store.invitation(payload, BEN, NOW + dt.timedelta(days=73)).state == "expired"
    store.prune(NOW + dt.timedelta(days=75))
    assert store.invitation(payload, BEN, NOW + dt.timedelta(days=75)).state == "invalid"
    assert store.invitation(used, BEN, NOW + dt.timedelta(days=75)).state == "used"


# --- in the conversation


@pytest.fixture
def payload(scene: Scene) -> str:
    return scene.real.add_invitation(DATE, NOW + FORTNIGHT, NOW, language="ja", timezone="Asia/Seoul")


async def follow(scene: Scene, payload: str, who: Address = ANNA) -> None:
    await scene.receive(scene.event(who=who, kind="joined", action=f"start:{payload}"))


async def test_following_asks_for_consent_with_the_date_in_the_links_language(
    scene: Scene,
    payload: str,
) -> None:
    await follow(scene, payload)

    message = scene.channel.last
    assert "2026年11月20日" in message.text
    assert scene.faq.message("consent_ask", "ja")[:20] in message.text
    assert [button.action for button in message.buttons] == [f"consent:{payload}", "consent:no", "privacy"]
    assert scene.real.patient(ANNA) is None


async def test_agreeing_enrols_with_date_language_zone_and_reminders(scene: Scene, payload: str) -> None:
    await follow(scene, payload)
    await scene.press(f"consent:{payload}")

    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.id
    assert (patient.procedure_date, patient.language, patient.timezone) == (DATE, "ja", "Asia/Seoul")
    assert patient.consent_at == NOW
    assert scene.real.upcoming(patient.id)
    assert "2026年11月20日" in scene.channel.last.text
    assert scene.channel.last.text.endswith("お知らせを送ります。")


async def test_a_typed_yes_agrees_too(scene: Scene, payload: str) -> None:
    await follow(scene, payload)
    await scene.say("1")

    assert scene.real.patient(ANNA)


async def test_declining_keeps_nothing_and_leaves_the_link_open(scene: Scene, payload: str) -> None:
    await follow(scene, payload)
    await scene.press("consent:no")

    assert scene.real.patient(ANNA) is None
    assert scene.real.invitation(payload, ANNA, NOW).state == "open"


async def test_a_second_person_hears_that_the_link_is_used(scene: Scene, payload: str) -> None:
    await follow(scene, payload, BEN)
    await scene.press(f"consent:{payload}")
    await scene.press(f"consent:{payload}", BEN)

    assert scene.channel.last.text == scene.faq.message("link_used", "ja")
    assert scene.real.patient(BEN) is None


async def test_a_link_used_between_looking_and_agreeing_is_refused_in_words(
    scene: Scene, payload: str
) -> None:
    looked = scene.real.invitation

    def late(*asked: Any) -> Any:
        found = looked(*asked)
        scene.real.enrol(BEN, wish(payload), [], NOW)
        return found

    scene.store.invitation = late  # type: ignore[attr-defined]
    await scene.press(f"consent:{payload}")

    assert scene.channel.last.text == scene.faq.message("link_used", "ja")
    assert scene.real.patient(ANNA) is None


async def test_following_again_says_again_that_all_is_well(scene: Scene, payload: str) -> None:
    await scene.press(f"consent:{payload}")
    said = scene.channel.last.text
    await follow(scene, payload)

    assert scene.channel.last.text == said


async def test_an_old_link_is_told_to_be_old(scene: Scene, payload: str) -> None:
    scene.clock.forward(days=14)
    await follow(scene, payload)

    assert scene.channel.last.text == scene.faq.message("link_expired", "ja")


@pytest.mark.parametrize("forged", ["A" * 28, "short", "x" * 42])
async def test_a_forged_link_is_told_not_to_work(scene: Scene, forged: str) -> None:
    await follow(scene, forged)

    assert scene.channel.last.text == scene.faq.message("link_invalid", "en")
    assert [button.action for button in scene.channel.last.buttons] == ["person", "help"]


async def test_a_known_patient_is_enrolled_at_once_in_their_own_language(scene: Scene, payload: str) -> None:
    await scene.enrol(date="2026-11-01")
    await follow(scene, payload)

    patient = scene.real.patient(ANNA)
    assert patient
    assert (patient.procedure_date, patient.language) == (DATE, "en")
    assert "20 November 2026" in scene.channel.last.text


async def test_one_who_stopped_the_reminders_is_asked_before_they_begin_again(
    scene: Scene, payload: str
) -> None:
    await scene.enrol(date="2026-11-01")
    await scene.press("stop")
    await follow(scene, payload)
    asked = scene.channel.last.buttons[0].action
    await scene.press(asked)

    assert asked == f"consent:{payload}"
    patient = scene.real.patient(ANNA)
    assert patient
    assert patient.reminders == "on"


async def test_a_link_works_while_a_person_has_taken_over(scene: Scene, payload: str) -> None:
    scene.staff.taken.add(ANNA)
    await follow(scene, payload)

    assert "2026年11月20日" in scene.channel.last.text


# --- links and QR codes


def test_links_are_as_the_platforms_describe_them() -> None:
    telegram, line = links.links(links.Names("@smile_bot", "@123abcde"), "PAYLOAD")

    assert telegram.url == "https://t.me/smile_bot?start=PAYLOAD"
    assert line.url == "https://line.me/R/oaMessage/%40123abcde/?start%20PAYLOAD"


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_a_picture_is_written_beside_the_others(tmp_path: Path, ending: str) -> None:
    target = links.Link("LINE", "https://line.me/R/x").save(tmp_path / f"card{ending}")

    assert target.name == f"card-line{ending}"
    assert target.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


@pytest.mark.parametrize(
    ("date", "days", "words"),
    [
        ("20.11.2026", 14, "write it as YYYY-MM-DD"),
        ("2020-01-01", 14, "too far away"),
        ("2026-11-20", 0, "allowed: 1 to 90"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(date: str, days: int, words: str) -> None:
    with pytest.raises(links.LinkError, match=words):
        links.check(date, days, NOW.date())


async def test_the_platforms_are_asked_for_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bot_api.BotApiServer() as telegram, line_api.LinePlatform() as line:
        settings = Settings(
            _env_file=None,
            telegram_token=bot_api.TOKEN,
            telegram_api_url=telegram.url,
            line_token=line_api.TOKEN,
            line_secret=line_api.SECRET,
            line_api_url=line.url,
        )
        names = await links.ask_names(settings, None, None)

    assert names == links.Names("smileline_test_bot", "@123abcde")
    assert telegram.violations == line.violations == []


async def test_without_any_messenger_it_is_said_what_to_set() -> None:
    with pytest.raises(links.LinkError, match="give --bot or --line-id"):
        await links.ask_names(Settings(_env_file=None), None, None)


@pytest.mark.slow
def test_the_command_prints_a_link_that_enrols(tmp_path: Path, faq: Faq) -> None:
    data = {"SMILELINE_DATA_DIR": str(tmp_path), "SMILELINE_DATABASE_URL": f"sqlite:///{tmp_path}/a.db"}
    command = [sys.executable, "-m", "bot", "enrol", "--date", f"{dt.date.today()}", "--bot", "smile_bot"]  # noqa: DTZ011
    run = subprocess.run(command, cwd=ROOT, env=data, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    payload = run.stdout.split("?start=")[1].split()[0]
    store = Store.open(data["SMILELINE_DATABASE_URL"], _key(tmp_path))
    assert store.invitation(payload, ANNA, dt.datetime.now(dt.UTC)).state == "open"
    store.close()


def _key(folder: Path) -> bytes:
    from bot.store.crypto import load_key

    return load_key(None, folder)


# --- over the platforms' wire


async def test_a_tap_in_telegram_enrols(scene: Scene, payload: str) -> None:
    async with bot_api.BotApiServer() as server:
        channel = channel_fakes.telegram_channel(server.url)
        scene.inbox._channels["telegram"] = channel
        await channel.start(scene.inbox.receive)
        await server.say(channel_fakes.CHAT, f"/start {payload}")
        await server.seen(lambda: server.texts(channel_fakes.CHAT))
        await server.tap(channel_fakes.CHAT, scene.faq.message("btn_agree", "ja"))
        await server.seen(lambda: len(server.texts(channel_fakes.CHAT)) == 2)
        await channel.stop()
        await scene.inbox.drain()

    patient = scene.real.patient(Address("telegram", str(channel_fakes.CHAT)))
    assert patient
    assert (patient.procedure_date, patient.language, patient.timezone) == (DATE, "ja", "Asia/Seoul")
    assert server.violations == []


async def test_the_words_that_lines_link_types_enrol(scene: Scene, payload: str) -> None:
    async with channel_fakes.line() as person:
        await person.channel.start(scene.inbox.receive)
        scene.inbox._channels["line"] = person.channel
        await person.say(unquote(urlparse(enrol.line_link("@123abcde", payload)).query))
        await scene.inbox.drain()
        await person.tap(scene.faq.message("btn_agree", "ja"))
        await scene.inbox.drain()

        patient = scene.real.patient(person.address)
        assert patient
        assert (patient.procedure_date, patient.language) == (DATE, "ja")
        assert person.violations() == []
